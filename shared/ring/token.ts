// Tokens: a node's placement points on the ring. Their number follows from the capacity it
// offers, their positions from its id alone, so a resize only adds or takes away the last ones
// and a roster needs to carry neither.
//
// One SHA-256 gives five positions (6 bytes each): the largest roster has two million tokens.

import { sha256Text } from "../base/hash.ts";
import type { NodeId } from "../base/ids.ts";
import { tokenCapacityUnitBytes, tokensMax, tokensMin, tokensPerUnit } from "../base/limits.ts";
import { arcLength } from "./slot.ts";

const positionBytes = 6;
const positionsPerDigest = 5;

/** Tokens of a node that offers `capacity` bytes: in proportion, within fixed bounds. */
export function tokenCount(capacity: number): number {
  const count = Math.round((tokensPerUnit * capacity) / tokenCapacityUnitBytes);
  return Math.min(tokensMax, Math.max(tokensMin, count));
}

/**
 * Positions of a node's first `count` tokens, in drawing order (not sorted): token i is taken
 * from SHA-256(`id/floor(i / 5)`), bytes 6 (i mod 5) and on: 14 bits of slot, 30 of offset.
 * @returns positions in [0, ringLength)
 */
export function tokenPositions(id: NodeId, count: number): Float64Array {
  const positions = new Float64Array(count);
  let digest = viewOf(new Uint8Array(0));
  for (let index = 0; index < count; index++) {
    const part = index % positionsPerDigest;
    if (part === 0) digest = viewOf(sha256Text(`${id}/${index / positionsPerDigest}`));
    const slot = digest.getUint16(part * positionBytes) >>> 2;
    const offset = digest.getUint32(part * positionBytes + 2) >>> 2;
    positions[index] = slot * arcLength + offset;
  }
  return positions;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
