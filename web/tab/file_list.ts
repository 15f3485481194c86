// The files of a tab: those that somebody keeps, and those that were added here. Their records lie
// beside the identity, so that a tab that comes back knows which of its blocks belong to what
// without asking anybody.

import * as v from "valibot";
import type { Cid } from "../../shared/base/ids.ts";
import { codecOf, parseCid } from "../../shared/block/cid.ts";
import type { KeyValues } from "./key_values.ts";
import type { CellRun, TabFile } from "./messages.ts";
import type { TabStore } from "./tab_store.ts";
import type { Taker, ToTake } from "./taker.ts";

/** Cells of a picture at most: a large file shows its worst block in each. */
const cellsMax = 600;
/** Files of one tab: each is walked, and has a row. */
export const filesMax = 200;
const prefix = "file ";

/** One file; changed by the job that works on it. */
export interface FileEntry {
  readonly name: string;
  size: number;
  root: Cid | undefined;
  /** All its blocks in the order of the file, once they are known. */
  blocks: readonly ToTake[];
  phase: TabFile["phase"];
  cut: number;
  note: string;
  stored: boolean;
  /** Ends the job that works on it. */
  readonly over: AbortController;
}

const savedShape = v.object({
  name: v.string(),
  size: v.number(),
  root: v.string(),
  blocks: v.array(v.string()),
  stored: v.boolean(),
  unnamed: v.boolean(),
});

/** The files, in the order in which they came. */
export class FileList {
  readonly #values: KeyValues;
  readonly #entries = new Map<string, FileEntry>();

  constructor(values: KeyValues) {
    this.#values = values;
  }

  /** Reads what was saved. */
  async load(): Promise<void> {
    for (const key of await this.#values.keys()) {
      if (!key.startsWith(prefix)) continue;
      const saved = v.safeParse(savedShape, await this.#values.get(key));
      if (!saved.success) continue;
      const { name, size, stored, unnamed } = saved.output;
      const root = cidOf(saved.output.root);
      if (root === undefined) continue;
      const blocks = saved.output.blocks.map(cidOf).filter((cid) => cid !== undefined).map(toTake);
      const phase = unnamed ? "unnamed" : "asking";
      this.#entries.set(name, { ...newEntry(name), size, root, blocks, stored, phase });
    }
  }

  get(name: string): FileEntry | undefined {
    return this.#entries.get(name);
  }

  all(): readonly FileEntry[] {
    return [...this.#entries.values()];
  }

  /** A new entry, or undefined when there are too many. */
  add(name: string, phase: FileEntry["phase"]): FileEntry | undefined {
    if (this.#entries.size >= filesMax) return undefined;
    const entry = { ...newEntry(name), phase };
    this.#entries.set(name, entry);
    return entry;
  }

  /** Keeps the record of an entry whose blocks are known. */
  async save(entry: FileEntry): Promise<void> {
    if (entry.root === undefined || this.#entries.get(entry.name) !== entry) return;
    await this.#values.setMany([[prefix + entry.name, {
      name: entry.name,
      size: entry.size,
      root: entry.root,
      blocks: entry.blocks.map(({ cid }) => cid),
      stored: entry.stored,
      unnamed: entry.phase === "unnamed" || entry.phase === "naming",
    }]]);
  }

  async drop(name: string): Promise<void> {
    this.#entries.get(name)?.over.abort();
    this.#entries.delete(name);
    await this.#values.delMany([prefix + name]);
  }

  /** Ends all jobs and empties the list; what was saved is the caller's to remove. */
  clear(): void {
    for (const entry of this.#entries.values()) entry.over.abort();
    this.#entries.clear();
  }

  /** Blocks that some file needs. */
  kept(): Cid[] {
    return this.all().flatMap(({ blocks }) => blocks.map(({ cid }) => cid));
  }
}

/** An entry as pages show it. */
export function showFile(
  entry: FileEntry,
  from: { readonly store: TabStore; readonly taker: Taker },
): TabFile {
  const { name, size, blocks, phase, cut, note, stored } = entry;
  const cells = blocks.map(({ cid }) =>
    from.store.has(cid) ? "tab" : from.taker.isComing(cid) ? "wanted" : "off"
  );
  const held = cells.filter((cell) => cell === "tab").length;
  const shown = { name, size, phase, cut, note, stored };
  return { ...shown, blocks: blocks.length, held, cells: runsOf(cells) };
}

/** A block to take: its kind follows from its codec. */
export function toTake(cid: Cid): ToTake {
  return { cid, kind: codecOf(cid) === "raw" ? "leaf" : "inner" };
}

function newEntry(name: string): FileEntry {
  return {
    ...{ name, size: 0, root: undefined, blocks: [], phase: "asking", cut: 0, note: "" },
    ...{ stored: false, over: new AbortController() },
  };
}

function cidOf(text: string): Cid | undefined {
  const parsed = parseCid(text);
  return parsed.ok ? parsed.cid : undefined;
}

function runsOf(cells: readonly CellRun[0][]): CellRun[] {
  const worst = { off: 0, wanted: 1, tab: 2 } as const;
  const width = Math.max(1, Math.ceil(cells.length / cellsMax));
  const runs: [CellRun[0], number][] = [];
  for (let at = 0; at < cells.length; at += width) {
    const cell = cells.slice(at, at + width).reduce((one, other) =>
      worst[one] <= worst[other] ? one : other
    );
    const last = runs.at(-1);
    if (last?.[0] === cell) last[1] += 1;
    else runs.push([cell, 1]);
  }
  return runs;
}
