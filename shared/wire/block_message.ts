// Messages of the block protocol `/skyring/<group>/block/1.0.0`, inside frames (frame.ts).
// The side that opened the stream asks; the other answers on the same stream.
//
//   asks      want    cid                         have    lease u8 | cid ...
//             put     block kind u8 | cid | bytes cancel  (the id of a want)
//             seek    as have: which of these tabs of the answering node hold
//             relay   as want: from here, or from a tab of the answering node
//   answers   block   bytes                       absent, busy   (empty)
//             held    bitmap, lowest bit first    stored  outcome u8
//   both      credit  u32 bytes that may now be sent in block or put frames
//
// A CID travels as its 36 bytes: version 1, codec raw (0x55) or dag-pb (0x70), sha2-256 (0x12),
// length 32, digest. Block bytes follow their header untouched: nothing serializes them.

import type { Cid } from "../base/ids.ts";
import { blockBytesMax, haveCidsMax } from "../base/limits.ts";
import type { BlockKind } from "../block/block_store.ts";
import { cidToBytes, parseCidBytes } from "../block/cid.ts";

/** Frame kinds of the block protocol. */
export const blockFrame = {
  want: 1,
  have: 2,
  put: 3,
  cancel: 4,
  credit: 5,
  seek: 6,
  relay: 7,
  block: 16,
  absent: 17,
  busy: 18,
  held: 19,
  stored: 20,
} as const;

/** Bytes of a CID on the wire. */
export const cidBytes = 36;
/** Bytes of a put before the block itself. */
export const putHeaderBytes = 1 + cidBytes;
/** Largest payload of any frame of this protocol. */
export const blockPayloadBytesMax = putHeaderBytes + blockBytesMax;

const digestBytes = 32;

/** What became of a put. */
export type StoredOutcome = "ok" | "full" | "busy" | "refused";
const storedOutcomes: readonly StoredOutcome[] = ["ok", "full", "busy", "refused"];

/** The 36 bytes of a CID. @throws {AssertionError} on text that is not canonical */
export function encodeCid(cid: Cid): Uint8Array {
  return cidToBytes(cid);
}

/** A CID from its 36 bytes, or undefined when they are anything else. @throws never */
export function decodeCid(bytes: Uint8Array): Cid | undefined {
  const parsed = parseCidBytes(bytes);
  return parsed.ok ? parsed.cid : undefined;
}

/** The sha2-256 digest inside the 36 bytes of a CID. @returns Uint8Array[32], a view */
export function digestOf(cid: Uint8Array): Uint8Array {
  return cid.subarray(cidBytes - digestBytes);
}

/** Payload of a have. @returns Uint8Array[1 + 36 n] */
export function encodeHave(have: {
  readonly lease: boolean;
  readonly cids: readonly Cid[];
}): Uint8Array {
  const payload = new Uint8Array(1 + cidBytes * have.cids.length);
  payload[0] = have.lease ? 1 : 0;
  have.cids.forEach((cid, index) => payload.set(encodeCid(cid), 1 + index * cidBytes));
  return payload;
}

/** Reads a have; undefined when it is malformed or asks for too many. @throws never */
export function decodeHave(
  payload: Uint8Array,
): { readonly lease: boolean; readonly cids: readonly Cid[] } | undefined {
  const flag = payload[0];
  const count = (payload.length - 1) / cidBytes;
  if (flag === undefined || flag > 1) return undefined;
  if (!Number.isInteger(count) || count > haveCidsMax) return undefined;
  const cids: Cid[] = [];
  for (let index = 0; index < count; index++) {
    const start = 1 + index * cidBytes;
    const cid = decodeCid(payload.subarray(start, start + cidBytes));
    if (cid === undefined) return undefined;
    cids.push(cid);
  }
  return { lease: flag === 1, cids };
}

/** Payload of a held. @returns Uint8Array[ceil(n / 8)] */
export function encodeHeld(held: readonly boolean[]): Uint8Array {
  const payload = new Uint8Array(Math.ceil(held.length / 8));
  held.forEach((has, index) => {
    if (has) payload[index >> 3] = (payload[index >> 3] ?? 0) | (1 << (index & 7));
  });
  return payload;
}

/** Reads a held of `count` answers; undefined when its length is another. @throws never */
export function decodeHeld(payload: Uint8Array, count: number): boolean[] | undefined {
  if (payload.length !== Math.ceil(count / 8)) return undefined;
  const has = (index: number) => (((payload[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
  return Array.from({ length: count }, (_, index) => has(index));
}

/** Header of a put's payload; the block's bytes follow it. @returns Uint8Array[37] */
export function encodePutHeader(put: { readonly kind: BlockKind; readonly cid: Cid }): Uint8Array {
  const header = new Uint8Array(putHeaderBytes);
  header[0] = put.kind === "leaf" ? 0 : 1;
  header.set(encodeCid(put.cid), 1);
  return header;
}

/** Reads a put's header, or undefined when it is malformed. @throws never */
export function decodePutHeader(
  header: Uint8Array,
): { readonly kind: BlockKind; readonly cid: Cid; readonly digest: Uint8Array } | undefined {
  const flag = header[0];
  if (header.length !== putHeaderBytes || flag === undefined || flag > 1) return undefined;
  const bytes = header.slice(1);
  const cid = decodeCid(bytes);
  if (cid === undefined) return undefined;
  return { kind: flag === 0 ? "leaf" : "inner", cid, digest: digestOf(bytes) };
}

/** Payload of a stored. @returns Uint8Array[1] */
export function encodeStored(outcome: StoredOutcome): Uint8Array {
  return Uint8Array.of(storedOutcomes.indexOf(outcome));
}

/** Reads a stored, or undefined when it is malformed. @throws never */
export function decodeStored(payload: Uint8Array): StoredOutcome | undefined {
  return payload.length === 1 ? storedOutcomes[payload[0] ?? 255] : undefined;
}

/** Payload of a credit. @returns Uint8Array[4] */
export function encodeCredit(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return payload;
}

/** Reads a credit in bytes, or undefined when it is malformed. @throws never */
export function decodeCredit(payload: Uint8Array): number | undefined {
  if (payload.length !== 4) return undefined;
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}
