// A browser tab as a peer: how fast blocks go from a node into the tab and from the tab into a
// node, in real Chromium, as a share of a raw WebSocket into a worker of the same browser. Blocks
// are encrypted, hashed, and written to IndexedDB or to the node's disk on the way; the raw socket
// does none of that.

import type { Browser, Page, Route } from "playwright-core";
import { shoot, withBrowser, withPage } from "../browser/chromium.ts";
import { dropFiles } from "../browser/in_page.ts";
import { createFleet, type Fleet } from "./node_fleet.ts";
import type { Report } from "./report.ts";
import type { Bench } from "./scenarios.ts";
import { pushFile } from "./transfers.ts";

const MB = 1e6;
const pieceBytes = 256 * 1_024;
/** The seventh place of the slider: 2 GB. */
const quotaStep = "6";
const waitMsMax = 180_000;

/** Adds the rows of a tab. Bytes are bounded: what a page drops lies in its memory. */
export async function tabRates(bench: Bench): Promise<void> {
  const { report } = bench;
  const bytes = Math.min(bench.bytes, 256 * 2 ** 20);
  const fleet = createFleet(bench);
  try {
    const node = await fleet.add();
    await fleet.untilReady(1);
    await pushFile({ url: node.url, name: "to-the-tab", bytes }, { replicas: 1 });
    await withBrowser(async (browser) => {
      const before = await rawIn(browser, bytes);
      let found: TabRates | undefined;
      await withPage(browser, {}, async ({ page }) => {
        found = await measureTab(page, { fleet, url: node.url, bytes });
        await shoot(page, "bench-tab");
      });
      // Before and after: on a machine with other work one alone says little.
      const after = await rawIn(browser, bytes);
      if (found !== undefined) tell(report, found, meanOf(before, after));
    });
  } finally {
    await fleet.stop();
  }
}

/** Bytes a second, and processor seconds of the node for each GiB. */
interface TabRates {
  readonly toTab: number;
  readonly toTabCpu: number;
  readonly read: number;
  readonly readCpu: number;
  readonly stored: number;
}

type RawRates = { readonly toTab: number; readonly fromTab: number };

async function measureTab(page: Page, from: {
  readonly fleet: Fleet;
  readonly url: string;
  readonly bytes: number;
}): Promise<TabRates> {
  const { fleet, url, bytes } = from;
  await page.goto(`${url}/ui/tab`);
  await page.locator("#tab-start").waitFor({ timeout: waitMsMax });
  await page.locator("#tab-help").uncheck();
  await page.locator("#tab-quota").fill(quotaStep);
  await page.locator("#tab-start").click();
  await page.locator("#tab-rates", { hasText: "1 node" }).waitFor({ timeout: waitMsMax });
  const first = fleet.cpuSeconds();
  const toTab = bytes / await takenSeconds(page, bytes);
  const toTabCpu = gib(fleet.cpuSeconds() - first, bytes);
  const added = await addHeld(page, bytes);
  const middle = fleet.cpuSeconds();
  const read = bytes / await readSeconds(`${url}/ipfs/${added.root}`, bytes);
  const readCpu = gib(fleet.cpuSeconds() - middle, bytes);
  const startMs = performance.now();
  await added.name();
  const stored = bytes / ((performance.now() - startMs) / 1_000);
  return { toTab, toTabCpu, read, readCpu, stored };
}

function tell(report: Report, found: TabRates, raw: RawRates): void {
  report.add("raw WebSocket into a worker", raw.toTab / MB, "MB/s", "mean of before and after");
  report.add("raw WebSocket out of a worker", raw.fromTab / MB, "MB/s");
  report.add("node to tab", found.toTab / MB, "MB/s", `${share(found.toTab, raw.toTab)}, kept`);
  report.add("node's CPU, node to tab", found.toTabCpu, "s/GiB");
  report.add("tab to node, read through", found.read / MB, "MB/s", share(found.read, raw.fromTab));
  report.add("node's CPU, tab to node", found.readCpu, "s/GiB");
  const { stored } = found;
  report.add("tab to node, stored", stored / MB, "MB/s", `${share(stored, raw.fromTab)}, synced`);
}

async function rawIn(browser: Browser, bytes: number): Promise<RawRates> {
  let rates: RawRates = { toTab: 0, fromTab: 0 };
  await withPage(browser, {}, async ({ page }) => {
    rates = await rawRates(page, bytes);
  });
  return rates;
}

function meanOf(one: RawRates, other: RawRates): RawRates {
  return {
    toTab: (one.toTab + other.toTab) / 2,
    fromTab: (one.fromTab + other.fromTab) / 2,
  };
}

function share(rate: number, raw: number): string {
  return `${Math.round(rate / raw * 100)} % of the raw socket`;
}

function gib(seconds: number, bytes: number): number {
  return seconds / (bytes / 2 ** 30);
}

/** Seconds in which a file of the node has come into the tab. */
async function takenSeconds(page: Page, bytes: number): Promise<number> {
  await page.locator("#tab-name").fill("to-the-tab");
  const startMs = performance.now();
  await page.locator("#tab-keep button").click();
  const blocks = Math.ceil(bytes / pieceBytes);
  await untilText(page, "#tab-files", (text) => {
    const held = Number(/(\d[\d,]*) of \d/.exec(text)?.[1]?.replaceAll(",", "") ?? 0);
    return held >= blocks;
  });
  return (performance.now() - startMs) / 1_000;
}

/**
 * Adds a file in the page, and holds the request that names it: so far only the tab has its blocks.
 * `name` lets the request go and waits until the node has stored all.
 */
async function addHeld(
  page: Page,
  bytes: number,
): Promise<{ readonly root: string; readonly name: () => Promise<void> }> {
  const held = Promise.withResolvers<Route>();
  await page.context().route("**/api/files/from-the-tab?from=*", (route) => held.resolve(route));
  await page.evaluate(`(${dropFiles})([{ name: "from-the-tab", bytes: ${bytes} }])`);
  const route = await held.promise;
  const root = new URL(route.request().url()).searchParams.get("from") ?? "";
  return {
    root,
    async name() {
      await route.continue();
      await untilText(page, "#tab-added", (text) => text.includes("stored:"));
    },
  };
}

/** Seconds in which a node reads a file that only the tab has. */
async function readSeconds(url: string, bytes: number): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(url);
  let taken = 0;
  for await (const piece of response.body ?? []) taken += piece.length;
  if (taken !== bytes) throw new Error(`Cannot measure the tab: ${taken} of ${bytes} bytes came`);
  return (performance.now() - startMs) / 1_000;
}

async function untilText(page: Page, place: string, is: (text: string) => boolean): Promise<void> {
  const endMs = performance.now() + waitMsMax;
  let text = "";
  while (performance.now() < endMs) {
    text = await page.locator(place).textContent() ?? "";
    if (is(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Cannot measure the tab: ${place} still says ${text}`);
}

/** Bytes a second of a plain WebSocket into and out of a worker, messages of a block each. */
async function rawRates(page: Page, bytes: number): Promise<RawRates> {
  const measured = Promise.withResolvers<RawRates>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return rawPage(new URL(request.url));
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    pump(socket, { bytes, onMeasured: measured.resolve });
    return response;
  });
  try {
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    return await measured.promise;
  } finally {
    await server.shutdown();
  }
}

/** Sends, waits for the word that all has come, takes as much back, and says both rates. */
function pump(socket: WebSocket, options: {
  readonly bytes: number;
  readonly onMeasured: (rates: RawRates) => void;
}): void {
  const { bytes } = options;
  let startMs = 0;
  let toTab = 0;
  let taken = 0;
  socket.onopen = () => {
    startMs = performance.now();
    const piece = crypto.getRandomValues(new Uint8Array(65_536));
    const message = new Uint8Array(pieceBytes);
    for (let at = 0; at < pieceBytes; at += piece.length) message.set(piece, at);
    let sent = 0;
    const feed = () => {
      while (sent < bytes && socket.bufferedAmount < 4 * 2 ** 20) {
        socket.send(message);
        sent += pieceBytes;
      }
      if (sent < bytes) setTimeout(feed, 1);
    };
    socket.send(JSON.stringify({ bytes }));
    feed();
  };
  socket.onmessage = ({ data }) => {
    const seconds = (performance.now() - startMs) / 1_000;
    if (typeof data === "string") {
      toTab = bytes / seconds;
      startMs = performance.now();
      return;
    }
    taken += data.byteLength;
    if (taken < bytes) return;
    options.onMeasured({ toTab, fromTab: bytes / seconds });
    socket.close();
  };
}

function rawPage({ pathname }: URL): Response {
  const script = { headers: { "content-type": "text/javascript" } };
  if (pathname === "/worker.js") return new Response(rawWorker, script);
  if (pathname !== "/") return new Response(null, { status: 204 });
  return new Response('<script>new Worker("/worker.js")</script>', {
    headers: { "content-type": "text/html" },
  });
}

const rawWorker = `
const socket = new WebSocket("ws://" + location.host + "/socket");
socket.binaryType = "arraybuffer";
let bytes = 0, taken = 0;
socket.onmessage = ({ data }) => {
  if (typeof data === "string") return bytes = JSON.parse(data).bytes;
  taken += data.byteLength;
  if (taken < bytes) return;
  socket.send("all is here");
  const message = new Uint8Array(${pieceBytes});
  let sent = 0;
  const feed = () => {
    while (sent < bytes && socket.bufferedAmount < 4 * 2 ** 20) {
      socket.send(message);
      sent += message.length;
    }
    if (sent < bytes) setTimeout(feed, 0);
  };
  feed();
};`;
