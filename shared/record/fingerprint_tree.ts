// Fingerprints of ranges of the catalog: two nodes find the few entries in which they differ by
// comparing fingerprints of ever smaller ranges, so the cost grows with the difference and not
// with the size.
//
//   point (48 bits of SHA-256 of the key)          depth 0: all
//   |aaaa|bbbb|cccc|dddd|...                        depth 1: 16 ranges, by aaaa
//                                                   depth 4: 65,536 ranges, the leaves
//
// A fingerprint is the sum of the 128-bit ids of the range's entries, as four sums of 32-bit words,
// with their count. Adding and removing an entry are both a few additions.
// Members are honest; a sum is enough, and it can be taken apart.
// Source: Meyer, "Range-Based Set Reconciliation" (SRDS 2023), with fixed dyadic ranges.

import { assert } from "../base/assert.ts";

/** Levels below the root; each splits a range into 16. */
export const treeDepth = 4;
const fanoutBits = 4;
/** Children of one range. */
export const treeFanout = 1 << fanoutBits;
const pointBits = 48;
const words = 5; // four of the sum, one count

/** Bytes of an entry's id. */
export const entryIdBytes = 16;

/** A range of points: the `depth` first hex digits of a point, as an index in [0, 16^depth). */
export interface TreeRange {
  readonly depth: number;
  readonly index: number;
}

/** What two nodes compare: equal prints mean equal entries. */
export interface Fingerprint {
  readonly count: number;
  /** 16 bytes. */
  readonly sum: Uint8Array;
}

/** Fingerprints of all ranges, kept while entries come and go. About 1.4 MB. */
export class FingerprintTree {
  readonly #levels: Uint32Array[];

  constructor() {
    this.#levels = Array.from(
      { length: treeDepth + 1 },
      (_, depth) => new Uint32Array(treeFanout ** depth * words),
    );
  }

  /** Adds an entry by its point (integer below 2^48) and id (16 bytes). */
  add(point: number, id: Uint8Array): void {
    this.#apply(point, id, 1);
  }

  /** Takes away an entry that was added with the same point and id. */
  remove(point: number, id: Uint8Array): void {
    this.#apply(point, id, -1);
  }

  /** The fingerprint of one range. */
  at({ depth, index }: TreeRange): Fingerprint {
    const level = this.#levels[depth];
    assert(level !== undefined && index * words < level.length, "range outside the tree");
    const start = index * words;
    const sum = new Uint8Array(entryIdBytes);
    const view = new DataView(sum.buffer);
    for (let word = 0; word < 4; word++) view.setUint32(word * 4, level[start + word] ?? 0, true);
    return { count: level[start + 4] ?? 0, sum };
  }

  #apply(point: number, id: Uint8Array, sign: 1 | -1): void {
    assert(id.length === entryIdBytes, "entry id of a wrong length");
    const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
    for (let depth = 0; depth <= treeDepth; depth++) {
      const level = this.#levels[depth] as Uint32Array;
      const start = rangeOfPoint(point, depth).index * words;
      for (let word = 0; word < 4; word++) {
        // Four independent sums modulo 2^32: no carries, and as hard to collide by chance.
        level[start + word] = (level[start + word] ?? 0) + sign * view.getUint32(word * 4, true);
      }
      level[start + 4] = (level[start + 4] ?? 0) + sign;
    }
  }
}

/** The range of `depth` in which a point lies. */
export function rangeOfPoint(point: number, depth: number): TreeRange {
  return { depth, index: Math.floor(point / 2 ** (pointBits - depth * fanoutBits)) };
}

/** First point of a range, and the first beyond it. */
export function pointsOfRange({ depth, index }: TreeRange): { from: number; to: number } {
  const width = 2 ** (pointBits - depth * fanoutBits);
  return { from: index * width, to: (index + 1) * width };
}

/** The 16 ranges into which a range splits; none for a leaf. */
export function childrenOfRange({ depth, index }: TreeRange): TreeRange[] {
  if (depth >= treeDepth) return [];
  return Array.from(
    { length: treeFanout },
    (_, child) => ({ depth: depth + 1, index: index * treeFanout + child }),
  );
}

/** Whether two fingerprints say that the entries are the same. */
export function sameFingerprint(left: Fingerprint, right: Fingerprint): boolean {
  if (left.count !== right.count) return false;
  return left.sum.every((byte, index) => byte === right.sum[index]);
}
