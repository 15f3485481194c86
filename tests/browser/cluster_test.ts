// A journey through the dashboard behind the gateway of a real cluster: a node is added, paused and
// resumed from the page, and a node's own dashboard offers none of it.

import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { withRealCluster } from "../e2e/cluster_child.ts";
import { until } from "../e2e/until.ts";
import { needing } from "../gate/needs.ts";
import { shoot, withBrowser, withPage } from "./chromium.ts";
import { faults, put, seen } from "./journey.ts";

Deno.test({
  ...needing(["chromium"], "behind its gateway the dashboard changes the processes of a cluster"),
  fn: () =>
    withRealCluster({ nodes: 2, more: 1, from: 41_000 }, async (cluster) => {
      const base = cluster.gateway;
      await until("the cluster", async () => (await fetch(`${base}/ready`)).status === 200, {
        withinMs: 60_000,
      });
      await withBrowser((browser) => journey(browser, { base, node: cluster.node(0) }));
    }),
});

async function journey(
  browser: Browser,
  { base, node }: { readonly base: string; readonly node: string },
): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    let told = "";
    const names = page.locator(".card h2");
    await page.goto(`${base}/ui/nodes`);
    await until("two cards", async () => await names.count() === 2, { withinMs: 60_000 });
    await page.getByRole("link", { name: "Add a node…" }).click();
    assert.match(await page.locator(".order code").innerText(), /deno task cli cluster add/);
    assert.equal(await page.locator(".then .ring-mini").count(), 2);
    assert.deepEqual(await faults(page), [], "adding");
    await shoot(page, "journey-cluster-add");
    await page.getByRole("button", { name: "Add it" }).click();
    await until("three cards", async () => await names.count() === 3, { withinMs: 60_000 });

    await page.getByRole("link", { name: "Pause… node-3" }).click();
    // Right after its start nobody may know yet what it would take: the page says that instead.
    await until("what it would take", async () => {
      const plan = await page.locator(".plan").allInnerTexts();
      if (/To be made again, if it stays away/.test(plan.join())) return true;
      assert.match(await page.locator("main").innerText(), /What it would take is not known: /);
      told = await page.locator("main").innerText();
      await page.getByRole("link", { name: "Ask again" }).click();
      return false;
    }, { withinMs: 60_000, everyMs: 500, detail: () => told });
    assert.match(await page.locator(".order code").innerText(), /cluster pause node-3/);
    assert.deepEqual(await faults(page), [], "pausing");
    await page.getByRole("button", { name: "Pause it" }).click();
    assert.match(await page.locator("main .notice").innerText(), /node-3 was paused\./);
    const card = page.locator(".card", { has: page.getByText("node-3", { exact: true }) });
    await until("the paused card", async () => /Paused/.test(await card.innerText()), {
      withinMs: 40_000,
    });
    await shoot(page, "journey-cluster-paused");
    await page.goto(base);
    await seen(page, "the pause", ".health .sign", /Paused: node-3/);
    assert.match(await page.locator(".ring").textContent() ?? "", /paused/);
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Resume… node-3" }).click();
    await page.getByRole("button", { name: "Resume it" }).click();
    await until("the card again", async () => !/Paused|Dead/.test(await card.innerText()), {
      withinMs: 40_000,
    });

    // A link made here leads here, not to the node that made it.
    await put(base, "shared.txt", new TextEncoder().encode("for others"));
    await page.goto(`${base}/ui/file?name=shared.txt`);
    await page.getByRole("button", { name: "Make a link" }).click();
    const url = await page.getByLabel("Share link").inputValue();
    assert.ok(url.startsWith(`${base}/s/`), url);
    assert.equal(await (await fetch(url)).text(), "for others");

    await page.goto(`${node}/ui/nodes`);
    assert.equal(await page.getByRole("link", { name: /^(Pause|Remove|Add)…?/ }).count(), 0);
    assert.deepEqual(errors, []);
  });
}
