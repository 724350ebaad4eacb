// Finding pictures again, and doing something with several of them.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { startProgram, waitFor } from "./program.mjs";
import { openBrowser, visit } from "./visitor.mjs";
import { DRAWN_MS, drawn, empty } from "./studio.mjs";

const PATIENCE = { timeout: 240_000 };

let program;
let browser;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

/** Forgets what was, and draws one picture for each of these prompts. */
async function have(...prompts) {
  await empty(program);
  for (const prompt of prompts) {
    const answer = await fetch(`${program.url}/v1/images/generations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt, steps: 2 }),
    });
    assert.equal(answer.status, 200);
  }
}

const tile = (page, prompt) => page.locator("a.tile").filter({ has: page.getByAltText(prompt, { exact: true }) });
const box = (page, prompt) => page.getByRole("checkbox", { name: `Choose: ${prompt}` });

for (const script of [true, false]) {
  const how = script ? "with script" : "without script";

  test(`words, favourites and days lead back to a picture, ${how}`, PATIENCE, async () => {
    await have("a red apple", "a green frog", "a rocket");
    const { page, leave } = await visit(browser, program.url, { script });
    await page.goto("/pictures");
    await drawn(page, 3);
    await page.getByRole("searchbox").fill("FROG");
    await page.getByRole("searchbox").press("Enter");
    await page.waitForURL(/words=FROG/);
    await drawn(page, 1);
    await page.getByRole("link", { name: "Show all" }).click();
    await tile(page, "a rocket").click();
    await page.getByRole("button", { name: "Add to favourites" }).click();
    await page.getByRole("button", { name: "Remove from favourites" }).waitFor();
    await page.goto("/pictures");
    await page.getByText("Filter", { exact: true }).click();
    await page.getByLabel("Favourites only").check();
    await page.getByRole("button", { name: "Search" }).click();
    await page.waitForURL(/favourite=1/);
    await drawn(page, 1);
    await tile(page, "a rocket").waitFor();
    await page.getByLabel("Until").fill("2020-01-01");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByText("No picture of yours fits.").waitFor();
    await leave();
  });

  test(`several are ticked, downloaded and deleted, ${how}`, PATIENCE, async () => {
    await have("a red apple", "a green frog", "a rocket");
    const { page, leave } = await visit(browser, program.url, { script });
    await page.goto("/pictures");
    const bar = page.getByRole("button", { name: "Download" });
    await bar.waitFor({ state: "hidden" });
    await box(page, "a red apple").check();
    await box(page, "a rocket").check();
    const waiting = page.waitForEvent("download");
    await bar.click();
    const download = await waiting;
    assert.equal(download.suggestedFilename(), "pinhole-pictures.zip");
    const zip = readFileSync(await download.path());
    assert.equal(zip.subarray(0, 4).toString("latin1"), "PK\x03\x04");
    assert.ok(zip.includes("pictures.json") && zip.includes('"a rocket"') && !zip.includes('"a green frog"'));
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("heading", { name: "Delete 2 pictures?" }).waitFor();
    await page.getByRole("button", { name: "Delete for good" }).click();
    await page.waitForURL(`${program.url}/pictures`);
    await drawn(page, 1);
    await tile(page, "a green frog").waitFor();
    await leave();
  });

  test(`a picture is varied, ${how}`, PATIENCE, async () => {
    await have("a red apple");
    const { page, leave } = await visit(browser, program.url, { script });
    await page.goto("/pictures");
    // Without the light box: the picture's own page.
    await page.goto(await tile(page, "a red apple").getAttribute("href"));
    await page.getByRole("button", { name: "Variations" }).click();
    await page.waitForURL(/#job_/);
    if (!script) {
      const all = async () => (await (await fetch(`${program.url}/v1/pictures`)).json()).data.length === 5;
      await waitFor("five pictures", DRAWN_MS, all);
      await page.goto("/");
    }
    await drawn(page, 5);
    await page.goto("/pictures?kind=variation");
    await drawn(page, 4);
    await leave();
  });
}

test("ticking from one to another with Shift, all, and none", PATIENCE, async () => {
  await have("a red apple", "a green frog", "a rocket", "a crown");
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/pictures");
  await box(page, "a crown").check();
  await page.getByText("1 chosen").waitFor();
  await box(page, "a green frog").click({ modifiers: ["Shift"] });
  await page.getByText("3 chosen").waitFor();
  await page.getByRole("button", { name: "Choose all on this page" }).click();
  await page.getByText("4 chosen").waitFor();
  await box(page, "a crown").press("Escape");
  assert.equal(await page.locator("[name=picture]:checked").count(), 0);
  await leave();
});
