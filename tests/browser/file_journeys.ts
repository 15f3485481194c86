// Journeys of files: dropped, taken names, previewed as text, renamed, shared, deleted, undeleted,
// searched.

import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { until } from "../e2e/until.ts";
import { shoot, withPage } from "./chromium.ts";
import { dropFiles } from "./in_page.ts";
import { faults, put, seen } from "./journey.ts";

const bigBytes = 100_000_000;
/** A name that would be markup, if anything let it. */
export const hostileName = `evil/<img src=x onerror="document.title='owned'">.txt`;

export async function upload(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/files`);
    const files = [{ name: "big <file>.bin", bytes: bigBytes }, { name: "small.txt", text: "s" }];
    await page.evaluate(`(${dropFiles})(${JSON.stringify(files)})`);
    const values = new Set<number>();
    let shot = false;
    await until("the file stored", async () => {
      const bar = page.locator('progress[aria-label="big <file>.bin"]');
      if (await bar.count() === 0) return undefined;
      const value = await bar.evaluate((element: { value: number }) => element.value);
      if (value > 0 && value < 100) values.add(value);
      if (!shot && value > 20) {
        shot = true;
        await shoot(page, "journey-upload");
      }
      const says = await page.locator(".up", { has: bar }).innerText();
      assert.ok(!says.includes("not stored"), says);
      return /stored, \d cop/.test(says) ? says : undefined;
    }, { withinMs: 120_000, everyMs: 20 });
    assert.ok(values.size >= 3, `the bar moved: ${[...values].join()}`);
    await seen(page, "the total", ".up >> nth=0", /all stored/);
    const link = page.locator(".up").getByRole("link", { name: "small.txt" });
    assert.equal(await link.getAttribute("href"), "/ui/file?name=small.txt");
    await seen(page, "the list", ".table", /big <file>\.bin/);
    const info = await (await fetch(`${base}/api/files/big%20%3Cfile%3E.bin?view=info`)).json();
    assert.equal(info.size, bigBytes);
    assert.equal(info.blocks, Math.ceil(bigBytes / 262_144));
    assert.deepEqual(errors, []);
  });
}

export async function taken(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page }) => {
    await page.goto(`${base}/ui/files`);
    const files = [{ name: "arrived later.txt", text: "other" }];
    await page.evaluate(`(${dropFiles})(${JSON.stringify(files)})`);
    await seen(page, "the question", ".up", /there is a file of this name/);
    const read = async () => await (await fetch(`${base}/api/files/arrived%20later.txt`)).text();
    assert.equal(await read(), "later");
    await page.getByRole("button", { name: "Replace it" }).click();
    await seen(page, "the answer", ".up", /stored, /);
    assert.equal(await read(), "other");
  });
}

export async function previews(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/file?name=notes%2Fhello.md`);
    const frame = page.frameLocator("iframe");
    assert.match(await frame.locator("body").innerText(), /<script>1<\/script>/);
    await page.goto(`${base}/ui/file?name=${encodeURIComponent(hostileName)}`);
    await page.goto(`${base}/ui/files`);
    await seen(page, "the name as text", ".table", /<img src=x onerror=/);
    assert.notEqual(await page.title(), "owned");
    assert.deepEqual(errors, []);
  });
}

export async function sheets(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await put(base, "to rename.txt", new TextEncoder().encode("mine"));
    await page.goto(`${base}/ui/file?name=to%20rename.txt`);
    await page.getByRole("link", { name: "Rename…" }).click();
    await page.getByLabel("New name").fill("moved/renamed.txt");
    assert.deepEqual(await faults(page), [], "a sheet");
    await shoot(page, "journey-rename");
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await seen(page, "the new name", "h1", /^renamed\.txt/);
    await page.getByRole("button", { name: "Make a link" }).click();
    await seen(page, "a green link", ".share .line", /Safe to share: 3 of 3 copies/);
    const url = await page.getByLabel("Share link").inputValue();
    assert.equal(await (await fetch(url)).text(), "mine");
    await shoot(page, "journey-share");
    await page.getByRole("link", { name: "Delete…" }).click();
    await page.getByRole("link", { name: "Keep as it is" }).last().click();
    assert.equal(await page.locator("dialog[open]").count(), 0);
    await page.getByRole("link", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await seen(page, "the offer", "main .notice", /moved\/renamed\.txt was deleted/);
    assert.equal((await fetch(`${base}/api/files/moved/renamed.txt`)).status, 404);
    await shoot(page, "journey-deleted");
    await page.getByRole("link", { name: "All deleted lately" }).click();
    await seen(page, "the deleted", "h1", /2 deleted files can be brought back/);
    assert.deepEqual(await faults(page), [], "what was deleted");
    await page.getByRole("button", { name: "Undelete moved/renamed.txt" }).click();
    await seen(page, "the file again", "h1", /^renamed\.txt (is safe|can be read)/);
    assert.equal(await (await fetch(`${base}/api/files/moved/renamed.txt`)).text(), "mine");
    assert.deepEqual(errors, []);
  });
}

/** Words anywhere in names find files, whatever their capitals. */
export async function search(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/files`);
    await page.getByLabel("Words in the name").fill("HELLO note");
    await page.getByRole("button", { name: "Search" }).click();
    await seen(page, "what was found", "h1", /^1 name holds “HELLO note”/);
    await seen(page, "the name", ".table", /hello\.md/);
    await page.goto(`${base}/ui/files`);
    await page.getByRole("link", { name: "notes/", exact: true }).click();
    await seen(page, "the folder", "h1", /1 file below notes/);
    assert.deepEqual(errors, []);
  });
}
