// Every page on a phone and on a desktop, in the light and in the dark: nothing that a rule of
// accessibility forbids, nothing that runs over the edge, and a screenshot for people to look at.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram } from "./program.mjs";
import { SCREENS, THEMES, assertAccessible, openBrowser, screenshot, visit } from "./visitor.mjs";
import { draw, prompt } from "./studio.mjs";

const PATIENCE = { timeout: 240_000 };
const PAGE_MAX_BYTES = 100_000;
const TARGET_MIN_PX = 44;

let program;
let browser;

before(async () => {
  program = await startProgram();
  browser = await openBrowser();
}, PATIENCE);

after(async () => {
  await browser?.close();
  await program?.stop();
}, PATIENCE);

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`the empty studio, ${screen}, ${theme}`, PATIENCE, async () => {
      await look(screen, theme, { "studio-empty": "/", "pictures-empty": "/pictures" });
    });
  }
}

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`all pages with work on them, ${screen}, ${theme}`, PATIENCE, async () => {
      const picture = await firstPicture();
      const pages = {
        studio: "/",
        pictures: "/pictures",
        search: "/pictures?words=apple&kind=drawing&from=2020-01-01",
        "search-none": "/pictures?words=zebra",
        picture: `/pictures/${picture}`,
        about: "/about",
      };
      await look(screen, theme, pages);
    });
  }
}

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`a mistake, an address without a page, and a picture opened large, ${screen}, ${theme}`, PATIENCE, async () => {
      await firstPicture();
      const { page, leave } = await visit(browser, program.url, { screen, theme, allowed: [404, 400, 422] });
      await page.goto("/nowhere");
      await seen(page, screen, theme, "nowhere");
      await page.goto("/");
      await prompt(page).fill("x".repeat(33_000));
      await draw(page).click();
      await page.getByRole("alert").filter({ hasText: "Shorten it" }).waitFor();
      await prompt(page).evaluate((field) => (field.value = "too long to show"));
      await seen(page, screen, theme, "mistake");
      await page.goto("/pictures");
      await page.getByRole("checkbox").first().check();
      await seen(page, screen, theme, "chosen");
      await page.getByRole("button", { name: "Delete", exact: true }).click();
      await seen(page, screen, theme, "delete-several");
      await page.getByRole("link", { name: "Keep them" }).click();
      await page.locator("a.tile").first().click();
      await page.getByRole("dialog").locator("img").first().waitFor();
      await seen(page, screen, theme, "large");
      await leave();
    });
  }
}

test("a page without its pictures is light", PATIENCE, async () => {
  await firstPicture();
  for (const path of ["/", "/pictures", "/about"]) {
    const { page, leave } = await visit(browser, program.url);
    const sizes = [];
    page.on("requestfinished", (request) => {
      if (request.resourceType() !== "image") sizes.push(request.sizes());
    });
    await page.goto(path, { waitUntil: "load" });
    const bytes = (await Promise.all(sizes)).reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
    await leave();
    assert.ok(bytes > 1000 && bytes < PAGE_MAX_BYTES, `${path}: ${bytes} bytes`);
  }
});

test("text at twice the size stays on the page", PATIENCE, async () => {
  const { page, leave } = await visit(browser, program.url, { screen: "phone" });
  for (const path of ["/", "/pictures", "/about"]) {
    await page.goto(path);
    await page.evaluate(() => document.documentElement.style.setProperty("font-size", "200%", "important"));
    await assertFits(page, path);
  }
  await leave();
});

async function look(screen, theme, pages) {
  const { page, leave } = await visit(browser, program.url, { screen, theme });
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(path);
    for (const image of await page.locator("main img").all()) {
      await image.scrollIntoViewIfNeeded();
      await image.evaluate((image) => image.decode());
    }
    await page.evaluate(() => scrollTo(0, 0));
    await seen(page, screen, theme, name);
  }
  await leave();
}

async function seen(page, screen, theme, name) {
  await screenshot(page, screen, theme, name);
  await assertAccessible(page);
  await assertFits(page, name);
  if (screen === "phone") await assertTargets(page, name);
}

/** Nothing makes the page scroll sideways. */
async function assertFits(page, name) {
  const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= width, `${name}: ${content} px of content on ${width} px`);
}

/** A thumb can hit what is there to be pressed; links inside a sentence are as high as it is. */
async function assertTargets(page, name) {
  const small = await page.evaluate((least) => {
    const pressed = document.querySelectorAll("button, summary, select, a.button, a.word, nav a, label:has(input[type=radio])");
    return [...pressed]
      .filter((element) => element.checkVisibility())
      .map((element) => [element.textContent.trim() || element.ariaLabel, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width > 1 && (height < least - 0.5 || width < least - 0.5))
      .map(([words, { width, height }]) => `${words}: ${Math.round(width)} x ${Math.round(height)}`);
  }, TARGET_MIN_PX);
  assert.deepEqual(small, [], `${name}: smaller than ${TARGET_MIN_PX} px`);
}

let drawnOnce;

/** Draws one picture the first time it is asked for, and tells its id. */
async function firstPicture() {
  drawnOnce ??= (async () => {
    const answer = await fetch(`${program.url}/v1/images/generations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "a red apple", n: 4 }),
    });
    assert.equal(answer.status, 200);
    return (await answer.json()).data[0].picture_id;
  })();
  return drawnOnce;
}
