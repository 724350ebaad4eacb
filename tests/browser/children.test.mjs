// The account of a child: locked at the desk, read and contested by its person.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram } from "./program.mjs";
import {
  SCREENS, THEMES, assertAccessible, onDuty, openBrowser, screenshot, signIn, tooWide, visit, welcome,
} from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const PASSWORD = "three green apples";
const OPERATOR = "op@example.org";

let program;
let browser;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
  const { page, leave } = await visit(browser, program.url, { script: false });
  await welcome(page, program, OPERATOR);
  await onDuty(page);
  await leave();
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

async function looked(page, screen, theme, name) {
  assert.ok((await tooWide(page)) <= 0, `${name}: ${await tooWide(page)} px too wide`);
  await assertAccessible(page);
  await screenshot(page, screen, theme, `child-${name}`);
}

/** The link of a letter, as whoever runs a house without a mail server reads it. */
async function linkTo(staff, mailbox, path) {
  await staff.goto("/letters");
  const letter = staff.locator("li").filter({ hasText: mailbox }).first();
  return (await letter.textContent()).match(new RegExp(`http\\S+${path}[\\w-]+`))[0];
}

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`a child is locked out and answers on a ${screen} in ${theme}`, PATIENCE, async () => {
      const mailbox = `child-${screen}-${theme}@example.org`;
      const staff = await visit(browser, program.url, { screen, theme });
      await signIn(staff.page, program, OPERATOR);
      const child = await visit(browser, program.url, { screen, theme, allowed: [400] });
      await child.page.goto("/sign-up");
      await child.page.getByLabel("E-mail address").fill(mailbox);
      await child.page.getByLabel("Password").fill(PASSWORD);
      await child.page.getByLabel("Date of birth").fill("1990-05-17");
      await child.page.locator("main form button.strong").click();
      await child.page.goto(await linkTo(staff.page, mailbox, "/sign-up/"));
      await child.page.getByLabel("Password").fill(PASSWORD);
      await child.page.locator("main form button.strong").click();
      await child.page.waitForURL(`${program.url}/`);
      await child.page.goto("/account/child");
      await looked(child.page, screen, theme, "state");
      await child.page.getByRole("button", { name: "Lock my account" }).click();
      await child.page.getByRole("alert").waitFor();

      await staff.page.goto("/desk/children");
      await staff.page.getByLabel("E-mail address or number").fill(mailbox);
      await staff.page.getByLabel("From where it is known").fill("A parent told us by telephone.");
      await staff.page.getByRole("button", { name: "Lock it" }).click();
      await staff.page.getByText("A parent told us by telephone.").first().waitFor();
      await looked(staff.page, screen, theme, "desk");

      await signIn(child.page, program, mailbox);
      await child.page.goto("/account/restriction");
      await child.page.getByText("A parent told us by telephone.").waitFor();
      await looked(child.page, screen, theme, "locked");
      await child.page.getByLabel(/Say why, once/).fill("I am forty, and a teacher.");
      await child.page.getByRole("button", { name: "I am old enough" }).click();
      await child.page.getByText("were told to decide").waitFor();
      await looked(child.page, screen, theme, "contested");
      await staff.page.goto("/desk/children");
      const one = staff.page.locator("article").filter({ hasText: "I am forty, and a teacher." });
      await one.getByLabel(/^Why the person is old enough/).fill("A colleague says so too.");
      await one.getByRole("button", { name: "Open the account again" }).click();
      await staff.page.getByText("I am forty, and a teacher.").waitFor({ state: "detached" });
      await child.page.goto("/account/restriction");
      await child.page.getByRole("button", { name: "Restrict my account" }).waitFor();
      await child.leave();
      await staff.leave();
    });
  }
}
