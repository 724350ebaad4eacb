// The privacy centre: every right reached from one page, without script, on a phone and on a desktop.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram } from "./program.mjs";
import { SCREENS, THEMES, assertAccessible, onDuty, openBrowser, screenshot, visit } from "./visitor.mjs";

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

async function signIn(page) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(OPERATOR);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${program.url}/`);
}

/** What the newest letter to an address says; where no mail is set up, the operator reads it on a page. */
async function letterTo(address) {
  const { page, leave } = await visit(browser, program.url, { script: false });
  await signIn(page);
  await onDuty(page);
  await page.goto("/letters");
  const letter = page.locator("details").filter({ hasText: address }).first();
  await letter.locator("summary").click();
  const text = await letter.locator("pre").textContent();
  await leave();
  return text;
}

for (const screen of Object.keys(SCREENS)) {
  test(`without script every right is reached from one page, ${screen}`, PATIENCE, async () => {
    const { page, leave } = await visit(browser, program.url, { screen, script: false, allowed: [400, 403] });
    await signIn(page);
    await page.goto("/account");
    await page.getByRole("link", { name: "Your data" }).click();
    const centre = async () => page.goto("/account/data");

    await page.getByRole("link", { name: "How it stands" }).click();
    await page.getByRole("button", { name: "Restrict my account" }).click();
    await page.getByText("Your account is restricted since").waitFor();
    await page.goto("/");
    await page.getByText("Nothing can be drawn: your account is restricted.").waitFor();
    await page.locator("[name=prompt]").fill("a red apple");
    await page.locator("button.draw").click();
    await page.getByText("To use it again, lift the restriction").waitFor();
    await centre();
    await page.getByText("Restricted.", { exact: true }).waitFor();
    await page.getByRole("link", { name: "How it stands" }).click();
    await page.getByRole("button", { name: "Lift the restriction" }).click();
    await page.getByText("It still holds.").waitFor();
    await page.getByLabel("Yes, use what is mine again").check();
    await page.getByRole("button", { name: "Lift the restriction" }).click();
    await page.getByRole("button", { name: "Restrict my account" }).waitFor();

    await centre();
    await page.getByRole("link", { name: "See and object" }).click();
    await page.getByRole("button", { name: "Object to this: To find out why something failed" }).click();
    await page.getByText("You object since").waitFor();
    await page.getByRole("button", { name: "Take the objection back" }).click();
    await page.getByText("You object since").waitFor({ state: "detached" });

    await centre();
    await page.getByRole("link", { name: "Complaint" }).click();
    // The same person asked on the other screen before.
    const words = `Something went wrong on a ${screen}.`;
    await page.getByLabel("Your words").fill(words);
    await page.getByRole("button", { name: "Send the request" }).click();
    await page.getByText(words).waitFor();
    await page.getByRole("button", { name: /Withdraw this request: Complaint/ }).click();
    await page.getByText("Withdrawn").first().waitFor();

    await centre();
    await page.getByRole("link", { name: "Find your authority" }).click();
    await page.getByLabel("Country").selectOption("Norway");
    await page.getByRole("button", { name: "Show its authority" }).click();
    await page.getByText("https://www.datatilsynet.no").waitFor();

    await centre();
    await page.getByRole("main").getByRole("link", { name: "What happened" }).last().click();
    await page.getByText("A restriction was lifted").first().waitFor();
    await centre();
    await page.getByRole("link", { name: "Delete my pictures, or my account" }).click();
    await page.getByText("To go on, type: delete my account").waitFor();
    await leave();
  });
}

test("without script and without an account somebody asks by the mailbox", PATIENCE, async () => {
  const { page, context, leave } = await visit(browser, program.url, { screen: "phone", script: false });
  await page.goto("/privacy");
  await page.getByRole("link", { name: "Ask without an account" }).click();
  await page.getByLabel("Your words").fill("What do you keep of me?");
  await page.getByLabel("Your e-mail address").fill("guest@example.org");
  await page.getByRole("button", { name: "Send me the link" }).click();
  await page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
  const letter = await letterTo("guest@example.org");
  await page.goto(letter.match(/http:\S+\/privacy\/request\/confirm\/\S+/)[0]);
  await page.getByText("What do you keep of me?").waitFor();
  await page.getByRole("button", { name: "Yes, make this request" }).click();
  await page.getByText("An answer is due until").waitFor();
  assert.deepEqual(await context.cookies(), [], "nothing is stored for it");
  await leave();
});

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`the pages of rights hold on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme, allowed: [400] });
      const look = async (path, name) => {
        if (path) await page.goto(path);
        await assertAccessible(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
        assert.equal(wide, false, `${name} is wider than the screen`);
        await screenshot(page, screen, theme, name);
      };
      await look("/privacy/request", "request-guest");
      await look("/privacy/authorities?country=at", "authorities");
      await look("/trust", "trust");
      await signIn(page);
      await look("/account/data", "centre");
      await look("/account/log", "log");
      await look("/account/delete", "delete");
      await page.goto("/account/requests");
      await page.getByLabel("Your words").fill("Who saw my pictures?");
      await page.getByRole("button", { name: "Send the request" }).click();
      await page.getByText("Who saw my pictures?").first().waitFor();
      await look(null, "requests");
      const status = await page.getByRole("link", { name: "Signed status" }).first().getAttribute("href");
      await look(status.replace(/\.json$/, ""), "request");
      await look("/account/objections", "objections");
      await look("/account/restriction", "restriction-open");
      await page.getByRole("button", { name: "Restrict my account" }).click();
      await page.getByText("Your account is restricted since").waitFor();
      await page.getByRole("button", { name: "Lift the restriction" }).click();
      await look(null, "restriction");
      await page.getByLabel("Yes, use what is mine again").check();
      await page.getByRole("button", { name: "Lift the restriction" }).click();
      await page.getByRole("button", { name: "Restrict my account" }).waitFor();
      await leave();
    });
  }
}

test("the receipt of an erasure holds on every screen, in the light and in the dark", PATIENCE, async () => {
  const address = "eve@example.org";
  const { page, leave } = await visit(browser, program.url, { script: false });
  await page.goto("/sign-up");
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Date of birth").fill("1990-05-17");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  await page.goto((await letterTo(address)).match(/http:\S+\/sign-up\/\S+/)[0]);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Open the account" }).click();
  await page.waitForURL(`${program.url}/`);
  await page.goto("/account/delete");
  await page.getByLabel("To go on, type: delete my account").fill("delete my account");
  await page.getByRole("button", { name: "Delete my account" }).click();
  await page.getByRole("heading", { name: "This account is deleted" }).waitFor({ timeout: 120_000 });
  const receipt = page.url();
  await leave();
  for (const screen of Object.keys(SCREENS)) {
    for (const theme of THEMES) {
      const { page, leave } = await visit(browser, program.url, { screen, theme });
      await page.goto(receipt);
      await assertAccessible(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      assert.equal(wide, false, "the receipt is wider than the screen");
      await screenshot(page, screen, theme, "receipt");
      await leave();
    }
  }
});

test("the notice is printed whole, without script", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url, { script: false });
  await page.goto("/privacy");
  await page.emulateMedia({ media: "print" });
  const parts = page.locator("main :is(h1, h2, h3, dt, dd, p)");
  const all = await parts.count();
  assert.ok(all > 200, `${all} parts`);
  assert.equal(await parts.filter({ visible: true }).count(), all);
  assert.equal(await page.getByRole("navigation").filter({ visible: true }).count(), 0, "what leads elsewhere stays out");
  assert.equal((await page.pdf()).subarray(0, 5).toString(), "%PDF-");
  await leave();
});
