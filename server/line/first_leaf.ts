// The first block of a file's bytes: what `FILE LIST` shows the place of.

import type { Cid } from "../../shared/base/ids.ts";
import { blocksOf } from "../engine/dag_blocks.ts";

/**
 * The CID of a file's first leaf; undefined when its first bytes lie in an inner block.
 * @throws {SkyringError} corrupt, and what `loadInner` throws
 */
export async function firstLeafOf(
  file: { readonly cid: Cid; readonly size: number },
  loadInner: (cid: Cid) => Promise<Uint8Array>,
): Promise<Cid | undefined> {
  const part = { root: file.cid, size: file.size, start: 0, end: Math.min(1, file.size) };
  for await (const block of blocksOf(part, loadInner)) {
    if (block.kind === "leaf") return block.cid;
  }
  return undefined;
}
