// A journey through the dashboard behind the gateway of a real cluster: a node is added, paused and
// resumed from the page, and a node's own dashboard offers none of it.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { until } from "../e2e/until.ts";
import { needing } from "../gate/needs.ts";
import { shoot, withBrowser, withPage } from "./chromium.ts";
import { faults, put } from "./journey.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Ports of three nodes, of the gateway, and of their line protocols. */
const offsets = [0, 1, 2, 3, 4, 5, 60, 100, 101, 102, 160];

Deno.test({
  ...needing(["chromium"], "behind its gateway the dashboard changes the processes of a cluster"),
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "skyring-ui-cluster-" });
    const port = freeBase();
    const cluster = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "-A", "tests/e2e/real_cluster.ts"],
        ...["--base-port", String(port), "--nodes", "2", "--gateway-port", String(port + 60)],
        ...["--group", `ui-${port}`, "--no-mdns", "--capacity", "1GiB"],
      ],
      cwd: root,
      env: { SKYRING_TEST_DATA: folder, SKYRING_CWD: folder },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const base = `http://127.0.0.1:${port + 60}`;
      await until("the cluster", async () => (await fetch(`${base}/ready`)).status === 200, {
        withinMs: 60_000,
      });
      await withBrowser((browser) => journey(browser, { base, node: `http://127.0.0.1:${port}` }));
    } finally {
      cluster.kill("SIGTERM");
      await cluster.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
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
    const card = page.locator(".card", { has: page.getByText("node-3", { exact: true }) });
    await until("the paused card", async () => /Paused/.test(await card.innerText()), {
      withinMs: 40_000,
    });
    await shoot(page, "journey-cluster-paused");
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

function freeBase(): number {
  for (let base = 41_000 + Math.floor(Math.random() * 90) * 200;; base += 200) {
    try {
      for (const offset of offsets) {
        Deno.listen({ hostname: "127.0.0.1", port: base + offset }).close();
      }
      return base;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
