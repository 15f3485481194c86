// Which blocks that this node holds are referenced by a file, and at how many copies: one row of
// nine bytes a block, found by 64 bits of its digest. Filled by walking every file; a walk under
// way builds the next answer beside the present one, which stays in use until the walk has ended.
//
//   key      high u32 | low u32          open addressing, linear probing, at most 3/4 full
//   copies   next u4 | present u4        0 means not referenced
//
// Invariants: the table grows with what the node holds, never with the pool; two digests that
// share 64 bits share a row, which can only keep a block too long, never too short.

import { assert } from "../base/assert.ts";
import type { Cid } from "../base/ids.ts";
import { replicasMax } from "../base/limits.ts";
import { digestOf } from "../block/cid.ts";

const rowsMin = 1_024;
const fullAt = 0.75;
const presentMask = 0x0f;
const nextShift = 4;

assert(replicasMax <= presentMask, "a number of copies fits four bits");

/** References of held blocks. No method throws. */
export class ReferenceTable {
  #keys = new Uint32Array(2 * rowsMin);
  #copies = new Uint8Array(rowsMin);
  #rows = 0;

  /** Rows in use, those of blocks no longer referenced included until the next walk ends. */
  get size(): number {
    return this.#rows;
  }

  /** Notes a file with `replicas` copies (1 to replicasMax) that has this block. */
  note(cid: Cid, replicas: number): void {
    if (this.#rows + 1 > fullAt * this.#copies.length) this.#resize(2 * this.#copies.length);
    const row = this.#rowOf(keyOf(cid));
    const copies = this.#copies[row] as number;
    if (copies === 0) this.#rows++;
    const present = Math.max(copies & presentMask, replicas);
    const next = Math.max(copies >> nextShift, replicas);
    this.#copies[row] = (next << nextShift) | present;
  }

  /** Copies wanted of a block: the most that any of its files wants; 0 when none is known. */
  replicasOf(cid: Cid): number {
    return (this.#copies[this.#rowOf(keyOf(cid))] as number) & presentMask;
  }

  /** A walk of all files begins: what it does not note is no longer referenced when it ends. */
  beginWalk(): void {
    for (let row = 0; row < this.#copies.length; row++) {
      this.#copies[row] = (this.#copies[row] as number) & presentMask;
    }
  }

  /** The walk has seen every file: what it noted is the present answer now. */
  endWalk(): void {
    let rows = 0;
    for (let row = 0; row < this.#copies.length; row++) {
      const next = (this.#copies[row] as number) >> nextShift;
      this.#copies[row] = (next << nextShift) | next;
      if (next > 0) rows++;
    }
    let room = rowsMin;
    while (rows > fullAt * room / 2) room *= 2;
    this.#resize(room);
  }

  /** Copies all referenced rows into tables of another size. */
  #resize(room: number): void {
    const [keys, copies] = [this.#keys, this.#copies];
    this.#keys = new Uint32Array(2 * room);
    this.#copies = new Uint8Array(room);
    this.#rows = 0;
    for (let old = 0; old < copies.length; old++) {
      if (copies[old] === 0) continue;
      const row = this.#rowOf([keys[2 * old] as number, keys[2 * old + 1] as number]);
      this.#copies[row] = copies[old] as number;
      this.#rows++;
    }
  }

  /** The row of a key, or the free row where it belongs, with the key written there. */
  #rowOf([high, low]: readonly [number, number]): number {
    const mask = this.#copies.length - 1;
    for (let row = (high ^ low) & mask;; row = (row + 1) & mask) {
      if (this.#copies[row] === 0) {
        this.#keys[2 * row] = high;
        this.#keys[2 * row + 1] = low;
        return row;
      }
      if (this.#keys[2 * row] === high && this.#keys[2 * row + 1] === low) return row;
    }
  }
}

/** The last eight bytes of a digest: the first decide the slot, so they are alike on one node. */
function keyOf(cid: Cid): readonly [number, number] {
  const digest = digestOf(cid);
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  return [view.getUint32(24), view.getUint32(28)];
}
