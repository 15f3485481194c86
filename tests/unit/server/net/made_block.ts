// Blocks for tests, made from a number.

import { createHash } from "node:crypto";
import { CID } from "multiformats/cid";
import * as digest from "multiformats/hashes/digest";
import { asCid, type Cid } from "../../../../shared/base/ids.ts";

/** A raw block of at least four bytes whose content follows from its seed. */
export function makeBlock(bytes: number, seed: number): { cid: Cid; bytes: Uint8Array } {
  const content = new Uint8Array(bytes).fill(seed);
  new DataView(content.buffer).setUint32(0, seed);
  return { cid: cidOf(content), bytes: content };
}

/** The raw CID of some bytes. */
export function cidOf(content: Uint8Array): Cid {
  const hash = createHash("sha256").update(content).digest();
  return asCid(CID.createV1(0x55, digest.create(0x12, hash)).toString());
}
