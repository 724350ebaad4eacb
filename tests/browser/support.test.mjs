// Help: a question from a mailbox without an account and without script, its answer at the desk, and one
// with a picture from an account.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram } from "./program.mjs";
import {
  SCREENS, THEMES, assertAccessible, onDuty, openBrowser, screenshot, signIn, tooWide, visit, welcome,
} from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
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
  await screenshot(page, screen, theme, `support-${name}`);
}

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`a guest asks and is answered on a ${screen} in ${theme}`, PATIENCE, async () => {
      const subject = `Where are my credits, ${screen} ${theme}?`;
      const mailbox = `guest-${screen}-${theme}@example.org`;
      const guest = await visit(browser, program.url, { screen, theme, script: false, allowed: [400] });
      await guest.page.goto("/");
      await guest.page.getByRole("link", { name: "Help", exact: true }).click();
      await guest.page.getByLabel("What it is about").selectOption("credits");
      await guest.page.getByLabel("In a few words").fill(subject);
      await guest.page.getByLabel("Your message").fill("I bought some yesterday.\n\nNow there are none.");
      await guest.page.getByLabel("Your e-mail address").fill(mailbox);
      await guest.page.getByRole("button", { name: "Send me the letter" }).click();
      await guest.page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
      assert.deepEqual(await guest.context.cookies(), []);

      const staff = await visit(browser, program.url, { screen, theme });
      await signIn(staff.page, program, OPERATOR);
      await staff.page.goto("/letters");
      const letter = staff.page.locator("article, li").filter({ hasText: mailbox }).first();
      const [link] = (await letter.textContent()).match(/http\S+\/support\/confirm\/[\w-]+/);
      await guest.page.goto(link);
      await guest.page.getByText("Now there are none.").waitFor();
      await guest.page.getByRole("button", { name: "Send it" }).click();
      await guest.page.getByRole("heading", { name: subject, level: 1 }).waitFor();
      const place = guest.page.url();

      await staff.page.goto("/desk");
      await staff.page.getByRole("link", { name: "Support", exact: true }).click();
      await looked(staff.page, screen, theme, "desk");
      await staff.page.getByRole("link", { name: `Read and answer: ${subject}` }).click();
      await staff.page.getByLabel(/^Your answer/).fill("They come tomorrow.\nPlease wait a day.");
      await staff.page.getByRole("button", { name: "Send, and wait for a reply" }).click();
      await staff.page.getByText("Please wait a day.").waitFor();
      await looked(staff.page, screen, theme, "desk-ticket");
      await staff.leave();

      const reader = await visit(browser, program.url, { screen, theme });
      await reader.page.goto(place);
      await reader.page.getByText("Please wait a day.").waitFor();
      await looked(reader.page, screen, theme, "ticket");
      await reader.page.getByRole("button", { name: "That is all" }).click();
      await reader.page.getByText("This is closed.").waitFor();
      await looked(reader.page, screen, theme, "closed");
      await reader.leave();
      await guest.leave();
    });

    test(`somebody sends a picture along on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme, allowed: [400] });
      await page.goto("/support");
      await looked(page, screen, theme, "guest-form");
      await signIn(page, program, OPERATOR);
      await page.goto("/support");
      const shot = await page.screenshot();
      await page.getByLabel("In a few words").fill("It looks odd");
      await page.getByLabel("Your message").fill("See the picture.");
      const file = (buffer) => ({ name: "odd.png", mimeType: "image/png", buffer });
      await page.getByLabel("Pictures of it").setInputFiles(file(Buffer.from("no picture")));
      await page.getByRole("button", { name: "Send", exact: true }).click();
      await page.getByRole("alert").waitFor();
      assert.equal(await page.getByLabel("Your message").inputValue(), "See the picture.");
      await looked(page, screen, theme, "wrong");
      await page.getByLabel("Pictures of it").setInputFiles([file(shot), file(shot)]);
      await page.getByRole("button", { name: "Send", exact: true }).click();
      await page.getByRole("heading", { name: "It looks odd", level: 1 }).waitFor();
      const pictures = page.getByRole("img", { name: "Picture that was sent along" });
      assert.equal(await pictures.count(), 2);
      await pictures.last().scrollIntoViewIfNeeded();
      await page.waitForFunction(() => [...document.querySelectorAll("ol img")].every((one) => one.naturalWidth > 0));
      await looked(page, screen, theme, "with-pictures");
      await page.getByRole("button", { name: "That is all" }).click();
      await page.getByText("This is closed.").waitFor();
      assert.equal(await pictures.count(), 0);
      await leave();
    });
  }
}
