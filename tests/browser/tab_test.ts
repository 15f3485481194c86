// A tab that seeds, in a real browser against real nodes: it joins, takes, keeps, gives, adds,
// comes back after a reload and after its node started again, keeps to its quota, shares its peer
// with a second page, outlives all nodes that hold a file, and works without IndexedDB and over
// plain HTTP.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import axe from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { NodePool } from "../e2e/node_pool.ts";
import { until } from "../e2e/until.ts";
import { needing } from "../gate/needs.ts";
import { shoot, type Watched, withBrowser, withPage } from "./chromium.ts";
import { axeFaults, dropFiles, overflow } from "./in_page.ts";

const keptName = "tab/kept whole.bin";
const keptBytes = 6_000_000;
/** Together more than the smallest quota holds. */
const bulkBytes = 20_000_000;
const smallestQuota = 32_000_000;
const withinMs = 30_000;

Deno.test({
  ...needing(["chromium"], "a browser tab seeds"),
  async fn(test) {
    await test.step(
      "over plain HTTP from another machine it seeds and says what it lacks",
      insecurely,
    );
    await test.step("a node that joins later is connected without a reload", grows);
    // One copy of each block: then a node's end makes the tab's copy the only one.
    await NodePool.with({ nodes: 3, flags: ["--replicas=1"] }, async (pool) => {
      const base = pool.node(0).url;
      const kept = await put(base, keptName, keptBytes);
      for (const name of ["bulk/1", "bulk/2"]) await put(base, name, bulkBytes, 3);
      await withBrowser(async (browser) => {
        await withPage(browser, {}, async (watched) => {
          await test.step("it joins when it is asked to, and helps", () => joins(watched, base));
          await test.step("a file that is kept comes here whole", () => keeps(watched));
          await test.step("a reload goes on as the same peer", () => reloads(watched, base));
          await test.step("a second page shares the peer, and takes it over", () =>
            shares(watched, base));
          await test.step("a file added here is stored by the nodes", () => adds(watched, pool));
          await test.step("the quota is a hard limit", () => keepsToQuota(watched));
          await test.step("it comes back when its node has started again", () =>
            comesBack(watched, pool));
          await test.step("the page has no fault at any size and theme", () => looksWell(watched));
          await test.step("pausing and forgetting do what they say", () => forgets(watched, base));
        });
        await test.step("without IndexedDB it seeds from memory and says so", () =>
          privately(browser, base));
        await test.step("a file outlives all nodes that held it, through a fresh one", () =>
          outlives(browser, pool, kept));
      });
    });
  },
});

async function put(base: string, name: string, bytes: number, replicas = 1): Promise<string> {
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    crypto.getRandomValues(content.subarray(at, Math.min(bytes, at + 65_536)));
  }
  const path = name.split("/").map(encodeURIComponent).join("/");
  const target = `${base}/api/files/${path}?replicas=${replicas}`;
  const answer = await fetch(target, { method: "PUT", body: content });
  assert.equal(answer.status, 201, await answer.text());
  return createHash("sha256").update(content).digest("hex");
}

/** Waits for text at a place of the page. */
async function seen(page: Page, selector: string, pattern: RegExp, ms = withinMs): Promise<string> {
  let last = "";
  return await until(`${selector} to say ${pattern}`, async () => {
    const place = page.locator(selector).first();
    last = await place.count() > 0 ? (await place.textContent()) ?? "" : "nothing";
    return pattern.test(last) ? last : undefined;
  }, { withinMs: ms, everyMs: 100, detail: () => last });
}

async function tabsOf(base: string): Promise<readonly { id: string }[]> {
  return (await (await fetch(`${base}/api/tabs`)).json()).items;
}

const peerOf = async (page: Page) => await page.locator("#tab-browser code").getAttribute("title");

async function joins({ page }: Watched, base: string): Promise<void> {
  await page.goto(base);
  await page.getByRole("link", { name: "This tab" }).click();
  await seen(page, "h1", /This tab can seed/);
  assert.deepEqual(await tabsOf(base), [], "nothing happens unasked");
  await page.getByRole("button", { name: "Seed from this tab" }).click();
  await seen(page, "h1", /keeps .* extra cop.*gives them to \d+ node/);
  await seen(page, "#tab-lead", /Closing this tab removes .* extra cop.* until you come back/);
  await seen(page, "#tab-browser", /Throttled.*no/);
  const connected = await until("the node to know the tab", async () => {
    const tabs = await tabsOf(base);
    return tabs.length > 0 ? tabs : undefined;
  }, { withinMs, everyMs: 100 });
  assert.equal(connected[0]?.id, await peerOf(page));
  await seen(page, "#tab-rates", /connected\s*3 nodes of 3/);
}

async function keeps({ page }: Watched): Promise<void> {
  await page.getByLabel("Keep a file, whole").fill(keptName);
  await page.getByRole("button", { name: "Keep", exact: true }).click();
  const blocks = Math.ceil(keptBytes / (256 * 1_024)) + 1;
  await seen(page, "#tab-files", new RegExp(`${keptName}.*${blocks} of ${blocks}`, "s"));
  await page.getByLabel("Keep a file, whole").fill("no such file");
  await page.getByRole("button", { name: "Keep", exact: true }).click();
  await seen(page, "#tab-files", /there is no file of this name/);
  await page.locator(`[data-let-go="no such file"]`).click();
}

async function reloads({ page }: Watched, base: string): Promise<void> {
  const peer = await peerOf(page);
  await page.reload();
  await seen(page, "h1", /keeps .* extra cop.*gives them to/);
  await seen(page, "#tab-files", new RegExp(`${keptName}.*(?<!\\d)(\\d+) of \\1(?!\\d)`, "s"));
  assert.equal(await peerOf(page), peer);
  assert.deepEqual(new Set((await tabsOf(base)).map(({ id }) => id)), new Set([peer]));
}

async function shares({ page, context }: Watched, base: string): Promise<void> {
  const peer = await peerOf(page);
  const second = await context.newPage();
  await second.goto(`${base}/ui/tab`);
  await seen(second, "#tab-notices", /Another tab of this browser does the work/);
  assert.equal(await peerOf(second), peer);
  await seen(page, "#tab-browser", /shared by your 2 tabs/);
  // The first leaves: the other goes on, and the first, come back, waits.
  await page.goto("about:blank");
  await seen(second, "h1", /gives them to/);
  await until("no notice", async () => {
    return (await second.locator("#tab-notices").textContent()) === "";
  }, { withinMs, everyMs: 100 });
  await page.goto(`${base}/ui/tab`);
  await seen(page, "#tab-notices", /Another tab of this browser does the work/);
  await second.close();
  await until("the first to do the work again", async () => {
    return (await page.locator("#tab-notices").textContent()) === "";
  }, { withinMs, everyMs: 100 });
}

async function adds({ page }: Watched, pool: NodePool): Promise<void> {
  await page.evaluate(`(${dropFiles})([{ name: "from the tab.bin", bytes: 3_000_000 }])`);
  await seen(page, "#tab-added", /stored: the nodes have their copies/);
  const answer = await fetch(`${pool.node(1).url}/api/files/from%20the%20tab.bin`);
  assert.equal(answer.status, 200);
  assert.equal((await answer.arrayBuffer()).byteLength, 3_000_000);
  // The same name again, other content: nobody is overwritten unasked.
  await page.evaluate(`(${dropFiles})([{ name: "bulk", text: "taken" }])`);
  await seen(page, "#tab-added", /bulk.*stored/s);
}

async function keepsToQuota({ page }: Watched): Promise<void> {
  await page.locator("#tab-quota").fill("0");
  await page.locator("h1").click();
  await seen(page, "#tab-files", /no room for more/);
  const bytes = await storedBytes(page);
  assert.ok(bytes <= smallestQuota, `${bytes} bytes are stored`);
  assert.ok(bytes > smallestQuota * .8, `${bytes} bytes are stored`);
  // What is kept has made room for itself: only what helps the pool has gone.
  await seen(page, "#tab-files", new RegExp(`${keptName}.*(?<!\\d)(\\d+) of \\1(?!\\d)`, "s"));
}

/** Bytes of all blocks in IndexedDB, counted there. */
async function storedBytes(page: Page): Promise<number> {
  return await page.evaluate(`new Promise((resolve, reject) => {
    const opening = indexedDB.open("skyring-tab-blocks");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const reading = opening.result.transaction("values").objectStore("values").getAll();
      reading.onsuccess = () => {
        resolve(reading.result.reduce((sum, each) => sum + (each.byteLength ?? 0), 0));
        opening.result.close();
      };
    };
  })`);
}

async function comesBack({ page, errors }: Watched, pool: NodePool): Promise<void> {
  const node = pool.node(0);
  await node.end();
  await seen(page, "#tab-rates", /connected\s*2 nodes/);
  await node.start();
  await seen(page, "#tab-rates", /connected\s*3 nodes/, 60_000);
  // Requests to a node that is away are printed by the browser itself.
  errors.splice(
    0,
    errors.length,
    ...errors.filter((line) => !/ERR_|WebSocket|htmx:sse/.test(line)),
  );
}

async function looksWell({ page, errors }: Watched): Promise<void> {
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [width, height] of [[390, 844], [1_280, 800]] as const) {
      await page.setViewportSize({ width, height });
      const wide = Number(await page.evaluate(overflow));
      assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
      await shoot(page, `tab-${scheme}-${width}`);
    }
    await page.evaluate(axe.source);
    const { faults, passes } = await page.evaluate(axeFaults) as {
      faults: string[];
      passes: number;
    };
    assert.deepEqual(faults, []);
    assert.ok(passes > 10);
  }
  await page.setViewportSize({ width: 1_280, height: 800 });
  assert.deepEqual(errors, []);
}

async function forgets({ page }: Watched, base: string): Promise<void> {
  await page.getByRole("button", { name: "Pause" }).click();
  await seen(page, "h1", /^Paused: /);
  await until("the node to see it go", async () => (await tabsOf(base)).length === 0, {
    ...{ withinMs, everyMs: 100 },
  });
  await page.reload();
  await seen(page, "h1", /^Paused: /);
  const peer = await peerOf(page);
  await page.getByRole("button", { name: "Forget all…" }).click();
  await seen(page, "#tab-forget-words", /blocks, .* are removed/);
  await shoot(page, "tab-forget");
  await page.locator("#tab-forget-now").click();
  await seen(page, "h1", /This tab can seed/);
  assert.equal(await storedBytes(page), 0);
  assert.notEqual(await peerOf(page), peer);
}

/** Takes IndexedDB away from the worker, as some private windows do. */
async function withoutDatabase(context: BrowserContext): Promise<void> {
  // A script that a test has written comes from no address, so its requests to this machine need
  // what a page of a far server would need.
  await context.grantPermissions(["local-network-access"]);
  await context.route(/tab-worker\.js/, async (route) => {
    const response = await route.fetch();
    const refuse = `Object.defineProperty(globalThis, "indexedDB", { get() {
      throw new DOMException("The user denied permission", "SecurityError"); } });\n`;
    await route.fulfill({ response, body: refuse + await response.text() });
  });
}

async function privately(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, context, errors }) => {
    await withoutDatabase(context);
    await page.goto(`${base}/ui/tab`);
    await seen(page, "#tab-notices", /This browser keeps nothing/);
    await page.getByRole("button", { name: "Seed from this tab" }).click();
    await seen(page, "h1", /keeps .* extra cop.*gives them to/);
    await seen(page, "#tab-lead", /for good: this browser keeps nothing/);
    await page.reload();
    await seen(page, "#tab-notices", /This browser keeps nothing/);
    await seen(page, "h1", /This tab can seed/);
    assert.deepEqual(errors, []);
  });
}

/** A name that is not this machine's: the page has no crypto.subtle and no locks. */
async function insecurely(): Promise<void> {
  const options = {
    nodes: 1,
    flags: ["--secret=alpha", "--allow-host=skyring.test"],
    place: () => ({ token: "0123456789abcdef" }),
  };
  await NodePool.with(options, async (pool) => {
    const base = `http://skyring.test:${pool.node(0).options.port}`;
    await withBrowser(async (browser) => {
      await withPage(browser, {}, async ({ page, context, errors }) => {
        await page.goto(`${base}/?token=0123456789abcdef`);
        await page.goto(`${base}/ui/tab`);
        await seen(page, "#tab-notices", /plain HTTP from another machine/);
        await page.getByRole("button", { name: "Seed from this tab" }).click();
        await seen(page, "#tab-rates", /connected\s*1 node/);
        await page.evaluate(`(${dropFiles})([{ name: "insecure.bin", bytes: 600000 }])`);
        await seen(page, "#tab-added", /stored: the nodes have their copies/);
        const second = await context.newPage();
        await second.goto(`${base}/ui/tab`);
        await seen(second, "#tab-notices", /Another tab of this browser does the work/);
        assert.deepEqual(errors, []);
      });
    }, ["--host-resolver-rules=MAP skyring.test 127.0.0.1"]);
  });
}

/** The worker's policy is fixed when it is loaded: another takes its place, as the same peer. */
async function grows(): Promise<void> {
  await NodePool.with({ nodes: 1, flags: [] }, async (pool) => {
    await withBrowser(async (browser) => {
      await withPage(browser, {}, async ({ page, errors }) => {
        await page.goto(`${pool.node(0).url}/ui/tab`);
        await page.getByRole("button", { name: "Seed from this tab" }).click();
        await seen(page, "#tab-rates", /connected\s*1 node/);
        await page.evaluate(`(${dropFiles})([{ name: "mine.bin", bytes: 600000 }])`);
        await seen(page, "#tab-added", /stored: the nodes have their copies/);
        const peer = await peerOf(page);
        await pool.add().start();
        await pool.formed();
        await seen(page, "#tab-rates", /connected\s*2 nodes of 2/, 60_000);
        assert.equal(await peerOf(page), peer);
        await seen(page, "#tab-files", /mine\.bin.*(?<!\d)(\d+) of \1(?!\d)/s);
        assert.deepEqual(errors, []);
      });
    });
  });
}

async function outlives(browser: Browser, pool: NodePool, digest: string): Promise<void> {
  const fresh = pool.add();
  await fresh.start();
  await pool.formed();
  await withPage(browser, {}, async ({ page }) => {
    const path = keptName.split("/").map(encodeURIComponent).join("/");
    await page.goto(`${fresh.url}/ui/tab?keep=${encodeURIComponent(keptName)}`);
    await seen(page, "h1", /This tab can seed/);
    assert.equal(
      await page.locator("#tab-name").inputValue(),
      keptName,
      "nothing starts by a link",
    );
    await page.goto(`${fresh.url}/ui/file?name=${encodeURIComponent(keptName)}`);
    await page.getByRole("link", { name: "Keep in this tab" }).click();
    await seen(
      page,
      "#tab-files",
      new RegExp(`${keptName}.*(?<!\\d)(\\d+) of \\1(?!\\d)`, "s"),
      60_000,
    );
    for (const node of pool.nodes) if (node !== fresh) await node.kill();
    const answer = await fetch(`${fresh.url}/api/files/${path}`, {
      signal: AbortSignal.timeout(60_000),
    });
    assert.equal(answer.status, 200);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(createHash("sha256").update(bytes).digest("hex"), digest);
    assert.ok((await tabsOf(fresh.url)).some((tab) => "given" in tab && Number(tab.given) > 0));
  });
}
