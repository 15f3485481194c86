// Journeys of orders to nodes: resized, healed, sent away to the end, stopped, expelled.

import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { until } from "../e2e/until.ts";
import { shoot, withPage } from "./chromium.ts";
import { faults, seen } from "./journey.ts";

export async function orders(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Resize… n1" }).click();
    await page.getByLabel(/Room for blocks/).fill("3GiB");
    await page.getByRole("button", { name: "Show what moves" }).click();
    await seen(page, "the plan", ".plan", /What moves/);
    assert.deepEqual(await faults(page), []);
    await shoot(page, "journey-resize");
    await page.getByRole("button", { name: "Resize", exact: true }).click();
    await seen(page, "the job", ".jobs", /n1/);
    await seen(page, "its end", ".jobs", /done/, 60_000);
    await shoot(page, "journey-jobs");
    const capacity = async () => {
      const { items } = await (await fetch(`${base}/api/nodes`)).json();
      return items.find(({ name }: { name: string }) => name === "n1")?.capacity;
    };
    await until("the new size", async () => await capacity() === 3 * 2 ** 30);
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Leave… n1" }).click();
    await seen(page, "the preview", ".plan", /At risk meanwhile/);
    assert.match(await page.locator(".order code").innerText(), /deno task cli leave n1/);
    assert.equal(await page.locator(".then .ring-mini").count(), 2);
    await shoot(page, "journey-leave");
    await page.getByRole("link", { name: /Keep n1/ }).click();
    assert.equal(await page.locator(".card").count(), 3);
    await page.getByText("Heal…").click();
    await page.getByRole("button", { name: "Heal now" }).click();
    await seen(page, "the report", "[data-heal-says]", /Done: 3 nodes checked.*none lost/, 60_000);
    assert.deepEqual(errors, []);
  });
}

/** n1 hands everything off and goes; the page of jobs follows it to the end. */
export async function leave(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Leave… n1" }).click();
    await seen(page, "the preview", ".plan", /2 nodes, 2 of 3 copies/);
    assert.deepEqual(await faults(page), []);
    await page.getByRole("button", { name: "Hand off and leave" }).click();
    await seen(page, "the job", ".jobs", /n1 leaves/);
    await seen(page, "its end", ".jobs", /n1 leaves[^]*done/, 90_000);
    await page.goto(`${base}/ui/nodes`);
    await seen(page, "the rest", "h1", /^2 nodes answer/, 40_000);
    assert.equal(await page.locator(".card").count(), 2);
    assert.deepEqual(errors, []);
  });
  // What it held is elsewhere, and whole; a count misses who answers late.
  let thin = "";
  await until("two copies of all", async () => {
    const { items } = await (await fetch(`${base}/api/files`)).json();
    thin = items.filter(({ replicas }: { replicas: { least: number } }) => replicas.least < 2)
      .map(({ name }: { name: string }) => name).join();
    return items.length > 5 && thin === "";
  }, { withinMs: 30_000, everyMs: 200, detail: () => thin });
}

/** n2 is stopped after a preview, then expelled without waiting for its grace. */
export async function stopAndExpel(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page }) => {
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Stop… n2" }).click();
    await seen(page, "the preview", ".plan", /To be made again/);
    await shoot(page, "journey-stop");
    await page.getByRole("button", { name: "Stop it" }).click();
    await page.goto(base);
    await seen(page, "the pool waits for n2", ".health .sign", /Waiting for n2/, 40_000);
    await shoot(page, "journey-node-away");
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Expel… n2" }).click({ timeout: 40_000 });
    await seen(page, "what it would cost", "main .notice", /Nothing is lost/, 40_000);
    assert.match(await page.locator(".order code").innerText(), /deno task cli forget n2/);
    await shoot(page, "journey-expel");
    await page.getByRole("button", { name: "Expel it" }).click();
    await seen(page, "the rest", "h1", /^1 node answers/, 40_000);
    assert.equal(await page.locator(".card").count(), 1);
  });
}
