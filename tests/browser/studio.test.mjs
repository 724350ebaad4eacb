// The studio as people use it: words go in, a picture comes out, and it stays findable.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram, waitFor } from "./program.mjs";
import { SCREENS, THEMES, assertAccessible, openBrowser, screenshot, visit } from "./visitor.mjs";

const PATIENCE = { timeout: 180_000 };
const DRAWN_MS = 120_000;

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

const prompt = (page) => page.getByRole("textbox", { name: "What would you like to see?" });
const draw = (page) => page.getByRole("button", { name: /^Draw \d/ });
const pictures = (page) => page.locator("main img[src*='/v1/pictures/']");

/** Waits until `count` pictures are on the page and shown to their last pixel. */
async function shown(page, count) {
  await pictures(page).nth(count - 1).waitFor({ timeout: DRAWN_MS });
  await page.waitForFunction(
    () => [...document.querySelectorAll("main img")].every((image) => image.complete && image.naturalWidth > 0),
  );
  assert.equal(await pictures(page).count(), count);
}

/** Forgets all work of the tests before. */
async function empty() {
  const { data } = await (await fetch(`${program.url}/v1/pictures?limit=100`)).json();
  for (const { id } of data) await fetch(`${program.url}/v1/pictures/${id}`, { method: "DELETE" });
}

const jobs = async () => (await (await fetch(`${program.url}/v1/jobs`)).json()).data;

test("the first visit explains itself", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).waitFor();
  assert.ok((await page.getByRole("button", { name: /^Use these words/ }).count()) >= 4);
  await leave();
});

test("a prompt becomes a picture, with progress on the way", PATIENCE, async () => {
  await empty();
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/");
  await prompt(page).fill("a red apple");
  await draw(page).click();
  await page.getByText(/Waiting|Drawing/).first().waitFor();
  await shown(page, 1);
  await leave();
});
