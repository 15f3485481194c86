// All blocks of a file's DAG, one after another, by its inner blocks: for who counts copies, shows
// the block map, or works out what this node should store. Leaves are named, never fetched.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import { codecOf } from "../../shared/block/cid.ts";
import { createDagWalk } from "../../shared/block/dag_reader.ts";

/** A block of a DAG. `size` is the file bytes below it; of a leaf, its own bytes. */
export interface DagBlock {
  readonly cid: Cid;
  readonly size: number;
  readonly kind: BlockKind;
}

/** The part of a file that a listing is for: bytes [start, end). */
export interface DagPart {
  readonly root: Cid;
  readonly size: number;
  readonly start?: number;
  readonly end?: number;
}

/**
 * Blocks in file order, inner blocks before what is below them. `loadInner` gives the bytes of an
 * inner block, matching its CID. @throws {SkyringError} corrupt, and what `loadInner` throws
 */
export async function* blocksOf(
  part: DagPart,
  loadInner: (cid: Cid) => Promise<Uint8Array> | Uint8Array,
): AsyncGenerator<DagBlock, void, void> {
  const { root, size, start = 0, end = size } = part;
  if (codecOf(root) === "raw") {
    // A file of one block, the empty one included: the walk names no leaf of size 0.
    yield { cid: root, size, kind: "leaf" };
    return;
  }
  const walk = createDagWalk({ root, size, start, end });
  for (let step = walk.next(); step.kind !== "end"; step = walk.next()) {
    switch (step.kind) {
      case "inner":
        yield { cid: step.cid, size, kind: "inner" };
        walk.supply(step.cid, await loadInner(step.cid));
        break;
      case "leaf":
        yield { cid: step.cid, size: step.size, kind: "leaf" };
        break;
      case "data":
        break; // inline bytes are part of an inner block
      case "refused":
        throw new SkyringError("corrupt", `Cannot read file ${root}: its DAG is ${step.code}`, {
          data: { root, block: step.cid, fault: step.code },
        });
      default:
        step satisfies never;
    }
  }
}
