// Copies of the files of one page of a list: the weakest block of each, and how copies go along
// it. Their DAGs are walked here, whose inner blocks every node has, and each member is asked once.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { blocksOf } from "./dag_blocks.ts";
import type { FileRecord } from "../../shared/record/file_record.ts";
import { type CopyCount, type CopyCountPorts, holdersOf, weakest } from "./copy_count.ts";
import type { PiecesInShort } from "./pool.ts";
import { fetchBlock } from "./pull.ts";
import type { FetchPorts } from "./block_fetcher.ts";

/** Blocks of which a page counts the copies; above it the page takes too long. */
const countBlocksMax = 20_000;
/** Stretches of a file of which the weakest leaf is told. */
const stretchesMax = 48;

export type FileCopies = CopyCount & { readonly pieces: PiecesInShort };

interface Span {
  readonly from: number;
  readonly to: number;
  /** Places of the leaves among all blocks asked for. */
  readonly leaves: readonly number[];
}

/**
 * Copies of each file, in order; undefined when they are too many to be counted.
 * @throws {SkyringError} when this node stops meanwhile
 */
export async function countFiles(
  ports: CopyCountPorts & FetchPorts,
  files: readonly FileRecord[],
): Promise<FileCopies[] | undefined> {
  if (files.reduce((sum, { blocks }) => sum + blocks, 0) > countBlocksMax) return undefined;
  const loadInner = (cid: Cid) => fetchBlock(ports, cid);
  const cids: Cid[] = [];
  const spans: Span[] = [];
  for (const { cid: root, size } of files) {
    const from = cids.length;
    const leaves: number[] = [];
    try {
      for await (const { cid, kind } of blocksOf({ root, size }, loadInner)) {
        if (kind === "leaf") leaves.push(cids.length);
        cids.push(cid);
      }
    } catch (error) {
      // An inner block that nobody has leaves the file without any copy of the whole: show that.
      if (!(error instanceof SkyringError)) throw error;
      cids.length = from;
      leaves.length = 0;
    }
    spans.push({ from, to: cids.length, leaves });
  }
  const holders = await holdersOf(ports, cids, { lease: false });
  return spans.map(({ from, to, leaves }) => ({
    ...weakest(ports, holders.slice(from, to)),
    pieces: inShort(leaves.map((place) => holders[place] ?? [])),
  }));
}

function inShort(leaves: readonly (readonly NodeId[])[]): PiecesInShort {
  const stretches = Math.min(stretchesMax, leaves.length);
  return Array.from({ length: stretches }, (_, index) => {
    const from = Math.floor(index * leaves.length / stretches);
    const to = Math.floor((index + 1) * leaves.length / stretches);
    return Math.min(...leaves.slice(from, to).map(({ length }) => length));
  });
}
