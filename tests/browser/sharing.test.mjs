// A picture that its person shows to everybody, and takes back.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";

import { startProgram } from "./program.mjs";
import { SCREENS, THEMES, assertAccessible, openBrowser, screenshot, signIn, tooWide, visit, welcome } from "./visitor.mjs";

const PATIENCE = { timeout: 240_000 };
const OPERATOR = "op@example.org";

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

for (const screen of Object.keys(SCREENS)) {
  for (const theme of THEMES) {
    test(`a picture is shown to everybody and taken back, on a ${screen} in ${theme}`, PATIENCE, async () => {
      const { page, leave } = await visit(browser, program.url, { screen, theme });
      await signIn(page, program, OPERATOR);
      const drawn = await page.request.post("/v1/images/generations", {
        data: { prompt: "a cat", quality: "low" }, headers: { origin: program.url },
      });
      const id = (await drawn.json()).data[0].picture_id;
      const stranger = await visit(browser, program.url, { screen, theme });
      await stranger.page.goto("/");
      await stranger.page.getByRole("link", { name: "Examples" }).click();
      await stranger.page.getByText("Nobody shows a picture here").waitFor();

      await page.goto(`/pictures/${id}`);
      await page.getByText("Show it, or let models learn from it").click();
      const group = () => page.getByRole("group", { name: "Show this picture to everybody" });
      await screenshot(page, screen, theme, "sharing-asked");
      await assertAccessible(page);
      assert.ok((await tooWide(page)) <= 0);
      await group().getByRole("button", { name: "Yes" }).click();
      await page.waitForURL(/\?consent/);
      assert.equal(await group().getByRole("button", { name: "Yes" }).getAttribute("aria-pressed"), "true");

      await stranger.page.reload();
      const picture = stranger.page.getByRole("img", { name: "Picture 1 that somebody drew here" });
      await picture.waitFor();
      assert.ok(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth)) >= 256);
      await screenshot(stranger.page, screen, theme, "sharing-examples");
      await assertAccessible(stranger.page);
      assert.ok((await tooWide(stranger.page)) <= 0);

      await page.goto("/account/choices");
      await page.getByText("1 picture of yours").waitFor();
      await screenshot(page, screen, theme, "sharing-choices");
      await assertAccessible(page);
      await page.getByRole("button", { name: /Take back for all/ }).click();
      await page.getByText("You have not said yes for any picture.").waitFor();
      await stranger.page.reload();
      await stranger.page.getByText("Nobody shows a picture here").waitFor();
      await stranger.leave();
      await leave();
    });
  }
}
