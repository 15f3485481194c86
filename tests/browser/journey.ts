// What journeys share beside the browser: files put into the pool, waiting for words on a page,
// and what axe finds wrong with it.

import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { until } from "../e2e/until.ts";
import { axeFaults } from "./in_page.ts";

/** Stores a file at a node. */
export async function put(
  base: string,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const answer = await fetch(`${base}/api/files/${path}`, { method: "PUT", body: bytes });
  assert.equal(answer.status, 201, await answer.text());
}

/** Waits until the text at `selector` matches. The policy forbids waiting by script in the page. */
export async function seen(
  page: Page,
  what: string,
  selector: string,
  pattern: RegExp,
  withinMs = 20_000,
): Promise<string> {
  let last = "";
  return await until(what, async () => {
    const place = page.locator(selector).first();
    last = await place.count() > 0 ? await place.innerText() : "nothing";
    return pattern.test(last) ? last : undefined;
  }, { withinMs, everyMs: 100, detail: () => last });
}

/** What axe finds wrong, in a line each. */
export async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(axeFaults) as { passes: number; faults: string[] };
  assert.ok(found.passes > 15, "axe looked at the page");
  return found.faults;
}
