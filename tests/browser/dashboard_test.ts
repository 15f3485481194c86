// Journeys through the dashboard in a real browser, against a pool of three real nodes.

import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { NodePool } from "../e2e/node_pool.ts";
import { until } from "../e2e/until.ts";
import { needing } from "../gate/needs.ts";
import { shoot, withBrowser, withPage } from "./chromium.ts";
import { hostileName, previews, search, sheets, taken, upload } from "./file_journeys.ts";
import { cutOff, hide, overflow, show } from "./in_page.ts";
import { faults, put, seen } from "./journey.ts";
import { film, pdf, seek, soundBytes, wave } from "./media_journeys.ts";
import { leave, orders, stopAndExpel } from "./order_journeys.ts";

/** Long enough to show where a page does not keep to its width. */
const longName = `pictures/${"a picture with a name that goes on ".repeat(4)}.svg`;

const pages = [
  ["overview", "/"],
  ["nodes", "/ui/nodes"],
  ["files", "/ui/files"],
  ["file", "/ui/file?name=notes%2Fhello.md"],
  ["file-image", `/ui/file?name=${encodeURIComponent(longName)}`],
  ["folder", "/ui/files?prefix=notes%2F"],
  ["search", "/ui/files?q=no+such+name"],
  ["deleted", "/ui/deleted"],
  ["ring", "/ui/ring?key=notes%2Fhello.md"],
  ["wanted", "/ui/wanted"],
  ["peers", "/ui/peers"],
  ["workers", "/ui/workers"],
  ["jobs", "/ui/jobs"],
] as const;

const lesserPages: ReadonlySet<string> = new Set(["file-image", "folder", "search", "deleted"]);

Deno.test({
  ...needing(["chromium"], "the dashboard shows a pool and acts on it"),
  async fn(test) {
    await NodePool.with({ nodes: 3 }, async (pool) => {
      const base = pool.node(0).url;
      await put(base, "notes/hello.md", new TextEncoder().encode("# hello\n<script>1</script>\n"));
      await put(base, hostileName, new TextEncoder().encode("text"));
      const picture =
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 6"><circle r="3"/></svg>';
      await put(base, longName, new TextEncoder().encode(picture));
      await put(base, "sound/long.wav", wave(soundBytes));
      await put(base, "deleted/before.txt", new TextEncoder().encode("gone"));
      await fetch(`${base}/api/files/deleted/before.txt`, { method: "DELETE" });
      await withBrowser(async (browser) => {
        const steps: Record<string, (browser: Browser, base: string) => Promise<void>> = {
          "the overview says how the pool is and follows it": overview,
          "a dropped file of 100 MB is stored, with a moving bar": upload,
          "a name that is taken is not overwritten unasked": taken,
          "the ring page finds where a file lives": lookup,
          "sound is played from the pool, and seeking fetches another range": seek,
          "a film is shown, and seeking reads on from there": film,
          "a PDF is shown by the browser's reader": pdf,
          "text is shown in a sandbox, and names run nothing": previews,
          "a file is renamed, shared, deleted and brought back": sheets,
          "words find names, and folders lead to files": search,
          "the page goes on by polls when the stream of events is cut": cut,
          "a hidden page closes its stream, and opens it again": hidden,
          "a tenth page of one browser loads while nine are open": tenPages,
          "all can be read without script": withoutScript,
          "no page has an error or a fault that axe finds, at any size and theme": inspect,
        };
        for (const [name, step] of Object.entries(steps)) {
          await test.step(name, () => step(browser, base));
        }
        await test.step("a resize shows what moves, runs as a job, and a leave is shown before it is done", () =>
          orders(browser, base));
        await test.step("a node is sent away, and its job is followed to the end", () =>
          leave(browser, base));
        await test.step("a node is stopped and expelled from the page, after previews", () =>
          stopAndExpel(browser, base));
        await test.step("a node that does not answer is told on the page", async () => {
          await withPage(browser, {}, async ({ page }) => {
            await page.goto(`${base}/ui/nodes`);
            await pool.node(0).end();
            await seen(page, "the notice", "#cut:not([hidden])", /does not answer this page/);
            assert.equal(await page.locator(".card").count(), 1, "the last picture stays");
            await shoot(page, "journey-cut-off");
          });
        });
      });
    });
  },
});

async function overview(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(base);
    await seen(page, "a healthy pool", ".health .sign", /All well/, 60_000);
    assert.match(await page.locator("h1").innerText(), /All 3 nodes answer/);
    assert.equal(await page.locator(".ring .stars a").count(), 3);
    // What happens elsewhere appears without a click.
    await put(base, "arrived later.txt", new TextEncoder().encode("later"));
    await seen(page, "the event", ".events", /arrived later\.txt was stored/);
    assert.deepEqual(errors, []);
  });
}

async function lookup(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/ring`);
    await page.getByLabel("Where does it live?").fill("notes/hello.md");
    await page.getByRole("button", { name: "Look up" }).click();
    const words = await seen(page, "the answer", ".kv", /Held by/);
    assert.match(words, /slot [\d,]+, owned by 1 n\d, 2 n\d, 3 n\d/);
    assert.equal(await page.locator(".ring .pin").count(), 1);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "SVG" }).click(),
    ]);
    const svg = await Deno.readTextFile(await download.path());
    assert.match(svg, /^<svg xmlns=/);
    assert.deepEqual(errors, []);
  });
}

async function cut(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page }) => {
    await page.route("**/ui/events", (route) => route.abort());
    await page.goto(base);
    await put(base, "without stream.txt", new TextEncoder().encode("x"));
    await seen(page, "the event by a poll", ".events", /without stream\.txt was stored/);
  });
}

async function hidden(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page }) => {
    const open = streamsOf(page);
    await page.goto(base);
    await until("the stream", () => open() === 1, { withinMs: 40_000 });
    await page.evaluate(hide);
    await until("the stream closed", () => open() === 0);
    await page.evaluate(show);
    await until("the stream again", () => open() === 1, { withinMs: 40_000 });
  });
  // Hidden after it asked and before the answer, it keeps no stream either.
  await withPage(browser, {}, async ({ page }) => {
    const open = streamsOf(page);
    let asked = 0;
    await page.route("**/ui/events", async (route) => {
      if (asked++ === 0) await page.evaluate(hide);
      await route.continue();
    });
    await page.goto(base);
    await until("the question", () => asked === 1, { withinMs: 40_000 });
    await until("no stream", () => open() === 0);
    await page.evaluate(show);
    await until("the stream", () => open() === 1, { withinMs: 40_000 });
  });
}

/** How many streams of events the page has open. */
function streamsOf(page: Page): () => number {
  let open = 0;
  const count = (by: number) => (request: { url(): string }) => {
    if (request.url().endsWith("/ui/events")) open += by;
  };
  page.on("request", count(1));
  page.on("requestfinished", count(-1));
  page.on("requestfailed", count(-1));
  return () => open;
}

async function tenPages(browser: Browser, base: string): Promise<void> {
  const context = await browser.newContext();
  try {
    for (let index = 0; index < 10; index++) {
      const page = await context.newPage();
      await page.goto(base, { timeout: 20_000 });
      await page.locator("h1").waitFor({ timeout: 20_000 });
    }
  } finally {
    await context.close();
  }
}

async function withoutScript(browser: Browser, base: string): Promise<void> {
  await withPage(browser, { javaScript: false }, async ({ page }) => {
    for (const [name, path] of pages) {
      await page.goto(base + path);
      assert.ok((await page.locator("h1").innerText()).length > 5, name);
    }
    await page.goto(`${base}/ui/file?name=notes%2Fhello.md`);
    await page.getByRole("link", { name: "Copies…" }).click();
    await page.getByLabel("Copies of each block").fill("2");
    await page.getByRole("button", { name: "Change" }).click();
    const info = await (await fetch(`${base}/api/files/notes/hello.md?view=info`)).json();
    assert.equal(info.replicas.wanted, 2);
  });
}

async function inspect(browser: Browser, base: string): Promise<void> {
  for (const scheme of ["light", "dark"] as const) {
    for (const [size, width] of [["wide", 1_440], ["phone", 390]] as const) {
      await withPage(browser, { width, height: 900, scheme }, async ({ page, errors }) => {
        for (const [name, path] of pages) {
          // What differs from another page in few places is looked at twice, not four times.
          if (lesserPages.has(name) && (size === "wide") !== (scheme === "light")) continue;
          await page.goto(base + path);
          await page.locator("h1").waitFor();
          const beyond = Number(await page.evaluate(overflow));
          assert.ok(beyond <= 0, `${name} at ${width} px is ${beyond} px too wide`);
          if (size === "phone") assert.deepEqual(await page.evaluate(cutOff), [], name);
          assert.deepEqual(await faults(page), [], `${name}, ${size}, ${scheme}`);
          await shoot(page, `${name}-${size}-${scheme}`);
        }
        assert.deepEqual(errors, []);
      });
    }
  }
}
