// What tests find on the studio's pages, by the names that people read there.

import assert from "node:assert/strict";

export const DRAWN_MS = 120_000;

export const prompt = (page) => page.getByRole("textbox", { name: "What would you like to see?" });
export const draw = (page) => page.getByRole("button", { name: /^Draw \d( · \d+ credits?)?$/ });
export const pictures = (page) => page.locator("main a.tile[data-picture] img");

/** Waits until `count` pictures are on the page, and not one more, each loaded to its last pixel. */
export async function drawn(page, count) {
  await pictures(page).nth(count - 1).waitFor({ timeout: DRAWN_MS });
  for (const image of await pictures(page).all()) {
    await image.scrollIntoViewIfNeeded();
    await image.evaluate((image) => image.decode());
    assert.ok(await image.evaluate((image) => image.naturalWidth > 0));
  }
  assert.equal(await pictures(page).count(), count);
}

/** Ends and forgets all work of the tests before. */
export async function empty(program) {
  for (const { id, status } of await jobs(program)) {
    if (["queued", "running"].includes(status)) await fetch(`${program.url}/v1/jobs/${id}/cancel`, { method: "POST" });
  }
  for (const { id } of await jobs(program)) await fetch(`${program.url}/v1/jobs/${id}`, { method: "DELETE" });
}

/** Jobs, the newest first. */
export async function jobs(program) {
  return (await (await fetch(`${program.url}/v1/jobs?limit=100`)).json()).data;
}
