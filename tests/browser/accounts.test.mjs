// People with accounts: they come in, draw, find, delete and leave, also without script.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram, waitFor } from "./program.mjs";
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

async function signIn(page, address = OPERATOR) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${program.url}/`);
}

/** What the operator reads on the page of letters, where no mail is set up. */
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

test("without script: sign up, draw, find, delete, sign out", PATIENCE, async () => {
  const address = "anna@example.org";
  const { page, context, leave } = await visit(browser, program.url, { script: false, screen: "phone" });
  await page.goto("/");
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Date of birth").fill("1990-05-17");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  const door = (await context.cookies()).map(({ name, expires }) => [name, expires]);
  assert.deepEqual(door, [["pinhole-door", -1]], "until the browser is closed, and nothing else");

  await page.goto((await letterTo(address)).match(/http:\S+\/sign-up\/\S+/)[0]);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Open the account" }).click();
  await page.waitForURL(`${program.url}/`);
  const names = (await context.cookies()).map((cookie) => cookie.name).sort();
  assert.deepEqual(names, ["pinhole", "pinhole-device"]);

  await page.locator("[name=prompt]").fill("a red apple");
  await page.locator("button.draw").click();
  await waitFor("the pictures", 120_000, async () => {
    await page.goto("/pictures");
    return page.getByRole("img", { name: "a red apple" }).count();
  });
  await page.getByRole("link", { name: "a red apple" }).first().click();
  await page.getByText("Delete", { exact: true }).first().click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.goto("/account");
  const photo = { name: "me.png", mimeType: "image/png", buffer: await page.screenshot() };
  await page.locator("input[type=file]").setInputFiles(photo);
  await page.getByRole("button", { name: "Use this picture" }).click();
  const portrait = page.getByRole("img", { name: "Portrait" });
  await portrait.waitFor();
  await page.getByRole("button", { name: "Remove the portrait" }).click();
  await portrait.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${program.url}/sign-in`);
  await page.goto("/pictures");
  await page.waitForURL(/\/sign-in\?next=/);
  await leave();
});

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`the pages of people hold on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme, allowed: [400] });
      const look = async (path, name) => {
        if (path) await page.goto(path);
        await assertAccessible(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
        assert.equal(wide, false, `${path} is wider than the screen`);
        await screenshot(page, screen, theme, name);
      };
      await look("/", "landing");
      await look("/sign-in", "sign-in");
      await look("/sign-up", "sign-up");
      await page.getByLabel("E-mail address").fill("bo@example.org");
      await page.getByLabel("Password").fill("password1");
      await page.getByLabel("Date of birth").fill("1990-05-17");
      await page.getByRole("button", { name: "Make the account" }).click();
      await look(null, "sign-up-wrong");
      await look("/reset", "reset");
      await signIn(page);
      await look("/account", "account");
      await look("/account/password", "security");
      await look("/account/codes", "codes");
      await look("/account/sessions", "sessions");
      await look("/account/data", "data");
      await look("/privacy", "privacy");
      await look("/account/keys", "keys");
      await page.getByLabel("Name").fill("my program");
      await page.getByRole("button", { name: "Make a key" }).click();
      await look(null, "key-made");
      await look("/desk", "desk");
      await onDuty(page);
      await look("/desk/duties", "desk-duties");
      await look("/desk/requests", "desk-requests");
      await look("/desk/holds", "desk-holds");
      await look("/desk/disclosures", "desk-disclosures");
      await page.getByText("Enter a request").click();
      await look(null, "desk-disclosures-form");
      await look("/desk/breaches", "desk-breaches");
      await page.getByText("Enter a breach").click();
      await look(null, "desk-breaches-form");
      await look("/trust", "trust");
      await look("/desk/recipients", "desk-recipients");
      await look("/desk/promises", "desk-promises");
      await look("/letters", "letters");
      await look("/credits/grants", "grants");
      await leave();
    });
  }
}

/** A phone that keeps passkeys and recognises its holder, as Chromium plays it. */
async function giveAuthenticator(context, page) {
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const set = (name, enabled) => devtools.send(`WebAuthn.${name}`, { authenticatorId, enabled });
  return {
    isThere: (enabled) => set("setAutomaticPresenceSimulation", enabled),
    keys: async () => (await devtools.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
  };
}

test("a passkey is added, signs in, proves who somebody is, and is removed", PATIENCE, async () => {
  // Browsers have passkeys for a name, not for a number.
  const url = program.url.replace("127.0.0.1", "localhost");
  const { page, context, leave } = await visit(browser, url, { allowed: [401] });
  const phone = await giveAuthenticator(context, page);
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(OPERATOR);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${url}/`);
  await page.goto("/account/password");
  await page.getByRole("link", { name: "Add a passkey" }).click();
  await page.getByLabel("Name").fill("my phone");
  await page.getByRole("button", { name: "Make the passkey" }).click();
  await page.getByText("my phone").waitFor();
  const [made] = await phone.keys();
  assert.equal(made.rpId, "localhost");
  assert.equal(made.isResidentCredential, true);

  // An authenticator that has one makes no second.
  await page.getByRole("link", { name: "Add a passkey" }).click();
  await page.getByRole("button", { name: "Make the passkey" }).click();
  await page.getByText("has a passkey for this account already").waitFor();

  await page.goto("/account");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in/);
  const button = page.getByRole("button", { name: "Sign in with a passkey" });
  await button.waitFor();
  const held = async () => (await context.cookies()).map((cookie) => cookie.name);
  assert.deepEqual(await held(), ["pinhole-device"], "looking stores nothing");
  await button.click();
  await page.waitForURL(`${url}/`);
  assert.deepEqual((await held()).sort(), ["pinhole", "pinhole-device"]);
  const [used] = await phone.keys();
  assert.ok(used.signCount > made.signCount);
  await page.goto("/account/sessions");
  await page.getByText("signed in with the passkey “my phone”").waitFor();

  await page.goto("/account/confirm?next=/account/password");
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await page.waitForURL(`${url}/account/password`);
  await page.getByRole("button", { name: "Remove: my phone" }).click();
  await page.getByText("my phone").waitFor({ state: "detached" });
  await page.goto("/account");
  await page.getByRole("button", { name: "Sign out" }).click();
  await button.click();
  await page.getByText("That passkey was not accepted").waitFor();
  await leave();
});

test("a passkey is offered in the address field once somebody reaches for it", PATIENCE, async () => {
  const url = program.url.replace("127.0.0.1", "localhost");
  const { page, context, leave } = await visit(browser, url);
  const phone = await giveAuthenticator(context, page);
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(OPERATOR);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${url}/`);
  await page.goto("/account/passkeys");
  await page.getByRole("button", { name: "Make the passkey" }).click();
  await page.waitForURL(`${url}/account/password`);
  await page.goto("/account");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in/);
  await phone.isThere(true);
  await page.getByLabel("E-mail address").focus();
  await page.waitForURL(`${url}/`);
  await page.goto("/account/password");
  await page.getByRole("button", { name: "Remove: Chrome on Linux" }).click();
  await page.waitForURL(`${url}/account/password`);
  await leave();
});

test("where browsers have no passkeys the page says so", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url);
  await page.goto("/sign-in");
  await page.getByText("Passkeys work at http://localhost:").waitFor();
  assert.equal(await page.getByRole("button", { name: "Sign in with a passkey" }).count(), 0);
  await leave();
});
