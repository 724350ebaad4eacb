// Pages of notice, consent and rights in German: chosen by a button without script, accessible, and no wider than
// a small phone, though German words are long.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram } from "./program.mjs";
import { draw, drawn, prompt } from "./studio.mjs";
import {
  SCREENS,
  THEMES,
  assertAccessible,
  assertAccessibleToAnother,
  openBrowser,
  screenshot,
  signIn,
  tooWide,
  visit,
  welcome,
} from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const OPERATOR = "op@example.org";
const OPEN = [
  "/privacy",
  "/privacy/words",
  "/privacy/request",
  "/privacy/authorities",
  "/privacy/versions",
  "/support",
];
const OWN = [
  "/account",
  "/account/confirm",
  "/account/data",
  "/account/choices",
  "/account/log",
  "/account/requests",
  "/account/objections",
  "/account/restriction",
  "/account/child",
  "/account/delete",
  "/account/notices",
];

let program;
let browser;
// Pages of what the operator has: those of every account, and of one picture.
let own;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
  const { page, leave } = await visit(browser, program.url);
  await welcome(page, program, OPERATOR);
  await page.goto("/");
  await prompt(page).fill("a red apple");
  await draw(page).click();
  await drawn(page, 2);
  const picture = await page.locator("main a.tile[data-picture]").first().getAttribute("data-picture");
  own = [...OWN, `/pictures/${picture}`];
  await leave();
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

test("promise X-09: a language is chosen without script, and kept in one cookie", PATIENCE, async () => {
  const { page, context, leave } = await visit(browser, program.url, { script: false });
  await page.goto("/privacy/request");
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.deepEqual(await context.cookies(), [], "looking stores nothing");
  await page.getByRole("button", { name: "Deutsch" }).click();
  assert.equal(new URL(page.url()).pathname, "/privacy/request");
  assert.equal(await page.locator("html").getAttribute("lang"), "de");
  await page.getByRole("heading", { name: "Ohne Konto etwas verlangen" }).waitFor();
  const held = (await context.cookies()).map(({ name, value }) => [name, value]);
  assert.deepEqual(held, [["pinhole-language", "de"]]);
  await page.goto("/privacy");
  await page.getByRole("heading", { name: "Was von Ihnen gespeichert wird" }).waitFor();
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("heading", { name: "What is kept of you" }).waitFor();
  await leave();
});

test("the other judge of accessibility sees what is wrong", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url, {});
  await page.setContent("<html><body><img src='data:,'><a href='#'></a></body></html>");
  await assert.rejects(assertAccessibleToAnother(page), /1_1_1/);
  await leave();
});

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`promise X-09: every page of rights is accessible in both languages and fits, ${screen}, ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme });
      await signIn(page, program, OPERATOR);
      await page.goto("/privacy");
      await page.getByRole("button", { name: "Deutsch" }).click();
      for (const path of [...OPEN, ...own]) {
        await page.goto(path);
        assert.equal(await page.locator("html").getAttribute("lang"), "de", path);
        await assertAccessible(page);
        await assertAccessibleToAnother(page);
        assert.ok((await tooWide(page)) <= 0, `${path} is too wide`);
        await screenshot(page, screen, theme, `de${path.replaceAll("/", "-")}`);
        if (screen === "phone") {
          await page.setViewportSize({ width: 320, height: 700 });
          assert.ok((await tooWide(page)) <= 0, `${path} is too wide at 320 px`);
          await page.setViewportSize(SCREENS.phone.viewport);
        }
      }
      await page.getByRole("button", { name: "English" }).click();
      for (const path of [...OPEN, ...own]) {
        await page.goto(path);
        assert.equal(await page.locator("html").getAttribute("lang"), "en", path);
        await assertAccessibleToAnother(page);
      }
      await leave();
    });
  }
}
