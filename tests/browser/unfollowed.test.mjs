// A visitor who looks around, and one whose browser says no to every banner that it finds.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { startProgram } from "./program.mjs";
import { openBrowser, signIn, visit, welcome } from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const OPERATOR = "op@example.org";
const PUBLIC = [
  "/", "/about", "/docs", "/examples", "/privacy", "/privacy/words", "/privacy/versions", "/privacy/assessment",
  "/privacy/authorities", "/privacy/request", "/trust", "/support", "/sign-in", "/sign-up", "/reset", "/pictures",
  "/account", "/credits", "/privacy.txt", "/privacy.json", "/nowhere", "/",
];

// Rules by which a browser finds the banners of some hundred makers, and anything that looks like one.
const consent = createRequire(import.meta.url).resolve("@duckduckgo/autoconsent");
const script = readFileSync(new URL("autoconsent.playwright.js", `file://${consent}`), "utf8");
const rules = JSON.parse(readFileSync(new URL("../rules/rules.json", `file://${consent}`), "utf8"));

let program;
let browser;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
  const { page, leave } = await visit(browser, program.url, { script: false });
  await welcome(page, program, OPERATOR);
  await leave();
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

/** Everything that a page may have left in the browser. */
async function left(page, context) {
  const stored = await page.evaluate(async () => [
    ...Object.keys(localStorage), ...Object.keys(sessionStorage), ...(await caches.keys()),
    ...(await indexedDB.databases()).map(({ name }) => name),
    ...(await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope),
  ]);
  return [...(await context.cookies()).map(({ name }) => name), ...stored].sort();
}

test("promise_cns_01_over_twenty_pages_nothing_is_kept_of_a_visitor_and_of_a_member_what_is_declared", PATIENCE, async () => {
  const { page, context, leave } = await visit(browser, program.url, { allowed: [401, 404] });
  for (const path of PUBLIC) {
    await page.goto(path);
    assert.deepEqual(await left(page, context), [], path);
  }
  assert.ok(new Set(PUBLIC).size > 20);
  await signIn(page, program, OPERATOR);
  const declared = ["pinhole", "pinhole-device"];
  for (const path of ["/", "/pictures", "/account", "/account/choices", "/credits", "/desk", "/examples", "/trust"]) {
    await page.goto(path);
    assert.deepEqual(await left(page, context), declared, path);
  }
  // `leave` fails where anything was asked of anybody else.
  await leave();
});

/** What is said of one page: "cmpDetected", "popupFound" and the like. */
async function judged(page, path) {
  const said = [];
  let end;
  const done = new Promise((resolve) => (end = resolve));
  await page.exposeBinding("autoconsentSendMessage", async ({ frame }, message) => {
    said.push(message.type);
    if (message.type === "init") {
      const config = { enabled: true, autoAction: "optOut", disabledCmps: [], enablePrehide: false, detectRetries: 0, enableCosmeticRules: true, enableHeuristicDetection: true };
      await frame.evaluate((given) => window.autoconsentReceiveMessage(given), { type: "initResp", config, rules: { autoconsent: rules.autoconsent ?? rules } });
    }
    if (message.type === "eval") {
      const result = await frame.evaluate(message.code).catch(() => false);
      await frame.evaluate((given) => window.autoconsentReceiveMessage(given), { id: message.id, type: "evalResp", result });
    }
    if (message.type === "report" && message.state?.lifecycle === "nothingDetected") end();
    if (["cmpDetected", "popupFound", "autoconsentError"].includes(message.type)) end();
  });
  await page.goto(path);
  await page.evaluate(script);
  await done;
  return said.filter((type) => !["init", "eval", "report"].includes(type));
}

for (const path of ["/", "/privacy", "/sign-up", "/examples"]) {
  test(`promise_cns_01_a_browser_that_looks_for_banners_finds_none, at ${path}`, PATIENCE, async () => {
    const { page, leave } = await visit(browser, program.url);
    assert.deepEqual(await judged(page, path), []);
    await leave();
  });
}

test("promise_cns_01_a_browser_that_looks_for_banners_would_find_one", PATIENCE, async () => {
  const { page, context } = await visit(browser, program.url);
  // A page of a maker whose banner is known, served in place of ours.
  await page.route("**/trust", (route) => route.fulfill({
    contentType: "text/html",
    body: "<!doctype html><title>x</title><div id=onetrust-banner-sdk style='height:90px'>We use cookies.<button id=onetrust-reject-all-handler>Reject all</button></div>",
  }));
  const said = await judged(page, "/trust");
  assert.ok(said.includes("cmpDetected"), said.join(" "));
  await context.close();
});
