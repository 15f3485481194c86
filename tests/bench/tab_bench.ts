// A browser tab as a peer: how fast blocks go from a node into the tab and from the tab into a
// node, in real Chromium, as a share of a raw WebSocket into a worker of the same browser. Blocks
// are encrypted, hashed, and written to IndexedDB or to the node's disk on the way; the raw socket
// does none of that.

import { dropFiles } from "../browser/in_page.ts";
import { type UnwatchedPage, withUnwatchedPage } from "../browser/unwatched_page.ts";
import { createFleet, type Fleet } from "./node_fleet.ts";
import { meanOf, type RawRates, rawRates } from "./raw_browser.ts";
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
    // Before and after: on a machine with other work one alone says little.
    const before = await rawRates(bytes);
    await withUnwatchedPage(async (page) => {
      const found = await measureTab(page, { fleet, url: node.url, bytes });
      tell(report, found, meanOf(before, await rawRates(bytes)));
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

async function measureTab(page: UnwatchedPage, from: {
  readonly fleet: Fleet;
  readonly url: string;
  readonly bytes: number;
}): Promise<TabRates> {
  const { fleet, url, bytes } = from;
  await page.goto(`${url}/ui/tab`);
  await page.until(shown("#tab-start"), waitMsMax);
  await page.evaluate(`(${set})(["#tab-help", "checked", false])`);
  await page.evaluate(`(${set})(["#tab-quota", "value", "${quotaStep}"])`);
  await page.evaluate('document.querySelector("#tab-start").click()');
  await page.until(`${textOf("#tab-rates")}.includes("1 node")`, waitMsMax);
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
  report.add("IndexedDB in a worker, written", raw.written / MB, "MB/s", "256 KiB each");
  report.add("IndexedDB in a worker, read", raw.read / MB, "MB/s", "16 at once");
  report.add("node to tab", found.toTab / MB, "MB/s", `${share(found.toTab, raw.toTab)}, kept`);
  report.add("node's CPU, node to tab", found.toTabCpu, "s/GiB");
  report.add("tab to node, read through", found.read / MB, "MB/s", share(found.read, raw.fromTab));
  report.add("node's CPU, tab to node", found.readCpu, "s/GiB");
  const { stored } = found;
  report.add("tab to node, stored", stored / MB, "MB/s", `${share(stored, raw.fromTab)}, synced`);
}

function share(rate: number, raw: number): string {
  return `${Math.round(rate / raw * 100)} % of the raw socket`;
}

function gib(seconds: number, bytes: number): number {
  return seconds / (bytes / 2 ** 30);
}

/** Seconds in which a file of the node has come into the tab. */
async function takenSeconds(page: UnwatchedPage, bytes: number): Promise<number> {
  await page.evaluate(`(${set})(["#tab-name", "value", "to-the-tab"])`);
  const startMs = performance.now();
  await page.evaluate('document.querySelector("#tab-keep button").click()');
  const blocks = Math.ceil(bytes / pieceBytes);
  const held = `/(\\d[\\d,]*) of \\d/.exec(${textOf("#tab-files")})?.[1]?.replaceAll(",", "")`;
  await page.until(`Number(${held} ?? 0) >= ${blocks}`, waitMsMax);
  return (performance.now() - startMs) / 1_000;
}

/**
 * Adds a file in the page, and holds the request that names it: so far only the tab has its blocks.
 * `name` lets the request go and waits until the node has stored all.
 */
async function addHeld(
  page: UnwatchedPage,
  bytes: number,
): Promise<{ readonly root: string; readonly name: () => Promise<void> }> {
  const held = await page.hold("*/api/files/from-the-tab?from=*");
  await page.evaluate(`(${dropFiles})([{ name: "from-the-tab", bytes: ${bytes} }])`);
  const { url, release } = await held.next;
  const root = new URL(url).searchParams.get("from") ?? "";
  return {
    root,
    async name() {
      await release();
      await page.until(`${textOf("#tab-added")}.includes("stored:")`, waitMsMax);
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

const textOf = (place: string) => `(document.querySelector("${place}")?.textContent ?? "")`;
const shown = (place: string) => `document.querySelector("${place}")?.checkVisibility()`;

/** Sets a field as a person does: `[place, property, value]`, with the events that follow. */
const set = `([place, property, value]) => {
  const field = document.querySelector(place);
  field[property] = value;
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
}`;
