// Blocks for tests: bytes from a seed, and the CID that they really have.

import { createHash } from "node:crypto";
import type { Cid } from "../../shared/base/ids.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import { cidOfDigest } from "../../shared/block/cid.ts";

export interface TestBlock {
  readonly cid: Cid;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly kind: BlockKind;
}

/** A block of `size` bytes that differs for each seed. @throws never */
export function testBlock(
  seed: number | string,
  size: number,
  kind: BlockKind = "leaf",
): TestBlock {
  const bytes = new Uint8Array(size);
  const stamp = createHash("sha256").update(`block ${seed} of ${size}`).digest();
  for (let at = 0; at < size; at += stamp.length) bytes.set(stamp.subarray(0, size - at), at);
  const digest = createHash("sha256").update(bytes).digest();
  return { cid: cidOfDigest(digest, kind === "leaf" ? "raw" : "dag-pb"), bytes, kind };
}
