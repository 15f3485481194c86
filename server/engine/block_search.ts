// Finds who has a block when its owners do not: asks every usable member by lists of CIDs.
// One search asks for all blocks that the pull is waiting for, answers are kept for the pull,
// and who had some is asked for the next ones too, so that a file on stand-ins costs few searches.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { haveCidsMax } from "../../shared/base/limits.ts";
import type { BlockExchange } from "../../web/peer/block_exchange.ts";
import { type RingView, usableRemotes } from "./place.ts";
import { untilAborted } from "./until_aborted.ts";

const haveTimeoutMs = 3_000;

export interface SearchPorts {
  readonly ring: RingView;
  readonly exchange: BlockExchange;
}

/** The searches of one pull. */
export interface BlockSearch {
  /**
   * Everyone who says that they hold `cid`; `waiting` are other blocks to ask for on the way.
   * Answers are never older than this pull. @throws never
   */
  find(cid: Cid, waiting: Iterable<Cid>): Promise<readonly NodeId[]>;
  /** Members that had blocks which their owners had not, most lately found first. */
  helpers(): readonly NodeId[];
}

/** The searches of one pull; `signal` ends them. */
export function createBlockSearch(ports: SearchPorts, signal: AbortSignal): BlockSearch {
  /** Present for each block that was asked for, also while the answers are on their way. */
  const answers = new Map<Cid, Promise<readonly NodeId[]>>();
  const helpers = new Set<NodeId>();

  const askPeer = async (peer: NodeId, cids: readonly Cid[]): Promise<readonly boolean[]> => {
    const options = { timeoutMs: haveTimeoutMs, signal, lease: false };
    const answer = await untilAborted(ports.exchange.have(peer, cids, options), signal);
    if (answer === undefined || !answer.ok) return [];
    if (answer.held.includes(true)) helpers.add(peer);
    return answer.held;
  };
  const askAll = async (cids: readonly Cid[]): Promise<Map<Cid, NodeId[]>> => {
    const found = new Map<Cid, NodeId[]>(cids.map((cid) => [cid, []]));
    await Promise.all(
      usableRemotes(ports.ring).map(async (peer) => {
        const held = await askPeer(peer, cids);
        for (const [at, cid] of cids.entries()) if (held[at]) found.get(cid)?.push(peer);
      }),
    );
    return found;
  };

  return {
    find(cid, waiting) {
      const known = answers.get(cid);
      if (known !== undefined) return known;
      const cids = new Set([cid]);
      for (const other of waiting) {
        if (cids.size < haveCidsMax && !answers.has(other)) cids.add(other);
      }
      const asked = askAll([...cids]);
      for (const one of cids) answers.set(one, asked.then((found) => found.get(one) ?? []));
      return answers.get(cid) ?? Promise.resolve([]);
    },
    helpers: () => [...helpers].reverse(),
  };
}
