// What is done only with a yes, and a browser that keeps no cookies.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

import { startProgram } from "./program.mjs";
import { LAUNCH, SCREENS, THEMES, assertAccessible, openBrowser, screenshot, visit } from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const PASSWORD = "three green apples";
const OPERATOR = "op@example.org";

let program;
let browser;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
  const { page, leave } = await visit(browser, program.url, { script: false });
  await page.goto(program.printed().match(/make the first account: (\S+)/)[1]);
  await page.getByLabel("E-mail address").fill(OPERATOR);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the first account" }).click();
  await page.waitForURL(`${program.url}/`);
  await leave();
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

async function enter(page) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(OPERATOR);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

async function signIn(page) {
  await enter(page);
  await page.waitForURL(`${program.url}/`);
}

const part = (page, title) => page.getByRole("group", { name: title });

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`yes and no weigh the same, without script, on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme, script: false });
      await signIn(page);
      await page.goto("/account/data");
      await page.getByRole("link", { name: "Your choices" }).click();
      const answers = part(page, "Begin where I left off");
      for (const title of ["News by e-mail", "Begin where I left off"]) {
        const [yes, no] = await Promise.all(
          ["Yes", "No"].map((name) => part(page, title).getByRole("button", { name }).boundingBox()),
        );
        assert.equal(yes.width, no.width);
        assert.equal(yes.height, no.height);
        assert.equal(yes.y, no.y, "side by side");
        assert.ok(yes.height >= 44);
      }
      const look = (name) => {
        const button = answers.getByRole("button", { name });
        return button.evaluate((one) => {
          const { color, backgroundColor, fontSize, opacity } = getComputedStyle(one);
          return { color, backgroundColor, fontSize, opacity };
        });
      };
      assert.deepEqual(await look("Yes"), await look("No"));
      // One press each.
      await answers.getByRole("button", { name: "Yes" }).click();
      await page.getByText("On since").waitFor();
      await answers.getByRole("button", { name: "Yes", pressed: true }).waitFor();
      await answers.getByRole("button", { name: "No" }).click();
      await page.getByText("Off since").waitFor();
      const waiting = page.waitForEvent("download");
      await page.getByRole("link", { name: "Receipt" }).first().click();
      const receipt = JSON.parse(readFileSync(await (await waiting).path(), "utf8")).receipt;
      assert.equal(receipt.decision, "withdrawn");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      assert.equal(wide, false, "no wider than the screen");
      await screenshot(page, screen, theme, "choices");
      await leave();
    });

    test(`the pages of choices are accessible on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme });
      await signIn(page);
      await page.goto("/account/choices");
      await assertAccessible(page);
      await page.goto("/account/data");
      await assertAccessible(page);
      await leave();
    });
  }
}

test("a browser that keeps no cookies is told why it can't sign in", PATIENCE, async () => {
  const profile = mkdtempSync(join(tmpdir(), "pinhole-profile-"));
  mkdirSync(join(profile, "Default"));
  const blocked = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(blocked));
  const context = await chromium.launchPersistentContext(profile, { ...LAUNCH, baseURL: program.url });
  const page = await context.newPage();
  for (const path of ["/", "/about", "/privacy", "/trust", "/docs", "/sign-up"]) {
    assert.equal((await page.goto(path)).status(), 200, path);
  }
  await enter(page);
  await page.getByRole("heading", { name: "Your browser did not keep the cookie" }).waitFor();
  assert.deepEqual(await context.cookies(), [], "it really keeps none");
  await assertAccessible(page);
  await page.getByRole("link", { name: "Sign in again" }).click();
  await page.waitForURL(`${program.url}/sign-in`);
  await context.close();
  rmSync(profile, { recursive: true });
});
