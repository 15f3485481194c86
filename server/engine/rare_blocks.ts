// What a tab that wants to help should take: blocks that files need, fewest copies on live nodes
// first. Each node answers for blocks that it holds, so a block with one copy left is named by the
// node that has it. One count serves all tabs that ask within some seconds; callers spread by a
// seed of their own, so that they do not all take the same blocks.
//
// Invariants: copies are those that members confirmed during the count, tabs left out; what a
// count costs does not grow with the store or with the number of tabs.

import type { Cid } from "../../shared/base/ids.ts";
import { collectPageBlocks } from "../../shared/base/limits.ts";
import { createPrng } from "../../shared/base/prng.ts";
import { rareBlocksKept, rareScanBlocksMax, rareStaleMs } from "../../shared/base/tab_limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { cidOfDigest } from "../../shared/block/cid.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import type { Clock } from "./clock.ts";
import { type CopyCountPorts, holdersOf } from "./copy_count.ts";

export interface RarePorts extends CopyCountPorts {
  readonly store: BlockStore;
  readonly clock: Clock;
  /** Copies that files want of a held block; 0 when none does. */
  readonly replicasOf: (cid: Cid) => number;
  /** 32 bytes: where in the store a count begins. */
  readonly randomDigest: () => Uint8Array;
}

/** A block worth keeping once more. `copies`: live nodes that hold it; `wanted`: what files ask. */
export interface RareBlock {
  readonly cid: Cid;
  readonly size: number;
  readonly copies: number;
  readonly wanted: number;
}

/** A candidate; `usable` owners are what it can be expected to have before it is counted. */
interface Candidate {
  readonly cid: Cid;
  readonly size: number;
  readonly wanted: number;
  readonly usable: number;
}

/** The rarest blocks of this node. */
export class RareBlocks {
  readonly #ports: RarePorts;
  #count: { readonly at: number; readonly blocks: Promise<readonly RareBlock[]> } | undefined;

  constructor(ports: RarePorts) {
    this.#ports = ports;
  }

  /** At most `limit` blocks, rarest first, equals in an order by `seed`. @throws as the store */
  async list({ limit, seed }: { readonly limit: number; readonly seed: number }): Promise<
    readonly RareBlock[]
  > {
    const blocks = createPrng(seed).shuffle([...await this.#counted()]);
    return blocks.sort((left, right) => left.copies - right.copies).slice(0, limit);
  }

  #counted(): Promise<readonly RareBlock[]> {
    const now = this.#ports.clock.now();
    if (this.#count !== undefined && now - this.#count.at < rareStaleMs) return this.#count.blocks;
    const blocks = countRarest(this.#ports);
    this.#count = { at: now, blocks };
    // A count that failed is nobody's answer but its callers'.
    blocks.catch(() => this.#count = undefined);
    return blocks;
  }
}

async function countRarest(ports: RarePorts): Promise<readonly RareBlock[]> {
  const candidates = await scan(ports);
  candidates.sort((left, right) => left.usable - right.usable);
  const kept = candidates.slice(0, rareBlocksKept);
  const holders = await holdersOf(ports, kept.map(({ cid }) => cid), { lease: false });
  return kept.map(({ cid, size, wanted }, index) => ({
    ...{ cid, size, wanted },
    copies: holders[index]?.length ?? 0,
  }));
}

/** Referenced blocks from a random place on, around the end of the store when it is reached. */
async function scan(ports: RarePorts): Promise<Candidate[]> {
  const { store, clock } = ports;
  const start = cidOfDigest(ports.randomDigest(), "raw");
  const found: Candidate[] = [];
  let after: Cid | undefined = start;
  let turned = false;
  for (let seen = 0; seen < rareScanBlocksMax;) {
    const page: ReturnType<BlockStore["list"]> = store.list(after, collectPageBlocks);
    for (const { cid, bytes } of page) {
      if (turned && cid > start) return found;
      const candidate = judge(ports, { cid, size: bytes });
      if (candidate !== undefined) found.push(candidate);
    }
    seen += Math.max(1, page.length);
    after = page.at(-1)?.cid;
    if (page.length < collectPageBlocks) {
      if (turned) return found;
      turned = true;
      after = undefined;
    }
    await clock.sleep(0);
  }
  return found;
}

function judge(
  ports: RarePorts,
  { cid, size }: { readonly cid: Cid; readonly size: number },
): Candidate | undefined {
  const wanted = ports.replicasOf(cid);
  if (wanted === 0) return undefined;
  const owners = ports.ring.placement().ownersOf(slotOfCid(cid), wanted);
  return { cid, size, wanted, usable: owners.filter((id) => ports.ring.isUsable(id)).length };
}
