// The operator's terms: read, accepted without script, and asked for at sign-up.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { startProgram, waitFor } from "./program.mjs";
import {
  SCREENS,
  THEMES,
  assertAccessible,
  assertAccessibleToAnother,
  openBrowser,
  screenshot,
  tooWide,
  visit,
  welcome,
} from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const OPERATOR = "op@example.org";
const TEXT = `# Terms of the picture house

Whoever draws here is kind to others.

## What you may draw

- things, animals and plants
- nobody who did not agree to it

## What we owe you

We keep the house open as well as we can, and give credits back for what was not drawn.
`;

let program;
let browser;

function publish(text, ...more) {
  const file = join(program.folder, "terms.txt");
  writeFileSync(file, text);
  const settings = { PATH: process.env.PATH, PINHOLE_DATA: join(program.folder, "data") };
  const command = ["admin", "terms", "publish", file, ...more];
  return execFileSync(process.env.PINHOLE_BIN, command, { env: settings, encoding: "utf8" });
}

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
  const { page, leave } = await visit(browser, program.url, { script: false });
  await welcome(page, program, OPERATOR);
  await leave();
  assert.match(publish(TEXT), /version 1/);
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

async function fine(page, screen, theme, name) {
  await screenshot(page, screen, theme, name);
  await assertAccessible(page);
  assert.ok((await tooWide(page)) <= 0, name);
}

let version = 1;
for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`terms are read and accepted, on a ${screen} in ${theme}`, PATIENCE, async () => {
      const stranger = await visit(browser, program.url, { screen, theme });
      await waitFor("sign-up to ask for the terms", 30_000, async () => {
        await stranger.page.goto("/sign-up");
        return stranger.page.getByLabel("I accept the").count();
      });
      const box = stranger.page.getByLabel("I accept the");
      assert.equal(await box.isChecked(), false, "nobody ticked it");
      await fine(stranger.page, screen, theme, "terms-sign-up");
      await stranger.page.goto("/terms");
      await fine(stranger.page, screen, theme, "terms-versions");
      await stranger.page.goto(`/terms/${version}`);
      await stranger.page.getByRole("heading", { name: "What we owe you" }).waitFor();
      await fine(stranger.page, screen, theme, "terms-version");
      await stranger.leave();

      const { page, leave } = await visit(browser, program.url, { screen, theme });
      await page.goto("/sign-in");
      await page.getByLabel("E-mail address").fill(OPERATOR);
      await page.getByLabel("Password").fill("three green apples");
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.waitForURL(/\/terms\/accept/);
      await fine(page, screen, theme, "terms-asked");
      await page.getByLabel("I accept these terms").check();
      await page.getByRole("button", { name: "Accept", exact: true }).click();
      await page.getByText(`You accepted version ${version} on`).or(page.locator("#prompt")).first().waitFor();
      await page.goto("/");
      await page.locator("#prompt").waitFor();
      await page.goto("/terms/accept");
      await page.getByText(`You accepted version ${version} on`).waitFor();
      await fine(page, screen, theme, "terms-accepted");
      await page.goto("/desk/policies");
      await page.getByText("Accepted by 1, not yet by 0.").waitFor();
      await fine(page, screen, theme, "terms-desk");

      // Where nobody but who runs the house is there, the next version holds at once.
      version += 1;
      publish(`${TEXT}\nVersion ${version} says this as well.\n`, "--summary", "One sentence more.");
      await page.goto(`/terms/${version}/changes`);
      await page.locator("ins", { hasText: `Version ${version} says this as well.` }).waitFor();
      await fine(page, screen, theme, "terms-changes");

      // Around the operator's words, the house speaks German as well.
      for (const path of ["/terms", `/terms/${version}`, `/terms/${version}/changes`, "/terms/accept"]) {
        await page.goto(`${path}?lang=de`);
        assert.equal(await page.locator("html").getAttribute("lang"), "de", path);
        await fine(page, screen, theme, `de${path.replaceAll("/", "-").replace(/-[0-9]+/, "-version")}`);
        await assertAccessibleToAnother(page);
      }
      await leave();
    });
  }
}
