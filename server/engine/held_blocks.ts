// What this node holds, judged under a roster that is to come (or is there already): where each
// block belongs then, and who has it now. Plans count it, handing off acts on it.
//
// A page of blocks at a time, so that memory does not grow with what is held.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { handOffPageBlocks } from "../../shared/base/limits.ts";
import type { BlockStore, HeldBlock } from "../../shared/block/block_store.ts";
import { placement } from "../../shared/ring/placement.ts";
import type { Member } from "../../shared/ring/roster.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import type { BlockExchange } from "../../web/peer/block_exchange.ts";
import { holdersOf } from "./copy_count.ts";
import type { RingView } from "./place.ts";

export interface HeldBlocksPorts {
  readonly store: BlockStore;
  readonly exchange: BlockExchange;
  readonly ring: RingView;
  /** Copies that the files want which reference a block; 0 when none does. */
  readonly replicasOf: (cid: Cid) => number;
}

/** One block that this node holds. */
export interface PlacedBlock {
  readonly block: HeldBlock;
  /** Whether this node owns it under the roster asked for. */
  readonly mine: boolean;
  /** Copies that it should have on other nodes. */
  readonly need: number;
  /** Its owners under that roster, this node left out; none for what no file references. */
  readonly owners: readonly NodeId[];
  /** Members under that roster, this node left out, that said now that they hold it. */
  readonly holders: readonly NodeId[];
}

/**
 * All blocks held, in pages, judged under `members`. A block that no file references (a push under
 * way, or one deleted a while ago) needs one copy elsewhere.
 * @throws {SkyringError} as the store; the signal's reason
 */
export async function* placedBlocks(
  ports: HeldBlocksPorts,
  { members, signal }: { readonly members: readonly Member[]; readonly signal: AbortSignal },
): AsyncGenerator<readonly PlacedBlock[]> {
  const { store, ring } = ports;
  const placed = members.length === 0 ? undefined : placement({ members });
  const others = new Set(members.map(({ id }) => id).filter((id) => id !== ring.self));
  let after: Cid | undefined;
  while (true) {
    signal.throwIfAborted();
    const page = store.list(after, handOffPageBlocks);
    after = page.at(-1)?.cid;
    if (after === undefined) return;
    const holders = await holdersOf(ports, page.map(({ cid }) => cid), { lease: false, signal });
    yield page.map((block, index): PlacedBlock => {
      const replicas = ports.replicasOf(block.cid);
      const owners = replicas === 0 || placed === undefined
        ? []
        : placed.ownersOf(slotOfCid(block.cid), replicas);
      const mine = owners.includes(ring.self);
      const wanted = replicas === 0 ? (members.length > others.size ? 0 : 1) : replicas;
      return {
        block,
        mine,
        need: Math.min(wanted, mine ? wanted - 1 : wanted, others.size),
        owners: owners.filter((id) => id !== ring.self),
        holders: (holders[index] ?? []).filter((id) => others.has(id)),
      };
    });
  }
}
