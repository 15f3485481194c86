// The catalog of one node: a copy of every decided file and set record, for listing and for
// knowing what to store. It needs no agreement: entries come from decided registers, later
// versions win, and copies converge by comparison (catalog_sync.ts).
//
// Invariants: merges run one after another, so that no older entry overwrites a newer one; the
// fingerprint tree changes only after its entries are durable; listeners hear of durable entries.

import { createHash } from "node:crypto";
import {
  type CatalogEntry,
  type EntryMark,
  entrySupersedes,
  markOf,
} from "../../shared/record/catalog_entry.ts";
import {
  FingerprintTree,
  pointsOfRange,
  type TreeRange,
} from "../../shared/record/fingerprint_tree.ts";
import type { CatalogView } from "../../shared/record/reconcile.ts";
import type { RecordKey, RecordKind } from "../../shared/record/value.ts";
import {
  clearCatalog,
  completeEntry,
  dropEntry,
  endRebuilding,
  putEntry,
  readAfter,
  readDeleted,
  readEntry,
  readIncomplete,
  readMarked,
  readMarks,
  readNames,
  readNamesOnly,
  readOldTombstones,
  readRebuilding,
  scanMarks,
} from "../disk/catalog_table.ts";
import type { Database } from "../disk/database.ts";

/** An entry that became part of the catalog, with its mark. */
export interface CatalogChange {
  readonly entry: CatalogEntry;
  readonly mark: EntryMark;
  /** What it replaced. */
  readonly before: CatalogEntry | undefined;
}

export interface CatalogOptions {
  readonly database: Database;
  readonly tombstoneAgeMs: number;
  readonly now: () => number;
  /** Whether all inner blocks that an entry needs are held already. */
  readonly isComplete: (entry: CatalogEntry) => boolean;
}

const tombstonesDroppedAtOnce = 500;
/** Entries of several merges that go into one commit. */
const mergedEntriesMax = 500;

interface Waiting {
  readonly entries: readonly CatalogEntry[];
  readonly era: number;
  readonly resolve: (changes: readonly CatalogChange[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The catalog of this node. Methods throw as Database.read() and write() do. */
export class Catalog implements CatalogView {
  readonly #options: CatalogOptions;
  #tree = new FingerprintTree();
  #live = new Map<RecordKind, number>();
  #queue: Promise<unknown> = Promise.resolve();
  /** Merges asked for whose turn has not come: all of them share one commit. */
  #waiting: Waiting[] = [];
  #cleared = 0;
  #era = 0;
  readonly #listeners: ((changes: readonly CatalogChange[]) => void)[] = [];

  private constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** Opens the catalog and builds its fingerprints, a page at a time. @throws as Database.read() */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const catalog = new Catalog(options);
    for await (const page of scanMarks(options.database)) {
      for (const { point, id } of page) catalog.#tree.add(point, id);
    }
    const counts = options.database.read<{ kind: RecordKind; count: number }>(
      "SELECT kind, count(*) AS count FROM catalog WHERE deleted = 0 GROUP BY kind",
    );
    for (const { kind, count } of counts) catalog.#live.set(kind, count);
    return catalog;
  }

  /**
   * Takes entries newer than what is held; resolves with the changes once they are durable. Who
   * asked others for them says in which `era`: what was asked for before the catalog was emptied
   * may be another lineage's, whose versions would stand above ours for ever.
   */
  merge(
    entries: readonly CatalogEntry[],
    era: number = this.#era,
  ): Promise<readonly CatalogChange[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly CatalogChange[]>();
    this.#waiting.push({ entries, era, resolve, reject });
    void this.#inTurn(() => this.#mergeWaiting());
    return promise;
  }

  /** The entry under a key; undefined when unknown or deleted. */
  get(key: RecordKey): CatalogEntry | undefined {
    const entry = readEntry(this.#options.database, key);
    return entry?.value.deleted ? undefined : entry;
  }

  /** The entry under a key, a tombstone included. */
  getAny(key: RecordKey): CatalogEntry | undefined {
    return readEntry(this.#options.database, key);
  }

  /** Live entries by name, in byte order. */
  names(
    kind: RecordKind,
    page: { prefix: string; after: string | undefined; limit: number },
  ): CatalogEntry[] {
    return readNames(this.#options.database, kind, page);
  }

  /** Live names by byte order, without what they point to. */
  namesOnly(
    kind: RecordKind,
    page: { prefix: string; after: string | undefined; limit: number },
  ): string[] {
    return readNamesOnly(this.#options.database, kind, page);
  }

  /** Tombstones made after a wall time, the last first. */
  deleted(kind: RecordKind, page: { afterMs: number; limit: number }): CatalogEntry[] {
    return readDeleted(this.#options.database, kind, page);
  }

  /** Live entries of a kind. */
  count(kind: RecordKind): number {
    return this.#live.get(kind) ?? 0;
  }

  /** Live files whose inner blocks are not all here. */
  incomplete(after: string | undefined, limit: number): CatalogEntry[] {
    return readIncomplete(this.#options.database, "file", { prefix: "", after, limit });
  }

  /** Says that all inner blocks of an entry are held. */
  async setComplete(entry: CatalogEntry): Promise<void> {
    await this.#options.database.write([completeEntry(markOf(entry, sha256))]);
  }

  fingerprint(range: TreeRange) {
    return this.#tree.at(range);
  }

  marksIn(range: TreeRange): readonly EntryMark[] {
    return readMarks(this.#options.database, pointsOfRange(range));
  }

  /** Entries still held under these marks. */
  marked(marks: readonly EntryMark[]): CatalogEntry[] {
    return marks.flatMap((mark) => readMarked(this.#options.database, mark) ?? []);
  }

  /** All entries after a key, tombstones included, in order of the keys; from the first if null. */
  page(options: { after: RecordKey | null; limit: number }): CatalogEntry[] {
    return readAfter(this.#options.database, options);
  }

  /** Which of these marks are not held. */
  missing(marks: readonly EntryMark[]): EntryMark[] {
    return marks.filter((mark) => readMarked(this.#options.database, mark) === undefined);
  }

  /** Called with every batch of durable changes, in order. Listeners must not throw. */
  onChange(listener: (changes: readonly CatalogChange[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether it was emptied and may lack files since: nothing may be judged unreferenced by it. */
  get rebuilding(): boolean {
    return readRebuilding(this.#options.database);
  }

  /** Changes as soon as it is to be emptied: see merge(). */
  get era(): number {
    return this.#era;
  }

  /** Times that it was emptied since the start. */
  get cleared(): number {
    return this.#cleared;
  }

  /** All registers were compared since it was emptied for the `cleared`th time. */
  rebuilt(cleared: number): Promise<void> {
    return this.#inTurn(async () => {
      if (cleared === this.#cleared) await this.#options.database.write([endRebuilding]);
    });
  }

  /** Drops everything: another lineage's records, or copies too old to be trusted (T4). */
  clear(): Promise<void> {
    this.#era++;
    return this.#inTurn(async () => {
      await this.#options.database.write([...clearCatalog]);
      this.#cleared++;
      this.#tree = new FingerprintTree();
      this.#live.clear();
    });
  }

  /** Drops tombstones past their age; their registers keep their own rules. */
  dropOldTombstones(): Promise<number> {
    return this.#inTurn(async () => {
      const beforeMs = this.#options.now() - this.#options.tombstoneAgeMs;
      const marks = readOldTombstones(this.#options.database, {
        beforeMs,
        limit: tombstonesDroppedAtOnce,
      });
      if (marks.length === 0) return 0;
      await this.#options.database.write(marks.map(dropEntry));
      for (const { point, id } of marks) this.#tree.remove(point, id);
      return marks.length;
    });
  }

  /** Resolves when the merges asked for so far are done. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  /** Never rejects: each caller is told of its own entries, or of the failure. */
  async #mergeWaiting(): Promise<void> {
    let count = 0;
    let entries = 0;
    for (const each of this.#waiting) {
      entries += each.entries.length;
      if (count > 0 && entries > mergedEntriesMax) break;
      count++;
    }
    const group = this.#waiting.splice(0, count);
    if (group.length === 0) return;
    try {
      const changes = await this.#merge(
        group.flatMap(({ era, entries }) => era === this.#era ? entries : []),
      );
      for (const each of group) {
        const own = new Set(each.entries);
        each.resolve(changes.filter(({ entry }) => own.has(entry)));
      }
    } catch (error) {
      for (const each of group) each.reject(error);
    }
  }

  async #merge(entries: readonly CatalogEntry[]): Promise<readonly CatalogChange[]> {
    const changes = this.#newerOf(entries);
    if (changes.length === 0) return changes;
    const statements = changes.map(({ entry, mark }) =>
      putEntry(entry, { mark, complete: this.#options.isComplete(entry) })
    );
    await this.#options.database.write(statements);
    for (const { entry, mark, before } of changes) {
      if (before !== undefined) {
        const old = markOf(before, sha256);
        this.#tree.remove(old.point, old.id);
      }
      this.#tree.add(mark.point, mark.id);
      this.#countLive(entry, before);
    }
    for (const listener of this.#listeners) listener(changes);
    return changes;
  }

  /** The latest entry of each key among `entries`, where it is later than what is held. */
  #newerOf(entries: readonly CatalogEntry[]): CatalogChange[] {
    const oldest = this.#options.now() - this.#options.tombstoneAgeMs;
    const changes = new Map<string, CatalogChange>();
    for (const entry of entries) {
      // A tombstone past its age was dropped here already, or will be: it must not come back.
      if (entry.value.deleted && entry.value.stamp[0] < oldest) continue;
      const key = `${entry.key.kind}\0${entry.key.name}`;
      const chosen = changes.get(key);
      const before = chosen === undefined
        ? readEntry(this.#options.database, entry.key)
        : chosen.before;
      if (!entrySupersedes(entry.value, chosen?.entry.value ?? before?.value)) continue;
      changes.set(key, { entry, mark: markOf(entry, sha256), before });
    }
    return [...changes.values()];
  }

  #countLive(entry: CatalogEntry, before: CatalogEntry | undefined): void {
    const was = before !== undefined && !before.value.deleted ? 1 : 0;
    const is = entry.value.deleted ? 0 : 1;
    this.#live.set(entry.key.kind, this.count(entry.key.kind) + is - was);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined); // the caller of `turn` is told; the next goes on
    return turn;
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
