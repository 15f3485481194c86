// What a file's record holds: a name points to the root of a UnixFS DAG, with what a listing and
// the placement of its blocks need, so that neither walks the DAG.

import { decode, encode } from "cborg";
import * as v from "valibot";
import { asCid, type Cid } from "../base/ids.ts";
import { blockBytesMax, replicasMax } from "../base/limits.ts";
import { parseCid } from "../block/cid.ts";
import type { RecordKey } from "./value.ts";

/** A file as its record describes it. Sizes in bytes. */
export interface FileRecord {
  readonly cid: Cid;
  readonly size: number;
  /** Leaves of the DAG; an empty file has one. */
  readonly blocks: number;
  readonly chunkBytes: number;
  /** Copies wanted of each block. */
  readonly replicas: number;
  /** Name of the node that took the write. */
  readonly writer: string;
  /** SHA-256 of the whole content as hex, where the push knew it (RFC 9530 Repr-Digest). */
  readonly sha256?: string;
}

const schema = v.object({
  c: v.pipe(v.string(), v.maxLength(128)),
  s: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  b: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  k: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(blockBytesMax)),
  r: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(replicasMax)),
  w: v.pipe(v.string(), v.maxLength(256)),
  d: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});

/** The register key of a file name. The name was checked by shared/base/name.ts. */
export function fileKey(name: string): RecordKey {
  return { kind: "file", name };
}

/** A file record as the body of a value. @throws never */
export function encodeFileRecord(file: FileRecord): Uint8Array {
  return encode({
    c: file.cid,
    s: file.size,
    b: file.blocks,
    k: file.chunkBytes,
    r: file.replicas,
    w: file.writer,
    ...(file.sha256 === undefined ? {} : { d: file.sha256 }),
  });
}

/** The file record in a value's body, or undefined when the bytes are not one. @throws never */
export function decodeFileRecord(body: Uint8Array): FileRecord | undefined {
  const parsed = v.safeParse(schema, decodeQuietly(body));
  if (!parsed.success || !parseCid(parsed.output.c).ok) return undefined;
  const { c, s, b, k, r, w, d } = parsed.output;
  const file = { cid: asCid(c), size: s, blocks: b, chunkBytes: k, replicas: r, writer: w };
  return d === undefined ? file : { ...file, sha256: d };
}

function decodeQuietly(body: Uint8Array): unknown {
  try {
    return decode(body);
  } catch {
    return undefined; // not CBOR: the schema refuses it like any other wrong body
  }
}
