// The studio as people use it: words go in, a picture comes out, and it stays findable.

import { after, before, beforeEach, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram, waitFor } from "./program.mjs";
import { openBrowser, visit } from "./visitor.mjs";
import { DRAWN_MS, draw, drawn, empty, jobs, pictures, prompt } from "./studio.mjs";

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

beforeEach(() => empty(program), PATIENCE);

test("a prompt becomes a picture, and the page says so on the way", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a red apple");
  await count(page, 1);
  await draw(page).click();
  await page.locator("[data-job][data-live] [data-status]").waitFor();
  await drawn(page, 1);
  assert.equal(await pictures(page).first().getAttribute("alt"), "a red apple");
  await page.getByRole("status").filter({ hasText: "a red apple" }).waitFor();
  // The stream ended with the last job; that is no lost connection.
  await page.locator("live-jobs:not(:has([data-live]))").waitFor();
  assert.equal(await page.locator("[data-lost-line]").isHidden(), true);
  await leave();
});

test("previews show the picture while it is drawn", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a red apple");
  await mostWork(page, 4);
  await draw(page).click();
  await page.locator("[data-live] .tile img, [data-live] .tile canvas").first().waitFor({ timeout: DRAWN_MS });
  await drawn(page, 4);
  await leave();
});

test("four pictures take one order", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a rocket");
  await count(page, 4);
  await draw(page).filter({ hasText: "Draw 4" }).click();
  await drawn(page, 4);
  assert.equal((await jobs(program))[0].n, 4);
  await leave();
});

test("cancelling stops the job and leaves a card that says so", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("two cats");
  await mostWork(page, 4);
  await draw(page).click();
  await page.getByRole("button", { name: "Cancel: two cats" }).click();
  await page.getByText("Cancelled. Nothing was charged.").waitFor();
  await waitFor("the job to be cancelled", DRAWN_MS, async () => (await jobs(program))[0].status === "cancelled");
  await leave();
});

test("a cancelled card is taken away, and the focus goes to its neighbour", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  for (const words of ["two cats", "a rocket"]) {
    await prompt(page).fill(words);
    await mostWork(page, 4);
    await draw(page).click();
    await page.getByRole("button", { name: `Cancel: ${words}` }).click();
    await page.getByRole("button", { name: `Remove: ${words}` }).waitFor();
    await page.reload();
  }
  await page.getByRole("button", { name: "Remove: a rocket" }).press("Enter");
  await page.getByText("a rocket", { exact: true }).waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /two cats/);
  await page.getByRole("button", { name: "Remove: two cats" }).click();
  await page.locator("[data-job]").waitFor({ state: "detached" });
  assert.deepEqual(await jobs(program), []);
  await leave();
});

test("a reload finds the job where it was", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a blue house");
  await mostWork(page, 4);
  await draw(page).click();
  const id = await page.locator("[data-job][data-live]").getAttribute("data-job");
  await page.reload();
  await page.locator(`[data-job="${id}"]`).waitFor();
  await drawn(page, 4);
  await page.reload();
  await drawn(page, 4);
  await leave();
});

test("the gallery keeps what was drawn, and deleting is for good", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url, { allowed: [404] });
  await page.goto("/");
  await prompt(page).fill("a yellow star on a blue background");
  await count(page, 1);
  await draw(page).click();
  await drawn(page, 1);
  await page.getByRole("link", { name: "Pictures", exact: true }).click();
  await drawn(page, 1);
  const [{ id }] = (await (await fetch(`${program.url}/v1/pictures`)).json()).data;
  await page.goto(`/pictures/${id}`);
  await page.getByText("Delete", { exact: true }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.waitForURL((url) => !url.pathname.includes(id));
  assert.equal((await fetch(`${program.url}/v1/pictures/${id}/content`)).status, 404);
  assert.equal((await page.goto(`/pictures/${id}`)).status(), 404);
  await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
  await leave();
});

test("a download is the picture, in the format that was asked for", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a green frog");
  await count(page, 1);
  await draw(page).click();
  await drawn(page, 1);
  const [{ id }] = (await (await fetch(`${program.url}/v1/pictures`)).json()).data;
  await page.goto(`/pictures/${id}`);
  const starts = { png: [0x89, 0x50, 0x4e, 0x47], jpeg: [0xff, 0xd8, 0xff], webp: [0x52, 0x49, 0x46, 0x46] };
  for (const [format, start] of Object.entries(starts)) {
    const coming = page.waitForEvent("download");
    await page.getByRole("link", { name: `Download as ${format}` }).click();
    const download = await coming;
    assert.equal(download.suggestedFilename(), `${id}.${format}`);
    const bytes = Buffer.concat(await (await download.createReadStream()).toArray());
    assert.deepEqual([...bytes.subarray(0, start.length)], start);
  }
  await leave();
});

test("a picture opens large, and the keys lead through the others", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a red apple");
  await count(page, 2);
  await draw(page).click();
  await drawn(page, 2);
  const ids = await pictures(page).evaluateAll((all) => all.map((image) => image.closest("a").dataset.picture));
  await pictures(page).first().click();
  const view = page.getByRole("dialog");
  await view.locator(`[data-picture="${ids[0]}"]`).waitFor();
  await page.keyboard.press("ArrowRight");
  await view.locator(`[data-picture="${ids[1]}"]`).waitFor();
  await page.keyboard.press("ArrowLeft");
  await view.locator(`[data-picture="${ids[0]}"]`).waitFor();
  await page.keyboard.press("Escape");
  await view.waitFor({ state: "hidden" });
  await leave();
});

test("everything is done with the keyboard alone", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await focusByTab(page, prompt(page));
  await page.keyboard.type("a heart");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("in red");
  assert.equal(await prompt(page).inputValue(), "a heart\nin red");
  await focusByTab(page, page.locator("input[name=count]:checked"));
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator("input[name=count]:checked").getAttribute("value"), "1");
  await page.keyboard.press("Enter");
  await drawn(page, 1);
  await focusByTab(page, page.locator("a.tile").first());
  assert.ok(await isOutlined(page), "what has the focus shows it");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.ok(
    await page.evaluate(() => document.activeElement?.matches("a.tile")),
    "the focus is back where it was",
  );
  await leave();
});

test("an order that can't be done is explained, and the words stay", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url, { allowed: [400, 422] });
  await page.goto("/");
  await prompt(page).fill("x".repeat(40_000));
  await draw(page).click();
  await page.getByRole("alert").filter({ hasText: "Shorten it" }).waitFor();
  assert.equal((await prompt(page).inputValue()).length, 40_000);
  assert.equal(await pictures(page).count(), 0);
  await leave();
});

test("an example fills the prompt", PATIENCE, async () => {
  // The examples are there before the first order only.
  const fresh = await startProgram();
  try {
    const { page, leave } = await visit(browser, fresh.url);
    await page.goto("/");
    const examples = page.locator(".examples a[data-words]");
    assert.equal(await examples.count(), 6);
    assert.equal(await examples.locator("img").count(), 6);
    const words = await examples.first().getAttribute("data-words");
    await examples.first().click();
    await page.waitForFunction((words) => document.querySelector("#prompt").value === words, words);
    await leave();
  } finally {
    await fresh.stop();
  }
});

test("without script a picture is drawn, found, downloaded and deleted", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url, { script: false, allowed: [404] });
  await page.goto("/");
  await prompt(page).fill("a blue house");
  await count(page, 1);
  await draw(page).click();
  await waitFor("the picture", DRAWN_MS, async () => {
    await page.goto("/");
    return (await pictures(page).count()) === 1;
  });
  await pictures(page).first().click();
  await page.waitForURL(/\/pictures\/pic_/);
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download as png" }).click();
  assert.match((await coming).suggestedFilename(), /^pic_.*\.png$/);
  await page.getByText("Delete", { exact: true }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.goto("/pictures");
  assert.equal(await pictures(page).count(), 0);
  await leave();
});

test("promise_cns_01_no_cookie_and_nothing_stored_in_the_browser", PATIENCE, async () => {
  const { page, context, leave } = await visit(browser, program.url);
  for (const path of ["/", "/pictures", "/about"]) {
    await page.goto(path);
    assert.deepEqual(await context.cookies(), []);
    const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
    assert.deepEqual(stored, [0, 0, ""], path);
  }
  await leave();
});

/** Chooses how many pictures. */
async function count(page, number) {
  await page.locator(`input[name=count][value="${number}"]`).check({ force: true });
}

/** Chooses so many pictures with so many steps that there is time to look. */
async function mostWork(page, number) {
  await count(page, number);
  await page.getByText("More", { exact: true }).click();
  const steps = page.locator("input[name=steps]");
  await steps.fill(await steps.getAttribute("max"));
}

/** Presses the tab key until `wanted` has the focus. */
async function focusByTab(page, wanted) {
  const element = await wanted.elementHandle();
  for (let presses = 0; presses < 100; presses += 1) {
    if (await element.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail("the tab key never leads there");
}

const isOutlined = (page) =>
  page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
  });
