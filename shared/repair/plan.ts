// What a node does about one block, from plain facts: who owns it, who holds it, whether a file
// references it. Repair, trim and collector all ask here, so that they cannot disagree.
//
//                       owned            not owned
//   referenced, held    keep             surplus (drop once every owner vouches: trim_rule.ts)
//   referenced, absent  fetch            none
//   unreferenced, held  unreferenced (drop once no lease holds it)

import type { BlockKind } from "../block/block_store.ts";

/** What is known of one block on one node. */
export interface BlockFacts {
  readonly kind: BlockKind;
  readonly held: boolean;
  /** Copies that the files want which reference it; 0 when none does. */
  readonly replicas: number;
  /** Whether this node is among the owners at that many copies. */
  readonly owned: boolean;
}

/** What to do about it. */
export type BlockVerdict = "keep" | "fetch" | "surplus" | "unreferenced" | "none";

/** The verdict on one block. Inner blocks belong to every node. @throws never */
export function judgeBlock({ kind, held, replicas, owned }: BlockFacts): BlockVerdict {
  if (replicas === 0) return held ? "unreferenced" : "none";
  const mine = owned || kind === "inner";
  if (held) return mine ? "keep" : "surplus";
  return mine ? "fetch" : "none";
}

/** A block to fetch, with the peers that have it. */
export interface Sourced<Block, Peer> {
  readonly block: Block;
  readonly holders: readonly Peer[];
}

/** In the order of fetching: those with the fewest copies first, else as given. @throws never */
export function rarestFirst<Block, Peer>(
  blocks: readonly Sourced<Block, Peer>[],
): Sourced<Block, Peer>[] {
  return blocks.filter(({ holders }) => holders.length > 0)
    .sort((one, other) => one.holders.length - other.holders.length);
}

/** How a source does: smoothed bytes a second (0 unknown), and what is asked of it now. */
export interface SourceState {
  readonly bytesPerSecond: number;
  readonly inFlight: number;
}

/** A source not measured yet is tried as if it were this fast. */
const unknownBytesPerSecond = 32 * 1024 * 1024;

/**
 * The source that would deliver first, among those below their cap; undefined when all are busy.
 * @throws never
 */
export function fastestSource<Peer>(
  holders: readonly Peer[],
  { stateOf, perPeerMax }: {
    readonly stateOf: (peer: Peer) => SourceState;
    readonly perPeerMax: number;
  },
): Peer | undefined {
  let chosen: { readonly peer: Peer; readonly wait: number } | undefined;
  for (const peer of holders) {
    const { inFlight, bytesPerSecond } = stateOf(peer);
    if (inFlight >= perPeerMax) continue;
    const wait = (inFlight + 1) / (bytesPerSecond > 0 ? bytesPerSecond : unknownBytesPerSecond);
    if (chosen === undefined || wait < chosen.wait) chosen = { peer, wait };
  }
  return chosen?.peer;
}
