// How much the block store may hold: a hard capacity for leaves, another limit for metadata
// (database, its log, inner blocks), and the state of a disk that is full before either.
//
// Invariants: held bytes and bytes under way never exceed the capacity together; "full" begins
// with a refusal and ends below 90 %, so that a node at its limit does not flap; a full disk gives
// up the reserve, and takes blocks again only when the reserve could be restored.

import {
  fullEndsBelow,
  metadataBytesMin,
  metadataShare,
  reserveRetryMs,
} from "../../shared/base/limits.ts";
import type { BlockKind, PutOutcome, StoreUse } from "../../shared/block/block_store.ts";
import { readTotals } from "./block_index.ts";
import type { Database } from "./database.ts";
import type { DiskReserve } from "./disk_space.ts";

export interface SpaceOptions {
  readonly database: Database;
  readonly reserve: DiskReserve;
  readonly capacityBytes: number;
  /** Default: a tenth of the capacity, at least 1 GiB. */
  readonly metadataBytesMax?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export type Refusal = Extract<PutOutcome, { ok: false }>;

export interface BlockSpace {
  /** Claims room for a block, or says why not. A claim is given back by release(). */
  claim(kind: BlockKind, bytes: number): Refusal | undefined;
  /** Ends a claim: the block is in the totals now, or was not stored. */
  release(kind: BlockKind, bytes: number): void;
  use(): StoreUse;
  resize(capacityBytes: number): void;
  /** The disk had no room: gives up the reserve. Never throws. */
  noteDiskFull(): Promise<Refusal>;
  /** Tries to restore the reserve when something was freed, or a while after the last try. */
  recover(freed: boolean): Promise<void>;
}

/** Space of an opened database. @throws never */
export function createBlockSpace(options: SpaceOptions): BlockSpace {
  const { database, reserve, now } = options;
  const claimed: Record<BlockKind, number> = { leaf: 0, inner: 0 };
  let capacityBytes = options.capacityBytes;
  let full = false;
  let diskFull = !reserve.held();
  let triedAt = now();

  const held = () => heldOf(database);
  const metadataBytesMax = () =>
    options.metadataBytesMax ?? Math.max(metadataBytesMin, metadataShare * capacityBytes);
  const isFull = (leafBytes: number) => {
    if (leafBytes > capacityBytes) full = true;
    else if (leafBytes < fullEndsBelow * capacityBytes) full = false;
    return full || diskFull;
  };

  const claim = (kind: BlockKind, bytes: number): Refusal | undefined => {
    const used = held()[kind] + claimed[kind];
    const limit = kind === "leaf" ? capacityBytes : metadataBytesMax();
    const freeBytes = Math.max(0, limit - used);
    if (diskFull) return { ok: false, code: "full", freeBytes: 0 };
    if (kind === "leaf" && (isFull(used) || bytes > freeBytes)) {
      full = true;
      return { ok: false, code: "full", freeBytes };
    }
    if (bytes > freeBytes) return { ok: false, code: "metadata_full", freeBytes };
    claimed[kind] += bytes;
    return undefined;
  };

  const recover = async (freed: boolean) => {
    if (!diskFull || (!freed && now() - triedAt < reserveRetryMs)) return;
    triedAt = now();
    if (await reserve.restore()) diskFull = false;
  };

  return {
    claim,
    release: (kind, bytes) => {
      claimed[kind] -= bytes;
    },
    use: () => {
      const { blocks, leaf, inner } = held();
      return {
        blocks,
        blockBytes: leaf,
        capacityBytes,
        metadataBytes: inner,
        metadataBytesMax: metadataBytesMax(),
        full: isFull(leaf),
      };
    },
    resize: (bytes) => {
      capacityBytes = bytes;
    },
    noteDiskFull: async () => {
      diskFull = true;
      triedAt = now();
      await reserve.release();
      return { ok: false, code: "full", freeBytes: 0 };
    },
    recover,
  };
}

/** Bytes held by kind; the database without its small leaves counts as metadata. */
function heldOf(database: Database): Record<BlockKind | "blocks", number> {
  const totals = readTotals(database);
  const { database: databaseBytes, wal } = database.sizeBytes();
  const innerInFiles = totals.innerBytes - (totals.smallBytes - totals.smallLeafBytes);
  return {
    blocks: totals.blocks,
    leaf: totals.leafBytes,
    inner: Math.max(0, databaseBytes - totals.smallLeafBytes) + wal + innerInFiles,
  };
}
