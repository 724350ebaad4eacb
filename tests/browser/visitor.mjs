// A person with a browser: a fresh profile, a screen, and eyes for everything that goes wrong.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const SCREENS = {
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  desktop: { viewport: { width: 1440, height: 900 } },
};
/** And one between them. */
export const WIDTHS = {
  ...SCREENS,
  tablet: { viewport: { width: 820, height: 1180 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};
export const THEMES = ["light", "dark"];

const script = (name) => readFileSync(createRequire(import.meta.url).resolve(name), "utf8");
const axe = script("axe-core/axe.min.js");
const sniffer = script("@pa11y/html_codesniffer/build/HTMLCS.js");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const LAUNCH = {
  executablePath: process.env.PINHOLE_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

export function openBrowser() {
  return chromium.launch(LAUNCH);
}

/**
 * A visitor at `url`. `allowed` lists statuses of refusals that the test provokes, since the
 * browser writes each of them to its console.
 */
export async function visit(browser, url, { screen = "desktop", theme = "light", script = true, allowed = [] } = {}) {
  const context = await browser.newContext({
    ...WIDTHS[screen],
    colorScheme: theme,
    javaScriptEnabled: script,
    baseURL: url,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => {
    const refusal = allowed.some((status) => message.text().includes(`status of ${status}`));
    if (["error", "warning"].includes(message.type()) && !refusal) wrong.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`script: ${error}`));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== url && !["data:", "blob:"].includes(protocol)) wrong.push(`third party: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    const given = request.failure()?.errorText;
    // Leaving a page ends its open requests, such as the stream of progress.
    if (given !== "net::ERR_ABORTED") wrong.push(`failed: ${request.url()} (${given})`);
  });
  const leave = async () => {
    await context.close();
    assert.deepEqual(wrong, [], "what went wrong on the way");
  };
  return { page, context, leave };
}

/** Fails with each rule of accessibility that the page breaks, and where. */
export async function assertAccessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((tags) => window.axe.run({ runOnly: tags }), WCAG);
  const shown = violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((node) => node.html) }));
  assert.deepEqual(shown, []);
}

/** A second judge of accessibility, the one that pa11y asks: fails with each error of WCAG 2 AA that it finds. */
export async function assertAccessibleToAnother(page) {
  await page.evaluate(sniffer);
  const found = await page.evaluate(() => new Promise((done) => {
    window.HTMLCS.process("WCAG2AA", window.document, () => {
      const errors = window.HTMLCS.getMessages().filter(({ type }) => type === window.HTMLCS.ERROR);
      done(errors.map(({ code, msg, element }) => ({ code, msg, at: element?.outerHTML?.slice(0, 200) })));
    });
  }));
  assert.deepEqual(found, []);
}

/** Keeps what a person sees, for people to look at. */
export async function screenshot(page, screen, theme, name) {
  const folder = process.env.PINHOLE_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${screen}-${theme}-${name}.png`), fullPage: true });
}

/** Says what staff look for: everything that their role reads, for a working day. */
export async function onDuty(page) {
  await page.goto("/desk/duties");
  for (const label of await page.locator("form.duty label.check").all()) {
    if (!(await label.textContent()).includes("somebody else has to agree")) {
      await label.getByRole("checkbox").check();
    }
  }
  await page.locator("form.duty textarea").fill("Somebody asks by mail where a letter is.");
  await page.getByLabel("For how long").selectOption("480");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await page.getByText("on duty", { exact: true }).first().waitFor();
}

const PASSWORD = "three green apples";

/** Makes the first account of a house, that of whoever runs it, by the link that the program printed. */
export async function welcome(page, program, address) {
  await page.goto(program.printed().match(/make the first account: (\S+)/)[1]);
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the first account" }).click();
  await page.waitForURL(`${program.url}/`);
}

export async function signIn(page, program, address) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${program.url}/`);
}

/** By how much a page is wider than the screen: one that is would be made smaller on a phone. */
export async function tooWide(page) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  return width - page.viewportSize().width;
}
