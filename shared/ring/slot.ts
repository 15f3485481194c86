// Slots: the ring cut into equal arcs. Blocks and records are placed, compared and repaired a
// slot at a time, so the slot of a thing must follow from its name alone, on every node.
//
//   position   slot index (14 bits) | offset in the arc (30 bits)     0 <= position < 2^44
//
// A block's slot comes from the digest that its CID already carries, so no byte is hashed
// twice; a record's from the hash of its kind and name. 44 bits leave room to pack a member's
// index beside a position in one exact double (token_table.ts).

import { assert } from "../base/assert.ts";
import { sha256Text } from "../base/hash.ts";
import { asSlot, type Cid, type Slot } from "../base/ids.ts";
import { slotCount } from "../base/limits.ts";

/** Bits of a slot's index, and of the offset inside its arc. */
const slotBits = 14;
const offsetBits = 30;
/** Positions in one arc, and on the whole ring. */
export const arcLength = 2 ** offsetBits;
export const ringLength = slotCount * arcLength;

const base32Digits = "abcdefghijklmnopqrstuvwxyz234567";
/** `b`, then the characters that spell version 1, raw or dag-pb, sha2-256, 32 bytes. */
const cidPattern = /^(?:bafkrei|bafybei)[a-z2-7]{52}$/;

assert(slotCount === 2 ** slotBits, "a slot is the top bits of a digest");

/** Slot of a digest: its top 14 bits. `digest` has at least 2 bytes. @throws never */
export function slotOfDigest(digest: Uint8Array): Slot {
  const [high = 0, low = 0] = digest;
  return asSlot((high << 6) | (low >> 2));
}

/**
 * Slot of a block, read from the text of its CID: after `b`, 4 prefix bytes fill characters 1 to
 * 6 and 2 bits of the 7th; the 14 bits after them are the digest's first.
 * @throws {AssertionError} when `cid` is not the text of a CID that Skyring stores
 */
export function slotOfCid(cid: Cid): Slot {
  assert(cidPattern.test(cid), "a block is named by a CIDv1 of sha2-256 in base32");
  const digit = (at: number) => base32Digits.indexOf(cid.charAt(at));
  return asSlot(((digit(7) & 7) << 11) | (digit(8) << 6) | (digit(9) << 1) | (digit(10) >> 4));
}

/** Slot of a record: of SHA-256(`kind` NUL `name`), so that kinds never share a key. */
export function slotOfKey(key: { readonly kind: string; readonly name: string }): Slot {
  return slotOfDigest(sha256Text(`${key.kind}\0${key.name}`));
}

/** First position of a slot's arc. @throws never */
export function startOf(slot: Slot): number {
  return slot * arcLength;
}

/** Slot whose arc holds a position in [0, ringLength). @throws never */
export function slotAt(position: number): Slot {
  return asSlot(Math.floor(position / arcLength));
}

/** The slot `steps` arcs clockwise (negative: anticlockwise). @throws never */
export function slotAfter(slot: Slot, steps: number): Slot {
  return asSlot((((slot + steps) % slotCount) + slotCount) % slotCount);
}

/** Arcs from one slot clockwise to another, in [0, slotCount). @throws never */
export function slotsBetween(span: { readonly from: Slot; readonly to: Slot }): number {
  return slotAfter(span.to, -span.from);
}

/** Clockwise distance between two positions, in [0, ringLength). @throws never */
export function clockwise(span: { readonly from: number; readonly to: number }): number {
  const distance = span.to - span.from;
  return distance < 0 ? distance + ringLength : distance;
}
