// How many copies the weakest block of a file has now, and over how many zones: every usable
// member is asked by lists of CIDs which of them it holds. What a file's page and the answer of a
// link show; a push counts for itself (push_copies.ts).

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { haveCidsMax } from "../../shared/base/limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import type { BlockExchange } from "../../web/peer/block_exchange.ts";
import { type RingView, usableRemotes } from "./place.ts";

export interface CopyCountPorts {
  readonly ring: RingView;
  readonly store: BlockStore;
  readonly exchange: BlockExchange;
}

/** Who holds each of some blocks, in the order of the blocks. */
export type Holders = readonly (readonly NodeId[])[];

/** Copies and zones of the weakest block. */
export interface CopyCount {
  readonly least: number;
  readonly zones: number;
}

const haveTimeoutMs = 5_000;

/** Asks everyone usable, this node too, which blocks they hold; `lease` renews the leases. */
export async function holdersOf(
  ports: CopyCountPorts,
  cids: readonly Cid[],
  options: { readonly lease: boolean; readonly signal?: AbortSignal | undefined },
): Promise<Holders> {
  if (options.lease) await ports.store.touch(cids.filter((cid) => ports.store.has(cid)));
  // Asked after the lease is durable: a collector that came before it is seen here.
  const holders: NodeId[][] = cids.map((cid) => ports.store.has(cid) ? [ports.ring.self] : []);
  await Promise.all(
    usableRemotes(ports.ring).map(async (peer) => {
      for (let start = 0; start < cids.length; start += haveCidsMax) {
        const some = cids.slice(start, start + haveCidsMax);
        const answer = await ports.exchange.have(peer, some, {
          timeoutMs: haveTimeoutMs,
          lease: options.lease,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
        if (!answer.ok) return; // who does not answer is not counted
        answer.held.forEach((held, index) => {
          if (held) holders[start + index]?.push(peer);
        });
      }
    }),
  );
  return holders;
}

/** The weakest of some blocks. No blocks: no copies. */
export function weakest(ports: Pick<CopyCountPorts, "ring">, holders: Holders): CopyCount {
  const zoneOf = new Map(ports.ring.placement().members.map(({ id, zone }) => [id, zone]));
  let count: CopyCount | undefined;
  for (const ids of holders) {
    const zones = new Set(ids.map((id) => zoneOf.get(id))).size;
    count = {
      least: Math.min(count?.least ?? Infinity, ids.length),
      zones: Math.min(count?.zones ?? Infinity, zones),
    };
  }
  return count ?? { least: 0, zones: 0 };
}
