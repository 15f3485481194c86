// Journeys through the dashboard in a real browser, against a pool of three real nodes.

import assert from "node:assert/strict";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { NodePool } from "../e2e/node_pool.ts";
import { until } from "../e2e/until.ts";
import { needing } from "../gate/needs.ts";
import { shoot, withBrowser, withPage } from "./chromium.ts";
import { axeFaults, dropFiles, hide, overflow, show } from "./in_page.ts";

const bigBytes = 100_000_000;
/** Sound of three minutes: large enough that a seek must ask for another range. */
const soundBytes = 32_000_000;
const hostileName = `evil/<img src=x onerror="document.title='owned'">.txt`;

const pages = [
  ["overview", "/"],
  ["nodes", "/ui/nodes"],
  ["files", "/ui/files"],
  ["file", "/ui/file?name=notes%2Fhello.md"],
  ["ring", "/ui/ring?key=notes%2Fhello.md"],
  ["wanted", "/ui/wanted"],
  ["peers", "/ui/peers"],
  ["workers", "/ui/workers"],
  ["jobs", "/ui/jobs"],
] as const;

Deno.test({
  ...needing(["chromium"], "the dashboard shows a pool and acts on it"),
  async fn(test) {
    await NodePool.with({ nodes: 3 }, async (pool) => {
      const base = pool.node(0).url;
      await put(base, "notes/hello.md", new TextEncoder().encode("# hello\n<script>1</script>\n"));
      await put(base, hostileName, new TextEncoder().encode("text"));
      await put(base, "sound/long.wav", wave(soundBytes));
      await withBrowser(async (browser) => {
        const steps: Record<string, (browser: Browser, base: string) => Promise<void>> = {
          "the overview says how the pool is and follows it": overview,
          "a dropped file of 100 MB is stored, with a moving bar": upload,
          "a name that is taken is not overwritten unasked": taken,
          "the ring page finds where a file lives": lookup,
          "sound is played from the pool, and seeking fetches another range": seek,
          "text is shown in a sandbox, and names run nothing": previews,
          "a file is renamed, shared and deleted through its sheets": sheets,
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
        await test.step("a node is stopped from the page, after a preview", async () => {
          await withPage(browser, {}, async ({ page }) => {
            await page.goto(`${base}/ui/nodes`);
            await page.getByRole("link", { name: "Stop… n2" }).click();
            await seen(page, "the preview", ".plan", /To be made again/);
            await shoot(page, "journey-stop");
            await page.getByRole("button", { name: "Stop it" }).click();
            await page.goto(base);
            await seen(page, "the pool waits for n2", ".health .sign", /Waiting for n2/, 40_000);
            await shoot(page, "journey-node-away");
          });
        });
        await test.step("a node that does not answer is told on the page", async () => {
          await withPage(browser, {}, async ({ page }) => {
            await page.goto(`${base}/ui/nodes`);
            await pool.node(0).end();
            await seen(page, "the notice", "#cut:not([hidden])", /does not answer this page/);
            assert.equal(await page.locator(".card").count(), 3, "the last picture stays");
            await shoot(page, "journey-cut-off");
          });
        });
      });
    });
  },
});

/** What is used of a media element. */
interface MediaState {
  readonly duration: number;
  readonly readyState: number;
  readonly seeking: boolean;
  currentTime: number;
}

async function put(base: string, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const answer = await fetch(`${base}/api/files/${path}`, { method: "PUT", body: bytes });
  assert.equal(answer.status, 201, await answer.text());
}

/** PCM of 44,100 frames a second, two channels of 16 bits, with content in every block. */
function wave(bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  const view = new DataView(whole.buffer);
  const text = (at: number, word: string) => whole.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, bytes - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, 44_100, true);
  view.setUint32(28, 176_400, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes - 44, true);
  for (let at = 44; at + 2 <= bytes; at += 2) {
    view.setInt16(at, (at * 7 + (at >> 12)) % 2_000, true);
  }
  return whole;
}

/** Waits until the text at `selector` matches. The policy forbids waiting by script in the page. */
async function seen(
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

async function upload(browser: Browser, base: string): Promise<void> {
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
    await seen(page, "the list", ".table", /big <file>\.bin/);
    const info = await (await fetch(`${base}/api/files/big%20%3Cfile%3E.bin?view=info`)).json();
    assert.equal(info.size, bigBytes);
    assert.equal(info.blocks, Math.ceil(bigBytes / 262_144));
    assert.deepEqual(errors, []);
  });
}

async function taken(browser: Browser, base: string): Promise<void> {
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

async function seek(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    const ranges: string[] = [];
    page.on("request", (request) => {
      const { range } = request.headers();
      if (request.url().includes("long.wav") && range !== undefined) ranges.push(range);
    });
    await page.goto(`${base}/ui/file?name=sound%2Flong.wav`);
    const sound = page.locator("audio");
    const state = async () =>
      await sound.evaluate(
        ({ duration, readyState, currentTime, seeking }: MediaState) => ({
          duration,
          readyState,
          currentTime,
          seeking,
        }),
      );
    await until("the sound's length", async () => (await state()).duration > 170);
    await sound.evaluate((element: MediaState) => element.currentTime = 150);
    await until("the place asked for", async () => {
      const { currentTime, seeking, readyState } = await state();
      return currentTime >= 150 && !seeking && readyState >= 2;
    });
    const starts = ranges.map((range) => Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0));
    assert.ok(starts.some((start) => start > soundBytes / 2), `ranges asked: ${ranges.join()}`);
    assert.deepEqual(errors, []);
  });
}

async function previews(browser: Browser, base: string): Promise<void> {
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

async function sheets(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await put(base, "to rename.txt", new TextEncoder().encode("mine"));
    await page.goto(`${base}/ui/file?name=to%20rename.txt`);
    await page.getByRole("link", { name: "Rename…" }).click();
    await page.getByLabel("New name").fill("moved/renamed.txt");
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
    await seen(page, "the list", "h1", /files?/);
    assert.equal((await fetch(`${base}/api/files/moved/renamed.txt`)).status, 404);
    assert.deepEqual(errors, []);
  });
}

async function orders(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/nodes`);
    await page.getByRole("link", { name: "Resize… n1" }).click();
    await page.getByLabel(/Room for blocks/).fill("3GiB");
    await page.getByRole("button", { name: "Show what moves" }).click();
    await seen(page, "the plan", ".plan", /What moves/);
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
    let open = 0;
    page.on("request", (request) => open += Number(request.url().endsWith("/ui/events")));
    const over = (request: { url(): string }) => {
      open -= Number(request.url().endsWith("/ui/events"));
    };
    page.on("requestfinished", over);
    page.on("requestfailed", over);
    await page.goto(base);
    await until("the stream", () => open === 1, { withinMs: 40_000 });
    await page.evaluate(hide);
    await until("the stream closed", () => open === 0);
    await page.evaluate(show);
    await until("the stream again", () => open === 1, { withinMs: 40_000 });
  });
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
          await page.goto(base + path);
          await page.locator("h1").waitFor();
          const beyond = Number(await page.evaluate(overflow));
          assert.ok(beyond <= 0, `${name} at ${width} px is ${beyond} px too wide`);
          assert.deepEqual(await faults(page), [], `${name}, ${size}, ${scheme}`);
          await shoot(page, `${name}-${size}-${scheme}`);
        }
        assert.deepEqual(errors, []);
      });
    }
  }
}

/** What axe finds wrong, in a line each. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(axeFaults) as { passes: number; faults: string[] };
  assert.ok(found.passes > 15, "axe looked at the page");
  return found.faults;
}
