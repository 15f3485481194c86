// Who confirmed which block of one push, kept small: a terabyte is four million blocks.
// One row per block in segments that grow without copying:
//
//   row   codec u8 | digest[32] | holder u8 x width        holder: index of a peer, 255 none
//
// Invariant: a holder is in a row at most once, and only after it confirmed the block durable.

import { assert } from "../../shared/base/assert.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { cidOfDigest, codecOf, digestBytes, digestOf } from "../../shared/block/cid.ts";

const segmentRows = 8_192;
const none = 255;

/** Copies confirmed in one push. Rows are numbered from 0 in the order of add(). */
export class CopyLedger {
  readonly #width: number;
  readonly #rowBytes: number;
  readonly #segments: Uint8Array[] = [];
  readonly #peers: NodeId[] = [];
  readonly #peerIndex = new Map<NodeId, number>();
  #rows = 0;

  /** @param width holders remembered per block at most */
  constructor(width: number) {
    assert(width >= 1, "a ledger remembers at least one holder");
    this.#width = width;
    this.#rowBytes = 1 + digestBytes + width;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Every peer that is or was a holder. */
  get peers(): readonly NodeId[] {
    return this.#peers;
  }

  /** Adds a block without holders. @returns its row */
  add(cid: Cid): number {
    const row = this.#rows++;
    if (row % segmentRows === 0) this.#segments.push(new Uint8Array(segmentRows * this.#rowBytes));
    const bytes = this.#row(row);
    bytes[0] = codecOf(cid) === "raw" ? 0 : 1;
    bytes.set(digestOf(cid), 1);
    bytes.fill(none, 1 + digestBytes);
    return row;
  }

  cidAt(row: number): Cid {
    const bytes = this.#row(row);
    return cidOfDigest(bytes.slice(1, 1 + digestBytes), bytes[0] === 0 ? "raw" : "dag-pb");
  }

  /** Notes a confirmed copy; forgotten when the row is full, which only undercounts. */
  confirm(row: number, peer: NodeId): void {
    const index = this.#indexOf(peer);
    const holders = this.#holders(row);
    if (index === none || holders.includes(index)) return;
    const free = holders.indexOf(none);
    if (free >= 0) holders[free] = index;
  }

  /** Takes a copy back that turned out not to be there. */
  revoke(row: number, peer: NodeId): void {
    const index = this.#peerIndex.get(peer);
    const holders = this.#holders(row);
    const at = index === undefined ? -1 : holders.indexOf(index);
    if (at >= 0) holders[at] = none;
  }

  has(row: number, peer: NodeId): boolean {
    const index = this.#peerIndex.get(peer);
    return index !== undefined && this.#holders(row).includes(index);
  }

  holdersOf(row: number): NodeId[] {
    const ids: NodeId[] = [];
    for (const index of this.#holders(row)) {
      if (index !== none) ids.push(this.#peers[index] as NodeId);
    }
    return ids;
  }

  /** Number of confirmed copies. */
  countOf(row: number): number {
    let count = 0;
    for (const index of this.#holders(row)) if (index !== none) count++;
    return count;
  }

  #row(row: number): Uint8Array {
    assert(row >= 0 && row < this.#rows, "a row was added before");
    const segment = this.#segments[Math.floor(row / segmentRows)] as Uint8Array;
    const start = (row % segmentRows) * this.#rowBytes;
    return segment.subarray(start, start + this.#rowBytes);
  }

  #holders(row: number): Uint8Array {
    return this.#row(row).subarray(1 + digestBytes);
  }

  #indexOf(peer: NodeId): number {
    const known = this.#peerIndex.get(peer);
    if (known !== undefined) return known;
    if (this.#peers.length === none) return none;
    this.#peerIndex.set(peer, this.#peers.length);
    return this.#peers.push(peer) - 1;
  }
}

/** The weakest block's copies, and the fewest distinct zones that any block lies in. */
export function weakestOf(
  ledger: CopyLedger,
  zoneOf: (id: NodeId) => string,
): { readonly least: number; readonly zones: number } {
  let least = Infinity;
  let zones = Infinity;
  for (let row = 0; row < ledger.rows; row++) {
    const holders = ledger.holdersOf(row);
    least = Math.min(least, holders.length);
    zones = Math.min(zones, new Set(holders.map(zoneOf)).size);
  }
  return ledger.rows === 0 ? { least: 0, zones: 0 } : { least, zones };
}
