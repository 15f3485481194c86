// The blocks of a tab, in IndexedDB or memory. An index in memory, made from the keys at start
// (they carry size and kind, so that no bytes are read), writes gathered into one transaction
// while the one before it runs, and a limit that is never passed: bytes on their way in count.
//
// Two ranks: blocks of files that somebody keeps, and the rest, which helps the pool; the rest
// makes room for the kept, oldest first. Bytes are hashed again whenever they are read: what a
// browser's disk did to them is not passed on.
//
// Invariant: bytes held and bytes being written together are at most `quotaBytes`.

import type { Cid } from "../../shared/base/ids.ts";
import { blockBytesMax } from "../../shared/base/limits.ts";
import type { BlockKind, PutOutcome } from "../../shared/block/block_store.ts";
import { digestOf, parseCid } from "../../shared/block/cid.ts";
import { sameDigest } from "../peer/block_hash.ts";
import type { ServedBlocks } from "../peer/block_server.ts";
import type { KeyValues } from "./key_values.ts";

/** Blocks written in one transaction at most: bytes that a failed one would cost. */
const batchBytesMax = 8 * 1024 * 1024;

interface Held {
  readonly bytes: number;
  readonly kind: BlockKind;
}

interface Write extends Held {
  readonly cid: Cid;
  readonly content: Uint8Array;
  readonly done: PromiseWithResolvers<PutOutcome>;
}

/** What a tab holds now. */
export interface TabUse {
  readonly blocks: number;
  readonly bytes: number;
  readonly quotaBytes: number;
  /** The browser refused bytes that the quota would have allowed. */
  readonly refused: boolean;
}

export interface TabStoreOptions {
  readonly values: KeyValues;
  readonly quotaBytes: number;
  readonly hash: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** The store; made by openTabStore(). */
export class TabStore implements ServedBlocks {
  readonly #values: KeyValues;
  readonly #hash: TabStoreOptions["hash"];
  readonly #held = new Map<Cid, Held>();
  readonly #kept = new Set<Cid>();
  readonly #writes = new Map<Cid, Write>();
  #queue: Write[] = [];
  #flushing = false;
  #bytes = 0;
  #quotaBytes: number;
  #refused = false;

  constructor(options: TabStoreOptions, keys: readonly string[]) {
    this.#values = options.values;
    this.#hash = options.hash;
    this.#quotaBytes = options.quotaBytes;
    for (const key of keys) {
      const block = readKey(key);
      if (block === undefined) continue;
      this.#held.set(block.cid, { bytes: block.bytes, kind: block.kind });
      this.#bytes += block.bytes;
    }
  }

  has(cid: Cid): boolean {
    return this.#held.has(cid);
  }

  sizeOf(cid: Cid): number | undefined {
    return this.#held.get(cid)?.bytes;
  }

  use(): TabUse {
    return {
      blocks: this.#held.size,
      bytes: this.#bytes,
      quotaBytes: this.#quotaBytes,
      refused: this.#refused,
    };
  }

  /** Bytes that still fit, when all that only helps the pool makes room. */
  roomFor(purpose: "pool" | "kept"): number {
    const free = this.#quotaBytes - this.#bytes;
    if (purpose === "pool") return free;
    let spare = 0;
    for (const [cid, { bytes }] of this.#held) if (!this.#kept.has(cid)) spare += bytes;
    return free + spare;
  }

  /** Blocks that only help the pool. */
  get helping(): number {
    let count = 0;
    for (const cid of this.#held.keys()) if (!this.#kept.has(cid)) count += 1;
    return count;
  }

  /** Says which blocks belong to files that are kept; they need not be here yet. */
  setKept(cids: Iterable<Cid>): void {
    this.#kept.clear();
    for (const cid of cids) this.#kept.add(cid);
  }

  keep(cids: Iterable<Cid>): void {
    for (const cid of cids) this.#kept.add(cid);
  }

  async put(cid: Cid, bytes: Uint8Array, kind: BlockKind): Promise<PutOutcome> {
    if (this.#held.has(cid)) return { ok: true, fresh: false };
    const under = this.#writes.get(cid);
    if (under !== undefined) {
      const outcome = await under.done.promise;
      return outcome.ok ? { ok: true, fresh: false } : outcome;
    }
    // Taken before anything is awaited: two puts at once must not both find the same room.
    const missing = this.#bytes + bytes.length - this.#quotaBytes;
    let freed: Promise<void> | undefined;
    if (missing > 0) {
      if (!this.#kept.has(cid) || this.roomFor("kept") < bytes.length) {
        return { ok: false, code: "full", freeBytes: this.#quotaBytes - this.#bytes };
      }
      freed = this.#letGo(this.#oldest(missing, "pool"));
    }
    this.#bytes += bytes.length;
    // A view would drag the whole buffer behind it into the database.
    const content = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
    const done = Promise.withResolvers<PutOutcome>();
    const write: Write = { cid, content, bytes: bytes.length, kind, done };
    this.#writes.set(cid, write);
    this.#queue.push(write);
    void this.#flush();
    const [outcome] = await Promise.all([done.promise, freed]);
    return outcome;
  }

  async get(cid: Cid): Promise<Uint8Array | undefined> {
    const held = this.#held.get(cid);
    if (held === undefined) return undefined;
    const content = await this.#values.get(keyOf(cid, held));
    if (content instanceof Uint8Array && content.length === held.bytes) {
      if (sameDigest(await this.#hash(content), digestOf(cid))) return content;
    }
    // The browser lost or damaged it: it is asked for again like any other.
    await this.remove(cid);
    return undefined;
  }

  touch(_cids: readonly Cid[]): Promise<void> {
    return Promise.resolve(); // a tab has no leases: nobody counts on its copies
  }

  async remove(cid: Cid): Promise<void> {
    await this.#letGo([cid]);
  }

  /** A new limit, at once: what is over it goes, what helps the pool first. */
  async resize(quotaBytes: number): Promise<void> {
    this.#quotaBytes = quotaBytes;
    this.#refused = false;
    const over = this.#bytes - quotaBytes;
    if (over > 0) await this.#letGo(this.#oldest(over, "all"));
  }

  /** Removes everything. */
  async clear(): Promise<void> {
    this.#held.clear();
    this.#kept.clear();
    for (const { done } of this.#queue) done.resolve({ ok: false, code: "full", freeBytes: 0 });
    this.#queue = [];
    this.#writes.clear();
    this.#bytes = 0;
    await this.#values.clear();
  }

  /** Blocks whose removal frees so many bytes, oldest first; kept ones last, or not at all. */
  #oldest(bytes: number, which: "pool" | "all"): Cid[] {
    const chosen: Cid[] = [];
    let freed = 0;
    for (const kept of which === "all" ? [false, true] : [false]) {
      for (const [cid, held] of this.#held) {
        if (freed >= bytes) return chosen;
        if (this.#kept.has(cid) !== kept) continue;
        chosen.push(cid);
        freed += held.bytes;
      }
    }
    return chosen;
  }

  async #letGo(cids: readonly Cid[]): Promise<void> {
    const keys: string[] = [];
    for (const cid of cids) {
      const held = this.#held.get(cid);
      if (held === undefined) continue;
      this.#held.delete(cid);
      this.#bytes -= held.bytes;
      keys.push(keyOf(cid, held));
    }
    if (keys.length > 0) await this.#values.delMany(keys);
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#queue.length > 0) {
      const batch = nextBatch(this.#queue);
      let failed = false;
      try {
        await this.#values.setMany(batch.map((write) => [keyOf(write.cid, write), write.content]));
      } catch {
        failed = true; // no room on this device, whatever it promised: told by `refused`
        this.#refused = true;
      }
      for (const write of batch) this.#settle(write, failed);
    }
    this.#flushing = false;
  }

  #settle(write: Write, failed: boolean): void {
    const { cid, bytes, kind, done } = write;
    // Forgotten while it was being written: its bytes went with everything else.
    if (this.#writes.get(cid) !== write) {
      const gone = () => done.resolve({ ok: false, code: "full", freeBytes: 0 });
      this.#values.delMany([keyOf(cid, write)]).then(gone, done.reject);
      return;
    }
    this.#writes.delete(cid);
    if (failed) {
      this.#bytes -= bytes;
      return done.resolve({ ok: false, code: "full", freeBytes: 0 });
    }
    this.#held.set(cid, { bytes, kind });
    done.resolve({ ok: true, fresh: true });
  }
}

/** Opens the store over these values; what they hold is held. */
export async function openTabStore(options: TabStoreOptions): Promise<TabStore> {
  const store = new TabStore(options, await options.values.keys());
  await store.resize(options.quotaBytes);
  return store;
}

function nextBatch(queue: Write[]): Write[] {
  const batch: Write[] = [];
  let bytes = 0;
  for (let next = queue[0]; next !== undefined; next = queue[0]) {
    if (batch.length > 0 && bytes + next.bytes > batchBytesMax) break;
    queue.shift();
    batch.push(next);
    bytes += next.bytes;
  }
  return batch;
}

function keyOf(cid: Cid, { bytes, kind }: Held): string {
  return `${cid}.${bytes}.${kind}`;
}

function readKey(key: string): (Held & { readonly cid: Cid }) | undefined {
  const match = /^([a-z2-7]+)\.(\d+)\.(leaf|inner)$/.exec(key);
  const parsed = parseCid(match?.[1] ?? "");
  const bytes = Number(match?.[2]);
  if (!parsed.ok || !(bytes <= blockBytesMax)) return undefined;
  return { cid: parsed.cid, bytes, kind: match?.[3] === "inner" ? "inner" : "leaf" };
}
