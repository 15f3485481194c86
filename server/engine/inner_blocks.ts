// Brings the inner blocks of every file to this node: with the catalog they say what there is to
// store, without asking anyone. One file at a time is completed, several are under way.
//
// Invariant: an entry is marked complete only when every inner block below its root is held.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { codecOf } from "../../shared/block/cid.ts";
import type { CatalogEntry } from "../../shared/record/catalog_entry.ts";
import { decodeFileRecord } from "../../shared/record/file_record.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import type { Catalog } from "./catalog.ts";
import { blocksOf } from "./dag_blocks.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface InnerBlocksOptions {
  readonly catalog: Catalog;
  readonly store: BlockStore;
  readonly workers: Workers;
  /** A block from any holder, verified. */
  readonly fetch: (cid: Cid, signal: AbortSignal) => Promise<Uint8Array>;
  /** A file's inner blocks are all here: what it needs can be worked out. */
  readonly onComplete: (entry: CatalogEntry) => void;
}

const everyMs = 10_000;
const filesAtOnce = 8;
const pageFiles = 64;

/** Whether nothing has to be fetched to know an entry's blocks. */
export function needsNoInner({ key, value }: CatalogEntry): boolean {
  if (value.deleted || key.kind !== "file") return true;
  const file = decodeFileRecord(value.body);
  return file === undefined || codecOf(file.cid) === "raw";
}

/** The loop that completes files. */
export class InnerBlocks {
  readonly #options: InnerBlocksOptions;
  #wake: () => void = () => undefined;
  /** Where the next page of incomplete files begins. */
  #after: string | undefined;
  #missing = 0;

  constructor(options: InnerBlocksOptions) {
    this.#options = options;
  }

  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = this.#options.workers.start({ name: "inner blocks", everyMs, step }).wake;
    this.#options.catalog.onChange((changes) => {
      if (changes.some(({ entry }) => !needsNoInner(entry))) this.#wake();
    });
  }

  /** Files whose inner blocks could not all be had in the last round. */
  get missing(): number {
    return this.#missing;
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const page = this.#options.catalog.incomplete(this.#after, pageFiles);
    if (this.#after === undefined) this.#missing = 0;
    const waiting = [...page];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (!await this.#complete(next, signal)) this.#missing++;
      }
    };
    await Promise.all(Array.from({ length: filesAtOnce }, work));
    const more = page.length === pageFiles;
    this.#after = more ? page.at(-1)?.key.name : undefined;
    const progress = this.#missing === 0 ? "all held" : `${this.#missing} files lack some`;
    return { more, progress };
  }

  /** Fetches what a file lacks. @returns false when a block is not to be had now */
  async #complete(entry: CatalogEntry, signal: AbortSignal): Promise<boolean> {
    const file = decodeFileRecord(entry.value.body);
    if (file === undefined) return true;
    try {
      const load = (cid: Cid) => this.#load(cid, signal);
      for await (const _block of blocksOf({ root: file.cid, size: file.size }, load)) {
        signal.throwIfAborted();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SkyringError && error.code !== "disk_failed") return false;
      throw error;
    }
    await this.#options.catalog.setComplete(entry);
    this.#options.onComplete(entry);
    return true;
  }

  async #load(cid: Cid, signal: AbortSignal): Promise<Uint8Array> {
    const held = await this.#options.store.get(cid);
    if (held !== undefined) return held;
    const bytes = await this.#options.fetch(cid, signal);
    const outcome = await this.#options.store.put(cid, bytes, "inner");
    if (outcome.ok) return bytes;
    throw new SkyringError(outcome.code, `Cannot keep inner block ${cid}: no room`, {
      data: { cid, freeBytes: outcome.freeBytes },
      retriable: true,
    });
  }
}
