// What the page of a tab says and draws, from the worker's state alone: words and markup, escaped,
// with classes and attributes only, as the strict policy wants it.

import { formatRate, formatSize } from "../../shared/base/units.ts";
import { bar } from "../charts/bar.ts";
import { glyph } from "../charts/glyph.ts";
import { row } from "../charts/row.ts";
import { spark } from "../charts/spark.ts";
import { escapeMarkup } from "../charts/svg.ts";
import { counted, listed, sinceText, sizeOf, whole } from "../pages/words.ts";
import type { TabFile, TabState } from "./messages.ts";

/** Steps of the quota's slider, in bytes. */
export const quotaSteps: readonly number[] = [
  ...[32e6, 64e6, 128e6, 256e6, 512e6, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 64e9, 128e9],
];

/** The slider's place for a quota. @throws never */
export function quotaStep(bytes: number): number {
  const at = quotaSteps.findLastIndex((step) => step <= bytes * 1.08);
  return Math.max(0, at);
}

/** The line above the title. */
export function sinceMarkup(state: TabState): string {
  if (state.mode !== "running") return "";
  const [word, tone] = state.nodes.length > 0 ? ["Seeding", "tab"] as const : [
    ...["Looking for nodes", "wanted"] as const,
  ];
  const sign = tone === "tab" ? glyph("tab", "tab") : glyph("looking", "wanted");
  const ago = sinceText(Math.max(0, state.at - state.since));
  return `<span class="copies is-${tone} tone">${sign}${word} for ${ago}</span>`;
}

/** The title. */
export function titleText(state: TabState): string {
  const copies = `${counted(state.blocks, "block")}, ${formatSize(state.bytes)},`;
  if (state.mode === "paused") return `Paused: ${copies} wait in this browser.`;
  if (state.mode === "off") {
    return state.blocks === 0 ? "This tab can seed." : `This tab keeps ${copies} and can seed.`;
  }
  const extra = state.blocks === 1 ? "1 extra copy" : `${whole(state.blocks)} extra copies`;
  if (state.nodes.length === 0) {
    return state.blocks === 0
      ? "This tab looks for its first node."
      : `This tab keeps ${extra}; no node is connected.`;
  }
  const to = counted(state.nodes.length, "node");
  if (state.blocks === 0) return `This tab is connected to ${to} and holds nothing yet.`;
  return `This tab keeps ${extra}, ${formatSize(state.bytes)}, and gives them to ${to}.`;
}

/** The words below the title. */
export function leadText(state: TabState): string {
  const copies = state.blocks === 1 ? "1 extra copy" : `${whole(state.blocks)} extra copies`;
  if (state.mode === "off") {
    return "It takes blocks of the pool, keeps them in this browser and gives them to the nodes, " +
      "until it is closed, and again when it comes back.";
  }
  if (state.mode === "paused") {
    return "It neither gives nor takes. Start it again, and the pool has these copies back.";
  }
  if (state.nodes.length === 0 && state.trouble !== null) {
    return `Not connected: ${state.trouble}. It is tried again and again.`;
  }
  if (state.blocks === 0) {
    return "Its node has named no block yet that it could take; it asks again.";
  }
  if (state.storage.kept === "memory") {
    return `Closing this tab removes ${copies} for good: this browser keeps nothing. Every block ` +
      "also has its copies on nodes.";
  }
  return `Closing this tab removes ${copies} until you come back; every block also has its ` +
    "copies on nodes. They stay in this browser.";
}

/** Notices at the top, worst first, at most two. `mine` false: another tab runs the peer. */
export function noticesMarkup(state: TabState, mine: boolean): string {
  const notices: string[] = [];
  if (state.storage.refused) {
    notices.push(notice(
      "This browser takes no more bytes.",
      "Its disk or its own limit is full; lower the space it may use, or forget some files.",
    ));
  }
  if (state.storage.kept === "memory") {
    notices.push(notice(
      "This browser keeps nothing.",
      "IndexedDB is closed to this page (a private window, perhaps): blocks lie in memory, and " +
        "are gone when the tab is closed.",
    ));
  }
  if (!mine) {
    notices.push(notice(
      "Another tab of this browser does the work.",
      "They share one identity and one store. This one goes on when that one is closed.",
    ));
  }
  if (state.insecure) {
    notices.push(notice(
      "This page came over plain HTTP from another machine.",
      "The browser gives it no promise to keep what is stored, no locks and no quick hashes: it " +
        "hashes in wasm and keeps its lock in IndexedDB. HTTPS or localhost is better.",
    ));
  }
  return notices.slice(0, 2).join("");
}

/** One notice as markup; both texts are escaped. */
export function notice(title: string, words: string): string {
  return `<div class="notice is-wanted">${glyph("suspect", "wanted")}` +
    `<p><b>${escapeMarkup(title)}</b> ${escapeMarkup(words)}</p></div>`;
}

/** The picture of the last minute. */
export function sparkMarkup(state: TabState): string {
  const label = `Taken ${formatRate(state.takenRate)}, given ${formatRate(state.givenRate)}`;
  return spark(state.series, { label, large: true });
}

/** Totals and rates. */
export function ratesMarkup(state: TabState): string {
  const cell = (name: string, amount: string, rate: string) =>
    `<div><dt>${name}</dt><dd>${amount} <span class="quiet">${rate}</span></dd></div>`;
  const rate = (bytes: number) => bytes > 0 ? `· ${formatRate(bytes)}` : "";
  const all = Math.max(state.nodesKnown, state.nodes.length);
  const of = all > 0 ? `of ${whole(all)}` : "";
  return cell("given", formatSize(state.given), rate(state.givenRate)) +
    cell("taken", formatSize(state.taken), rate(state.takenRate)) +
    cell("connected", counted(state.nodes.length, "node"), of);
}

/** What it keeps: the pool's row, then one for each file. */
export function filesMarkup(state: TabState): string {
  return helpMarkup(state) + state.files.map(fileMarkup)
    .join("");
}

function helpMarkup(state: TabState): string {
  const { on, blocks, coming, note } = state.help;
  if (!on && blocks === 0) return "";
  const cells = 100;
  const share = (count: number) => Math.min(cells, count / Math.max(1, blocks + coming) * cells);
  const held = Math.round(share(blocks));
  const picture = row([
    ...new Array<"tab">(held).fill("tab"),
    ...new Array<"wanted">(coming > 0 ? cells - held : 0).fill("wanted"),
    ...(blocks + coming === 0 ? new Array<"off">(cells).fill("off") : []),
  ], { label: `Helping the pool: ${counted(blocks, "block")}` });
  const words = note === "" ? counted(blocks, "block") : `${counted(blocks, "block")}, ${note}`;
  return `<span>Helping the pool</span>${picture}<span>${escapeMarkup(words)}</span>`;
}

function fileMarkup(file: TabFile): string {
  const name = escapeMarkup(file.name);
  const link = `<a class="clip" href="/ui/file?name=${encodeURIComponent(file.name)}" ` +
    `title="${name}">${name}</a>`;
  const cells = file.cells.flatMap(([cell, count]) => new Array<typeof cell>(count).fill(cell));
  const label = `${file.name}: ${whole(file.held)} of ${counted(file.blocks, "block")}`;
  const picture = row(cells.length === 0 ? ["off"] : cells, { label });
  const amount = file.blocks === 0
    ? phaseText(file)
    : `${whole(file.held)} of ${whole(file.blocks)}`;
  const note = file.note === "" ? "" : `<span class="quiet">${escapeMarkup(file.note)}</span>`;
  return `${link}${picture}<span>${escapeMarkup(amount)}${note} ` +
    `<button class="btn btn-bare" type="button" data-let-go="${name}">Let go</button></span>`;
}

/** Files that were added here, and how far they are. */
export function addedMarkup(state: TabState): string {
  const added = state.files.filter(({ cut, phase }) => cut > 0 || phase === "unnamed");
  return added.map((file) => {
    const name = escapeMarkup(file.name);
    const share = file.size === 0 ? 100 : Math.round(file.cut / file.size * 100);
    const waits = file.phase === "naming" ? ' class="waits"' : "";
    const again = file.phase === "unnamed"
      ? `<button class="btn btn-bare" type="button" data-name-again="${name}">Try again</button>` +
        `<button class="btn btn-bare" type="button" data-name-both="${name}">Keep both</button>`
      : "";
    return `<div class="up"><span class="clip" title="${name}">${name}</span>` +
      `<span class="soft">${escapeMarkup(phaseText(file))}</span>` +
      `<progress max="100" value="${share}"${waits} aria-label="${name}"></progress>` +
      `<span class="up-acts">${again}</span></div>`;
  }).join("");
}

function phaseText(file: TabFile): string {
  switch (file.phase) {
    case "asking":
      return "asking for it";
    case "cutting":
      return `cutting, ${sizeOf(file.cut, file.size)}`;
    case "naming":
      return "seeded from here; the nodes copy it";
    case "unnamed":
      return `seeded from here, but not named: ${file.note}`;
    case "taking":
      return "on its way here";
    case "whole":
      return file.stored ? "stored: the nodes have their copies" : "here, whole";
    case "stuck":
      return file.note;
    default:
      return file.phase satisfies never;
  }
}

/** The bar of the space it may use. */
export function spaceMarkup(state: TabState): string {
  const share = state.bytes / Math.max(1, state.quota) * 1_000;
  const label = `${sizeOf(state.bytes, state.quota)} used`;
  return bar({ tab: state.bytes > 0 ? Math.max(2, share) : 0 }, { label });
}

/** What the browser allows and promises, below the slider. */
export function quotaNote(state: TabState): string {
  const { kept, allowed, persisted } = state.storage;
  if (kept === "memory") return "A hard limit. It is memory: nothing is kept.";
  const limit = allowed === null
    ? "does not say how much it allows"
    : `allows ${formatSize(allowed)}`;
  const promise = persisted === true
    ? "has promised not to clear it"
    : persisted === false
    ? "may clear it when its disk is full"
    : "does not say whether it keeps it";
  return `A hard limit. The browser ${limit}, and ${promise}.`;
}

/** Facts about this browser. */
export function browserMarkup(state: TabState): string {
  const { kept, allowed, persisted } = state.storage;
  const room = allowed === null ? "" : `, ${formatSize(allowed)} allowed`;
  const storage = kept === "memory"
    ? "memory only, not kept"
    : `${persisted === true ? "kept" : "kept unless the disk fills"}${room}`;
  const late = state.lateMs > 0
    ? `yes: it ran ${(state.lateMs / 1_000).toFixed(1)} s late`
    : "no, it runs in a worker";
  const shared = state.tabs > 1 ? `, shared by your ${state.tabs} tabs` : "";
  const { peer } = state;
  const through = state.nodes.length === 0
    ? "no node"
    : listed(state.nodes.map(({ name }) => name));
  const line = (term: string, words: string) => `<dt>${term}</dt><dd>${words}</dd>`;
  return line("Storage", escapeMarkup(storage)) + line("Throttled", escapeMarkup(late)) +
    line(
      "Identity",
      `<code title="${escapeMarkup(peer)}">${
        escapeMarkup(`${peer.slice(0, 4)}…${peer.slice(-4)}`)
      }` +
        `</code>${shared}`,
    ) +
    line("Through", escapeMarkup(through));
}
