// UnixFS file nodes in dag-pb: the inner blocks that join leaves to a file.
//
//   dag-pb node   Links[] { Hash, Name "", Tsize }   Data = UnixFS message
//   UnixFS        1 Type (file 2, raw 0) | 2 Data | 3 filesize | 4 blocksizes, one a link
//
// dag-pb is `@ipld/dag-pb`; the UnixFS message is our own few lines, because the reader has to
// be strict: every size must agree with every other before a byte range is planned from it.
// Invariant: a decoded node has filesize = inline data + sum of its children's sizes.
// Source: UnixFS specification (specs.ipfs.tech/unixfs), DAG-PB specification (ipld.io).

import { decode as decodeDagPb, encode as encodeDagPb } from "@ipld/dag-pb";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import type { Cid } from "../base/ids.ts";
import { blockBytesMax } from "../base/limits.ts";
import { type CidCodec, cidOfDigest, cidToBytes, digestBytes } from "./cid.ts";

const codeSha256 = 0x12;
const codeDagPb = 0x70;
const codeRaw = 0x55;
const typeRaw = 0;
const typeFile = 2;

/** One child of a file node. */
export interface FileLink {
  readonly cid: Cid;
  readonly codec: CidCodec;
  /** File bytes under this child. */
  readonly size: number;
}

/** A child to be encoded; `totalBytes` is its block and all below it (dag-pb's Tsize). */
export interface EncodableLink {
  readonly cid: Cid;
  readonly size: number;
  readonly totalBytes: number;
}

/** A checked file node. */
export interface FileNode {
  /** File bytes of the whole node: inline data first, then the children in order. */
  readonly size: number;
  readonly data: Uint8Array;
  readonly links: readonly FileLink[];
}

/** Why a dag-pb block is not a file node that Skyring reads. */
export type FileNodeRefusal =
  | "too_large" // over the block limit
  | "not_dag_pb" // does not decode
  | "not_unixfs" // Data missing or malformed
  | "not_a_file" // a directory, symlink or sharded directory
  | "bad_link" // a child that is not sha2-256 with codec raw or dag-pb
  | "sizes_disagree"; // filesize, blocksizes and links contradict each other

export type FileNodeOutcome =
  | { readonly ok: true; readonly node: FileNode }
  | { readonly ok: false; readonly code: FileNodeRefusal };

/** Encodes an inner node without inline data. @returns the block's bytes. @throws never */
export function encodeFileNode(links: readonly EncodableLink[]): Uint8Array {
  const size = links.reduce((sum, link) => sum + link.size, 0);
  const fields: number[] = [0x08, typeFile, 0x18];
  pushVarint(fields, size);
  for (const link of links) {
    fields.push(0x20);
    pushVarint(fields, link.size);
  }
  return encodeDagPb({
    Data: Uint8Array.from(fields),
    Links: links.map((link) => ({ Hash: dagPbCid(link.cid), Name: "", Tsize: link.totalBytes })),
  });
}

/** Decodes and checks a dag-pb block as a file node. @throws never */
export function decodeFileNode(bytes: Uint8Array): FileNodeOutcome {
  if (bytes.length > blockBytesMax) return { ok: false, code: "too_large" };
  const node = decodedOrUndefined(bytes);
  if (node === undefined) return { ok: false, code: "not_dag_pb" };
  if (node.Data === undefined) return { ok: false, code: "not_unixfs" };
  const message = decodeMessage(node.Data);
  if (message === undefined) return { ok: false, code: "not_unixfs" };
  if (message.type !== typeFile && message.type !== typeRaw) {
    return { ok: false, code: "not_a_file" };
  }
  if (message.blockSizes.length !== node.Links.length) return { ok: false, code: "sizes_disagree" };
  const links: FileLink[] = [];
  let total = message.data.length;
  for (const [index, link] of node.Links.entries()) {
    const size = message.blockSizes[index] as number;
    const child = childOf(link.Hash, size);
    if (child === undefined) return { ok: false, code: "bad_link" };
    links.push(child);
    total += size;
  }
  // A missing filesize is allowed only where there is nothing to sum (an empty raw node).
  if (!Number.isSafeInteger(total) || total !== (message.fileSize ?? message.data.length)) {
    return { ok: false, code: "sizes_disagree" };
  }
  return { ok: true, node: { size: total, data: message.data, links } };
}

function decodedOrUndefined(bytes: Uint8Array): ReturnType<typeof decodeDagPb> | undefined {
  try {
    return decodeDagPb(bytes);
  } catch {
    // The library throws plain errors for every kind of malformed node: one outcome for all.
    return undefined;
  }
}

function dagPbCid(cid: Cid): CID {
  const bytes = cidToBytes(cid);
  return CID.createV1(bytes[1] as number, createDigest(codeSha256, bytes.subarray(4)));
}

/** A CIDv0 link names the same block as the CIDv1 with dag-pb, so it is read as that. */
function childOf(hash: CID, size: number): FileLink | undefined {
  const { multihash } = hash;
  if (multihash.code !== codeSha256 || multihash.digest.length !== digestBytes) return undefined;
  if (hash.code !== codeRaw && hash.code !== codeDagPb) return undefined;
  const codec = hash.code === codeRaw ? "raw" : "dag-pb";
  return { cid: cidOfDigest(multihash.digest, codec), codec, size };
}

interface Message {
  type: number;
  data: Uint8Array;
  fileSize: number | undefined;
  blockSizes: number[];
}

/** Reads the protobuf message; undefined when malformed. Unknown fields are skipped. */
function decodeMessage(bytes: Uint8Array): Message | undefined {
  const message: Message = {
    type: -1,
    data: new Uint8Array(0),
    fileSize: undefined,
    blockSizes: [],
  };
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const tag = readVarint(bytes, cursor);
    if (tag === undefined || !readField(message, { bytes, cursor, tag })) return undefined;
  }
  return message.type === -1 ? undefined : message;
}

interface Field {
  readonly bytes: Uint8Array;
  readonly cursor: { at: number };
  readonly tag: number;
}

function readField(message: Message, field: Field): boolean {
  const { bytes, cursor, tag } = field;
  const wireType = tag % 8;
  const number = Math.floor(tag / 8);
  if (wireType === 0) {
    const value = readVarint(bytes, cursor);
    if (value === undefined) return false;
    if (number === 1) message.type = value;
    else if (number === 3) message.fileSize = value;
    else if (number === 4) message.blockSizes.push(value);
    return true;
  }
  if (wireType === 2) {
    const length = readVarint(bytes, cursor);
    if (length === undefined || cursor.at + length > bytes.length) return false;
    const end = cursor.at + length;
    if (number === 2) message.data = bytes.subarray(cursor.at, end);
    // Packed blocksizes: other writers may use this form of a repeated number.
    while (number === 4 && cursor.at < end) {
      const value = readVarint(bytes.subarray(0, end), cursor);
      if (value === undefined) return false;
      message.blockSizes.push(value);
    }
    cursor.at = end;
    return true;
  }
  const skipped = wireType === 5 ? 4 : wireType === 1 ? 8 : undefined;
  if (skipped === undefined || cursor.at + skipped > bytes.length) return false;
  cursor.at += skipped;
  return true;
}

/** An unsigned number within the safe integers; undefined when cut short or larger. */
function readVarint(bytes: Uint8Array, cursor: { at: number }): number | undefined {
  let value = 0;
  let scale = 1;
  for (let count = 0; count < 8; count++) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return Number.isSafeInteger(value) ? value : undefined;
    scale *= 128;
  }
  return undefined;
}

function pushVarint(into: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    into.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  into.push(rest);
}
