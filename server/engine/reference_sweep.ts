// The walk over all files: every live file of the catalog, block by block through its inner
// blocks, into the book of references. Whole after a start, under a new roster, when asked, and
// now and then; in between only what changed. Memory is the book's; disk reads are inner blocks.
//
//   files (walk each) -> held (judge each held block) -> idle (changed files only)
//
// While a catalog that was emptied is rebuilt, what a walk finds is noted and nothing is forgotten
// for not being found; such a walk is never whole.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { changedFilesMax, sweepEveryMs, wantedBlocksMax } from "../../shared/base/limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { compareBallots } from "../../shared/record/ballot.ts";
import type { CatalogEntry } from "../../shared/record/catalog_entry.ts";
import { decodeFileRecord } from "../../shared/record/file_record.ts";
import { getVerified } from "../disk/verified_store.ts";
import type { Catalog } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import { blocksOf } from "./dag_blocks.ts";
import type { References } from "./references.ts";
import type { WantedView } from "./wanted.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface ReferenceSweepOptions {
  readonly catalog: Pick<Catalog, "names" | "onChange" | "count" | "get" | "rebuilding">;
  readonly store: BlockStore;
  readonly references: References;
  readonly workers: Pick<Workers, "start">;
  readonly clock: Clock;
  /** Whether there is a roster and a compared catalog to judge by. */
  readonly ready: () => boolean;
  /** An inner block that is not here, from any holder, verified. */
  readonly fetchInner: (cid: Cid, signal: AbortSignal) => Promise<Uint8Array>;
}

/** A whole walk that has ended. */
export interface WholeWalk {
  readonly pass: number;
  /** When it began: what is put later is not judged by it. */
  readonly startedAt: number;
  /** Files of which inner blocks could not be had. */
  readonly unknownFiles: number;
}

const everyMs = 2_000;
const pageFiles = 32;
const filesAtOnce = 4;
const pageHeld = 500;
/** Blocks between two turns of the event loop. */
const blocksPerTurn = 128;

type Walking =
  | { readonly kind: "idle" }
  | { readonly kind: "files"; readonly after: string | undefined; readonly walked: number }
  | { readonly kind: "held"; readonly after: Cid | undefined; readonly judged: number };

/** The walk, and from it whether and how much is missing and surplus. */
export class ReferenceSweep implements WantedView {
  readonly #options: ReferenceSweepOptions;
  readonly #changed = new Map<string, CatalogEntry>();
  readonly #unknown = new Map<string, CatalogEntry>();
  readonly #ended = new Set<(walk: WholeWalk) => void>();
  #wake: () => void = () => undefined;
  #walking: Walking = { kind: "idle" };
  #pass = 0;
  #startedAt = 0;
  /** A whole walk is due: at the start, always. */
  #due = true;
  #known = false;
  #outdated = false;
  /** The last walk ended over a catalog that was still being rebuilt. */
  #partial = false;
  #whole: WholeWalk | undefined;

  constructor(options: ReferenceSweepOptions) {
    this.#options = options;
  }

  start(): void {
    const { catalog, workers } = this.#options;
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = workers.start({ name: "references", everyMs, step }).wake;
    catalog.onChange((changes) => {
      for (const { entry, before } of changes) {
        this.changed(entry);
        if (before !== undefined && !before.value.deleted) this.#outdated = true;
      }
    });
  }

  get known(): boolean {
    return this.#known;
  }

  get missing(): number {
    return this.#options.references.wanted.size;
  }

  get surplus(): number {
    return this.#options.references.surplus;
  }

  /** The last whole walk, and the number of the next one asked for. */
  get whole(): WholeWalk | undefined {
    return this.#whole;
  }

  /** Whether files were deleted or replaced since the last whole walk began. */
  get outdated(): boolean {
    return this.#outdated;
  }

  /** Files whose inner blocks nobody could give so far. */
  get unknownFiles(): number {
    return this.#unknown.size;
  }

  /** Walks everything anew, from now. @returns its pass: `whole.pass` reaches it at the end */
  request(): number {
    this.#due = true;
    this.#wake();
    return this.#pass + 1;
  }

  /** Owners changed: lists are judged by the new ones, and everything is walked again. */
  rosterChanged(): void {
    this.#known = false;
    this.#options.references.rosterChanged();
    this.request();
  }

  /** A file's record or its inner blocks are new here. */
  changed(entry: CatalogEntry): void {
    const { kind, name } = entry.key;
    if (kind !== "file") return;
    // What an earlier version referenced must not be noted any more.
    this.#changed.delete(name);
    this.#unknown.delete(name);
    if (entry.value.deleted) return;
    if (this.#changed.size >= changedFilesMax) this.#due = true;
    else this.#changed.set(name, entry);
    this.#wake();
  }

  /** Resolves when a walk of this pass or a later one has ended. @throws the signal's reason */
  untilWhole(pass: number, signal?: AbortSignal): Promise<WholeWalk> {
    return new Promise((resolve, reject) => {
      if (this.#whole !== undefined && this.#whole.pass >= pass) return resolve(this.#whole);
      const ended = (walk: WholeWalk) => {
        if (walk.pass < pass) return;
        this.#ended.delete(ended);
        signal?.removeEventListener("abort", left);
        resolve(walk);
      };
      const left = () => {
        this.#ended.delete(ended);
        reject(signal?.reason);
      };
      this.#ended.add(ended);
      if (signal?.aborted) left();
      else signal?.addEventListener("abort", left, { once: true });
    });
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { ready, clock, catalog } = this.#options;
    if (!ready()) return { more: false, progress: "waiting for roster and catalog" };
    if (this.#partial && !catalog.rebuilding) this.#due = true;
    if (this.#due || (this.#walking.kind === "idle" && this.#isStale(clock.now()))) this.#begin();
    await this.#walkChanged(signal);
    switch (this.#walking.kind) {
      case "files":
        await this.#walkPage(this.#walking, signal);
        break;
      case "held":
        await this.#judgePage(this.#walking);
        break;
      case "idle":
        return { more: false, progress: this.#progress() };
    }
    return { more: true, progress: this.#progress() };
  }

  #begin(): void {
    this.#due = false;
    this.#partial = false;
    this.#outdated = false;
    this.#pass++;
    this.#startedAt = this.#options.clock.now();
    this.#unknown.clear();
    this.#options.references.beginWalk();
    this.#walking = { kind: "files", after: undefined, walked: 0 };
  }

  #isStale(now: number): boolean {
    const { wanted } = this.#options.references;
    if (wanted.overflow && wanted.size < wantedBlocksMax / 2) return true;
    return now - this.#startedAt >= sweepEveryMs;
  }

  /** Files that changed since, and those whose inner blocks were not to be had. */
  async #walkChanged(signal: AbortSignal): Promise<void> {
    const entries = [...this.#changed.values()];
    this.#changed.clear();
    if (this.#walking.kind === "idle") {
      entries.push(...this.#unknown.values());
      this.#unknown.clear();
    }
    await this.#walkAll(entries, signal);
  }

  async #walkPage(
    at: Extract<Walking, { kind: "files" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { catalog, references, clock } = this.#options;
    const pass = this.#pass;
    const page = catalog.names("file", { prefix: "", after: at.after, limit: pageFiles });
    await this.#walkAll(page, signal);
    await clock.sleep(0, signal);
    if (this.#due || pass !== this.#pass) return;
    const walked = at.walked + page.length;
    const last = page.at(-1);
    if (page.length === pageFiles && last !== undefined) {
      this.#walking = { kind: "files", after: last.key.name, walked };
      return;
    }
    if (catalog.rebuilding) {
      this.#partial = true;
      this.#known = false;
      this.#walking = { kind: "idle" };
      return;
    }
    references.endWalk(pass);
    this.#walking = { kind: "held", after: undefined, judged: 0 };
  }

  async #judgePage(at: Extract<Walking, { kind: "held" }>): Promise<void> {
    const { store, references, clock } = this.#options;
    const page = store.list(at.after, pageHeld);
    for (const { cid } of page) references.rejudge(cid);
    await clock.sleep(0);
    const last = page.at(-1);
    if (page.length === pageHeld && last !== undefined) {
      this.#walking = { kind: "held", after: last.cid, judged: at.judged + page.length };
      return;
    }
    this.#walking = { kind: "idle" };
    if (this.#due) return;
    this.#known = true;
    const unknownFiles = this.#unknown.size;
    this.#whole = { pass: this.#pass, startedAt: this.#startedAt, unknownFiles };
    for (const listener of this.#ended) listener(this.#whole);
  }

  async #walkAll(entries: readonly CatalogEntry[], signal: AbortSignal): Promise<void> {
    const waiting = [...entries];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (!await this.#walk(next, signal)) this.#unknown.set(next.key.name, next);
      }
    };
    await Promise.all(Array.from({ length: filesAtOnce }, work));
  }

  /** Walks one file. @returns false when an inner block is not to be had now */
  async #walk(entry: CatalogEntry, signal: AbortSignal): Promise<boolean> {
    const { references, clock, catalog } = this.#options;
    const file = decodeFileRecord(entry.value.body);
    if (file === undefined) return true;
    const use = { name: entry.key.name, replicas: file.replicas };
    const load = (cid: Cid) => this.#load(cid, signal);
    let blocks = 0;
    try {
      for await (const block of blocksOf({ root: file.cid, size: file.size }, load)) {
        references.note(block, use, this.#pass);
        if (++blocks % blocksPerTurn > 0) continue;
        await clock.sleep(0, signal);
        signal.throwIfAborted();
      }
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SkyringError) || error.code === "disk_failed") throw error;
      // A version that was deleted or replaced meanwhile is nobody's concern any more.
      const now = catalog.get(entry.key)?.value.version;
      return now === undefined || compareBallots(now, entry.value.version) !== 0;
    }
  }

  async #load(cid: Cid, signal: AbortSignal): Promise<Uint8Array> {
    const { store, fetchInner } = this.#options;
    const held = await getVerified(store, cid);
    if (held !== undefined) return held;
    const bytes = await fetchInner(cid, signal);
    const outcome = await store.put(cid, bytes, "inner");
    if (outcome.ok) return bytes;
    throw new SkyringError(outcome.code, `Cannot keep inner block ${cid}: no room`, {
      data: { cid, freeBytes: outcome.freeBytes },
      retriable: true,
    });
  }

  #progress(): string {
    if (this.#partial) return "walked what there is: the catalog is being rebuilt";
    const unknown = this.#unknown.size === 0 ? "" : `, ${this.#unknown.size} files unknown`;
    switch (this.#walking.kind) {
      case "files": {
        const all = this.#options.catalog.count("file");
        return `${this.#walking.walked} of ${all} files walked${unknown}`;
      }
      case "held":
        return `${this.#walking.judged} held blocks judged${unknown}`;
      case "idle":
        return `${this.#options.references.table.size} blocks referenced here${unknown}`;
    }
  }
}
