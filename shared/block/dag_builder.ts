// Builds the balanced DAG of a file while its leaves stream by.
// One list of unjoined children per level; a list that is full becomes an inner block at once and
// goes up as one child, so memory is width x depth whatever the size. At the end the rests are
// joined from the bottom up.
//
//   level 2            [ n ]                 width 3, leaves a..g: levels hold [g], [n n]
//   level 1        [ n   n ]                 at the end g -> n', [n n n'] -> root
//   level 0     [a b c][d e f] g
//
// Invariant: layout and bytes equal kubo's and Helia's balanced layout with raw leaves; a file
// of one chunk is that raw leaf itself. Leaves must come in order.

import { assert } from "../base/assert.ts";
import type { Cid } from "../base/ids.ts";
import { dagDepthMax } from "../base/limits.ts";
import { cidOfDigest } from "./cid.ts";
import { type EncodableLink, encodeFileNode } from "./unixfs.ts";

/** An inner block to be stored; its bytes match its CID. */
export interface InnerBlock {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
}

/** The finished DAG. `size` in file bytes, `leaves` counted with repetitions, at least 1. */
export interface BuiltDag {
  readonly root: Cid;
  readonly size: number;
  readonly leaves: number;
  /** The inner blocks completed by the end, the root last; empty for a single leaf. */
  readonly inner: readonly InnerBlock[];
}

export interface DagBuilder {
  /** Adds the next leaf. @returns inner blocks that became full by it */
  add(leaf: { readonly cid: Cid; readonly size: number }): readonly InnerBlock[];
  /** Ends the file. @throws {AssertionError} without any leaf */
  finish(): BuiltDag;
}

export interface DagBuilderOptions {
  /** Children of an inner node at most: 174, or 1024 in profile unixfs-v1-2025. */
  readonly linksMax: number;
  /** SHA-256 of inner blocks: 32 bytes. */
  readonly hash: (bytes: Uint8Array) => Uint8Array;
}

/**
 * A builder for one file. @throws {AssertionError} on a width below 2.
 * Source: boxo, ipld/unixfs/importer/balanced
 */
export function createDagBuilder(options: DagBuilderOptions): DagBuilder {
  const { linksMax, hash } = options;
  assert(linksMax >= 2, "an inner node joins at least two children");
  const levels: EncodableLink[][] = [[]];
  let size = 0;
  let leaves = 0;

  /** Joins a level's children to one block and hands it to the level above. */
  const join = (level: number, made: InnerBlock[]) => {
    const links = levels[level] as EncodableLink[];
    levels[level] = [];
    const bytes = encodeFileNode(links);
    const cid = cidOfDigest(hash(bytes), "dag-pb");
    made.push({ cid, bytes });
    const totals = links.reduce(
      (sum, link) => ({
        size: sum.size + link.size,
        totalBytes: sum.totalBytes + link.totalBytes,
      }),
      { size: 0, totalBytes: bytes.length },
    );
    rise(level + 1, { cid, ...totals }, made);
  };
  const rise = (level: number, link: EncodableLink, made: InnerBlock[]) => {
    assert(level <= dagDepthMax, "a file fits the deepest DAG");
    const links = levels[level] ??= [];
    links.push(link);
    if (links.length === linksMax) join(level, made);
  };

  return {
    add(leaf) {
      const made: InnerBlock[] = [];
      size += leaf.size;
      leaves++;
      rise(0, { cid: leaf.cid, size: leaf.size, totalBytes: leaf.size }, made);
      return made;
    },
    finish() {
      assert(leaves > 0, "a file has at least one leaf, an empty one if need be");
      const inner: InnerBlock[] = [];
      for (let level = 0; level < levels.length; level++) {
        const links = levels[level] as EncodableLink[];
        const top = level === levels.length - 1;
        const [root] = links;
        if (top && links.length === 1 && root !== undefined) {
          return { root: root.cid, size, leaves, inner };
        }
        if (links.length > 0) join(level, inner);
      }
      throw new Error("unreachable: the top level always ends with one child");
    },
  };
}
