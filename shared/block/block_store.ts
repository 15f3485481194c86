// The port through which everything on a node reaches block bytes. Implementations: block files
// with SQLite (server/disk), memory (edge nodes, tests), and wrappers around them; a tab's store
// (web/tab/tab_store.ts) has the part of it that serving needs.
// All of them pass tests/contract/block_store_contract.ts.
//
// Invariants: bytes under a CID match it (the caller hashed them once, at the door); a resolved
// put() is durable; get() of a held block returns exactly the bytes that were put.

import type { Cid } from "../base/ids.ts";

/** What one put() did. `full`: the block was refused, nothing changed. */
export type PutOutcome =
  | { readonly ok: true; readonly fresh: boolean }
  | { readonly ok: false; readonly code: "full" | "metadata_full"; readonly freeBytes: number };

/** Bytes and blocks held, against their limits. Block bytes and metadata are counted apart. */
export interface StoreUse {
  readonly blocks: number;
  readonly blockBytes: number;
  readonly capacityBytes: number;
  readonly metadataBytes: number;
  readonly metadataBytesMax: number;
  /** A state, not an instant: set when a put was refused, cleared below 90 %. */
  readonly full: boolean;
}

/** Content-addressed bytes on one node. */
export interface BlockStore {
  /**
   * Stores a block whose bytes were already checked against `cid`; resolves once durable.
   * `kind` "inner" counts as metadata, "leaf" as block bytes. A block already held is read back:
   * its lease is renewed, also when the store is full, or these bytes replace what is not the same.
   * The bytes must not change until this resolves.
   * @throws {SkyringError} disk_failed: the node must stop; busy: too many puts wait; stopped
   */
  put(cid: Cid, bytes: Uint8Array, kind: BlockKind): Promise<PutOutcome>;
  /**
   * The bytes, or undefined when not held. Not re-hashed: see server/disk/verified_store.ts.
   * @throws {SkyringError} corrupt: this block cannot be read; busy; disk_failed
   */
  get(cid: Cid): Promise<Uint8Array | undefined>;
  /** Whether the block is held and durable; no I/O beyond an index. */
  has(cid: Cid): boolean;
  /** Size in bytes, or undefined when not held. */
  sizeOf(cid: Cid): number | undefined;
  /** Removes a block; false when it was not held. Durable when resolved. */
  remove(cid: Cid): Promise<boolean>;
  /** Moves a block out of sight unless it matches its CID, keeping its bytes for inspection. */
  quarantine(cid: Cid): Promise<void>;
  /** Renews the lease of blocks that a push put or asked for (collector rule, section 7). */
  touch(cids: readonly Cid[]): Promise<void>;
  /** Held blocks in the order of their CID texts after `after`, at most `limit`. */
  list(after: Cid | undefined, limit: number): readonly HeldBlock[];
  use(): StoreUse;
  /** New hard limit for block bytes; may be below what is used (then `full`). */
  resize(capacityBytes: number): void;
  stop(): Promise<void>;
}

export type BlockKind = "leaf" | "inner";

export interface HeldBlock {
  readonly cid: Cid;
  readonly bytes: number;
  readonly kind: BlockKind;
  /** Milliseconds since the epoch: last put, or last asked for by a push. */
  readonly touchedAt: number;
  /** Milliseconds since the epoch: last time the bytes were read back and matched. */
  readonly verifiedAt: number;
}

/** A store whose blocks can be read back, vouched for and let go: what upkeep needs beside. */
export interface VerifiableStore extends BlockStore {
  /** Notes that these blocks were read back now and matched. Durable when resolved. */
  markVerified(cids: readonly Cid[]): Promise<void>;
  /**
   * Removes a block whose lease was last renewed before `touchedBefore` (ms since the epoch).
   * A renewal that resolved before this call was made always saves the block.
   * @returns false when it was not held or its lease is newer. Durable when resolved.
   */
  removeUntouched(cid: Cid, touchedBefore: number): Promise<boolean>;
}
