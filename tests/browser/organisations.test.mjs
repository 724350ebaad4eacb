// An organisation: founded, come into by a link, drawn for and left.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram, waitFor } from "./program.mjs";
import {
  SCREENS, THEMES, assertAccessible, onDuty, openBrowser, screenshot, tooWide, visit, welcome,
} from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const OPERATOR = "op@example.org";
const PASSWORD = "three green apples";

let program;
let browser;
let staff;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
  staff = await visit(browser, program.url, { script: false });
  await welcome(staff.page, program, OPERATOR);
  await onDuty(staff.page);
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

/** Somebody who signed up, in a browser of their own; the link of the letter is read by whoever runs the house. */
async function guest(name, looks) {
  const address = `${name}@example.org`;
  const visitor = await visit(browser, program.url, looks);
  const { page } = visitor;
  await page.goto("/sign-up");
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Date of birth").fill("1990-05-17");
  await page.locator("main form button.strong").click();
  await staff.page.goto("/letters");
  const letter = staff.page.locator("li").filter({ hasText: address }).first();
  await page.goto((await letter.textContent()).match(/http\S+\/sign-up\/[\w-]+/)[0]);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.locator("main form button.strong").click();
  await page.waitForURL(`${program.url}/`);
  return visitor;
}

async function fine(page, screen, theme, name) {
  await screenshot(page, screen, theme, name);
  await assertAccessible(page);
  assert.ok((await tooWide(page)) <= 0, name);
}

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`an organisation is founded, shared and left, on a ${screen} in ${theme}`, PATIENCE, async () => {
      const looks = { screen, theme };
      const anna = await guest(`anna-${screen}-${theme}`, looks);
      await anna.page.goto("/account");
      await anna.page.getByRole("link", { name: "Organisations" }).click();
      await fine(anna.page, screen, theme, "organisations-none");
      await anna.page.getByLabel("Name").fill("Lighthouse & Sons");
      await anna.page.getByRole("button", { name: "Found it" }).click();
      await anna.page.getByRole("heading", { name: "Lighthouse & Sons" }).waitFor();
      await anna.page.getByRole("button", { name: "Make a link" }).click();
      const link = await anna.page.locator("pre code").innerText();
      await fine(anna.page, screen, theme, "organisation-link");

      const bo = await guest(`bo-${screen}-${theme}`, looks);
      await bo.page.goto(link);
      await bo.page.getByRole("heading", { name: "Come into Lighthouse & Sons?" }).waitFor();
      await fine(bo.page, screen, theme, "organisation-door");
      await bo.page.getByRole("button", { name: "Come in" }).click();
      await bo.page.getByRole("heading", { name: "Lighthouse & Sons" }).waitFor();
      await fine(bo.page, screen, theme, "organisation-member");

      await anna.page.goto("/account/organisations");
      await anna.page.getByRole("link", { name: "Open: Lighthouse & Sons" }).click();
      await anna.page.getByLabel("How many").fill("20");
      await anna.page.getByRole("button", { name: "Give them" }).click();
      await anna.page.getByText("It has 20 credits.").waitFor();
      await fine(anna.page, screen, theme, "organisation-owner");

      await bo.page.getByRole("button", { name: "Draw for it" }).click();
      await bo.page.getByText("You draw for Lighthouse & Sons.").waitFor();
      await bo.page.locator("#prompt").fill("a red apple");
      const placed = bo.page.waitForResponse((answer) => answer.url().endsWith("/draw"));
      await bo.page.locator("button.draw").click();
      await placed;
      await waitFor("the picture to be drawn", 60_000, async () => {
        await bo.page.goto("/pictures");
        return bo.page.locator("main img").count();
      });
      await fine(bo.page, screen, theme, "organisation-pictures");
      await bo.page.getByRole("button", { name: "Draw for yourself again" }).click();
      await bo.page.goto("/pictures");
      assert.equal(await bo.page.locator("main img").count(), 0, "it is not his own");

      await bo.page.goto("/account/organisations");
      await bo.page.getByRole("link", { name: "Open: Lighthouse & Sons" }).click();
      await bo.page.getByRole("button", { name: "Leave the organisation" }).click();
      await bo.page.getByText("You are in no organisation.").waitFor();
      await anna.leave();
      await bo.leave();
    });
  }
}
