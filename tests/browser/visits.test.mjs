// How much the house is used: told to operators with plots that need no script, at three widths.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { startProgram } from "./program.mjs";
import { THEMES, WIDTHS, assertAccessible, openBrowser, screenshot, signIn, tooWide, visit, welcome } from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const OPERATOR = "op@example.org";
const PROXY = { PINHOLE_BEHIND_PROXY: "true", PINHOLE_COUNTRY_HEADER: "cf-ipcountry" };
const AGENTS = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
];

let program;
let browser;

/** What moves the clock of the program ahead by so many days. */
function later(days) {
  const asked = execFileSync("faketime", ["-m", "-f", "+0s", "env"], { encoding: "utf8" });
  const [, library] = asked.match(/^LD_PRELOAD=(\S+)$/m);
  const dont = { FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1" };
  return { ...dont, LD_PRELOAD: library, FAKETIME: `+${days * 86_400}s` };
}

async function crowd(many, agent, country, referer, pages) {
  for (let number = 0; number < many; number += 1) {
    const headers = {
      "user-agent": agent,
      "x-forwarded-for": `198.51.100.${number}`,
      "cf-ipcountry": country,
      referer,
    };
    for (const page of pages) assert.equal((await fetch(program.url + page, { headers })).status, 200);
  }
}

before(async () => {
  program = await startProgram(PROXY);
  browser = await openBrowser();
  const { page, leave } = await visit(browser, program.url, { script: false });
  await welcome(page, program, OPERATOR);
  await leave();
  for (const [day, many] of [14, 31, 22].entries()) {
    if (day > 0) program = await program.again({ ...PROXY, ...later(day) });
    await crowd(many, AGENTS[0], "NO", "https://news.example.org/story", ["/about", "/sign-up"]);
    await crowd(many - 3, AGENTS[1], "DE", "", ["/about", "/privacy"]);
  }
  program = await program.again({ ...PROXY, ...later(3) });
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

for (const screen of Object.keys(WIDTHS)) {
  for (const theme of THEMES) {
    test(`an operator reads who came on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme, allowed: [400] });
      await signIn(page, program, OPERATOR);
      await page.goto("/account");
      await page.getByRole("link", { name: "Desk of this house" }).click();
      await page.getByRole("link", { name: "Visits" }).click();
      await page.getByRole("heading", { name: "Visits", level: 2 }).waitFor();
      assert.equal(await page.locator("script").count(), 0);
      const plot = page.getByRole("img", { name: /^Visitors, day by day/ });
      assert.equal(await plot.locator("rect").count(), 3);
      const row = (name) => page.getByRole("row", { name });
      assert.match(await row(/^NO/).textContent(), /67/);
      assert.match(await row(/^news\.example\.org/).textContent(), /67/);
      assert.match(await row(/^phone/).textContent(), /58/);
      await page.getByText("The same as a table").click();
      assert.equal(await page.getByRole("table", { name: "Day by day" }).getByRole("row").count(), 31);
      assert.ok((await tooWide(page)) <= 0, `${await tooWide(page)} px too wide`);
      await assertAccessible(page);
      await page.getByText("The same as a table").click();
      await screenshot(page, screen, theme, "visits");
      const from = await page.getByLabel("From").inputValue();
      await page.getByLabel("Until").fill("2020-01-01");
      await page.getByRole("button", { name: "Show" }).click();
      await page.getByRole("alert").waitFor();
      assert.equal(await page.getByLabel("From").inputValue(), from);
      await leave();
    });
  }
}

const PAGES = [
  "/", "/about", "/privacy", "/trust", "/docs", "/account", "/account/data", "/account/sessions", "/account/choices",
  "/account/objections", "/pictures", "/credits", "/desk/visits",
];

/** Every file below a folder. */
function files(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile());
}

test("promise_gen_06_pages_fit_at_three_widths_and_the_family_is_all_that_is_kept", PATIENCE, async () => {
  const agents = new Set();
  for (const screen of Object.keys(WIDTHS)) {
    const { page, leave } = await visit(browser, program.url, { screen });
    await signIn(page, program, OPERATOR);
    agents.add(await page.evaluate(() => navigator.userAgent));
    for (const path of PAGES) {
      await page.goto(path);
      const wide = await tooWide(page);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide on a ${screen}`);
    }
    await page.goto("/account/sessions");
    assert.match(await page.locator("main").textContent(), /Chrome on Linux/);
    await leave();
  }
  assert.ok(agents.size > 0);
  const kept = files(program.folder).map((file) => [file, readFileSync(file)]);
  assert.ok(kept.some(([, content]) => content.includes("Chrome on Linux")));
  for (const agent of [...agents, "AppleWebKit", "390x844", "820x1180", "1440x900"]) {
    const found = kept.filter(([, content]) => content.includes(agent)).map(([file]) => file);
    assert.deepEqual(found, [], agent);
  }
});
