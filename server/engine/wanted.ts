// What this node should hold and lacks: a bounded list, and the numbers that phase, status and
// netmap show. The walk over all files fills it (references.ts), repair empties it (repair.ts).
//
// Invariants: a block is listed once; when the list is full it says so, and the walk is repeated
// once there is room again, so that nothing is forgotten.

import type { Cid } from "../../shared/base/ids.ts";
import { repairRetryMs, wantedBlocksMax } from "../../shared/base/limits.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";

/** Kept up to date by whoever works out what is wanted. */
export interface WantedView {
  /** Whether it has been worked out under the present roster. */
  readonly known: boolean;
  /** Blocks owned, not held. */
  readonly missing: number;
  /** Blocks held, not owned. */
  readonly surplus: number;
}

/** One block to fetch. */
export interface WantedBlock {
  readonly cid: Cid;
  readonly kind: BlockKind;
  /** Copies that its files want. */
  readonly replicas: number;
  readonly bytes: number;
  /** A file that it is part of, where known. */
  readonly file: string | null;
}

/** A wanted block, and what came of looking for it. */
export interface SoughtBlock extends WantedBlock {
  /** When it was last looked for in vain; null when not yet. */
  readonly triedAt: number | null;
  /** Whether nobody who answered had it. */
  readonly lost: boolean;
}

interface Entry extends WantedBlock {
  /** The walk that last found it wanted. */
  pass: number;
  /** When it was last looked for in vain; -Infinity when not yet. */
  triedAt: number;
  /** Whether nobody who answered had it. */
  lost: boolean;
}

/** The list. No method throws. */
export class WantedBlocks {
  readonly #entries = new Map<Cid, Entry>();
  readonly #max: number;
  #overflow = false;

  constructor(max = wantedBlocksMax) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether blocks were left out for want of room since the last `beginWalk()`. */
  get overflow(): boolean {
    return this.#overflow;
  }

  has(cid: Cid): boolean {
    return this.#entries.has(cid);
  }

  /** A walk begins: it will name everything that does not fit now. */
  beginWalk(): void {
    this.#overflow = false;
  }

  add(block: WantedBlock, pass: number): void {
    const known = this.#entries.get(block.cid);
    if (known !== undefined) {
      known.pass = pass;
      if (known.replicas >= block.replicas) return;
    } else if (this.#entries.size >= this.#max) {
      this.#overflow = true;
      return;
    }
    const { triedAt, lost } = known ?? { triedAt: -Infinity, lost: false };
    this.#entries.set(block.cid, { ...block, pass, triedAt, lost });
  }

  delete(cid: Cid): void {
    this.#entries.delete(cid);
  }

  /** Keeps what `isWanted` says yes to. */
  retain(isWanted: (block: WantedBlock, pass: number) => boolean): void {
    for (const entry of this.#entries.values()) {
      if (!isWanted(entry, entry.pass)) this.#entries.delete(entry.cid);
    }
  }

  /** Blocks to look for now, those looked for in vain a moment ago left out. */
  due(now: number, limit: number): WantedBlock[] {
    const due: WantedBlock[] = [];
    for (const entry of this.#entries.values()) {
      if (now - entry.triedAt < repairRetryMs) continue;
      if (due.push(entry) === limit) break;
    }
    return due;
  }

  /** A block could not be had; `lost` when nobody who answered has it. */
  failed(cid: Cid, { at, lost }: { readonly at: number; readonly lost: boolean }): void {
    const entry = this.#entries.get(cid);
    if (entry === undefined) return;
    entry.triedAt = at;
    entry.lost = lost;
  }

  /** Everything is due at once: a member came back. */
  retryAll(): void {
    for (const entry of this.#entries.values()) entry.triedAt = -Infinity;
  }

  /** Blocks looked for that nobody who answered has. */
  lost(): Cid[] {
    return [...this.#entries.values()].filter(({ lost }) => lost).map(({ cid }) => cid);
  }

  /** A page in the order of the CIDs. */
  page(after: string | undefined, limit: number): SoughtBlock[] {
    const cids = [...this.#entries.keys()].filter((cid) => after === undefined || cid > after);
    return cids.sort().slice(0, limit).flatMap((cid) => {
      const entry = this.#entries.get(cid);
      if (entry === undefined) return [];
      const { kind, replicas, bytes, file, triedAt, lost } = entry;
      const tried = Number.isFinite(triedAt) ? triedAt : null;
      return [{ cid, kind, replicas, bytes, file, triedAt: tried, lost }];
    });
  }
}
