// Naming content that is there already (`?from=CID`): copy, rename, undelete, or hand-over from a
// tab. The DAG is walked, every block's holders are counted with their leases renewed, so that the
// collector leaves them, and blocks below their copies are copied to their owners first.
//
// Invariant: after linkContent() every block was held, just now, by `least` nodes, and `least` is
// not below the minimum.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import {
  chunkBytesDefault,
  chunkBytesLarge,
  haveCidsMax,
  replicasMax,
} from "../../shared/base/limits.ts";
import { holdersOf, weakest } from "./copy_count.ts";
import { blocksOf, type DagBlock } from "./dag_blocks.ts";
import { type RingView, targetsOf } from "./place.ts";
import { openDag, type PullPorts } from "./pull.ts";
import type { PushPorts } from "./push.ts";
import { BlockFetcher } from "./block_fetcher.ts";
import { orAborted } from "./until_aborted.ts";

export type LinkPorts = PushPorts & PullPorts;

export interface LinkOptions {
  readonly cid: Cid;
  readonly replicas: number;
  /** Fewest copies that may be acknowledged. */
  readonly minimum: (ring: RingView, replicas: number) => number;
  readonly signal?: AbortSignal | undefined;
}

/** What was found under the CID. `blocks`: leaves, at least one. */
export interface LinkedContent {
  readonly size: number;
  readonly blocks: number;
  readonly chunkBytes: number;
  readonly least: number;
  readonly zones: number;
}

const putTimeoutMs = 30_000;
const copiesAtOnce = 16;

/**
 * Checks that all blocks of a file are in the pool, and brings them to their copies.
 * @throws {SkyringError} unavailable (a block is not to be had), too_few_copies, corrupt
 */
export async function linkContent(ports: LinkPorts, options: LinkOptions): Promise<LinkedContent> {
  const { cid, signal } = options;
  const fetchOptions = signal === undefined ? {} : { signal };
  const dag = await openDag(ports, cid, fetchOptions);
  const fetcher = new BlockFetcher(ports);
  try {
    return await linkDag(ports, { ...options, size: dag.size, fetcher });
  } finally {
    await fetcher.stop();
  }
}

/** One fetcher for all blocks: whoever has one of a file mostly has the next. */
interface LinkWork extends LinkOptions {
  readonly size: number;
  readonly fetcher: BlockFetcher;
}

async function linkDag(ports: LinkPorts, options: LinkWork): Promise<LinkedContent> {
  const { cid, size, signal, fetcher } = options;
  const found = { blocks: 0, largest: 0, least: Infinity, zones: Infinity };
  let batch: DagBlock[] = [];
  const flush = async () => {
    const counted = await bringToCopies(ports, { ...options, blocks: batch });
    found.least = Math.min(found.least, counted.least);
    found.zones = Math.min(found.zones, counted.zones);
    batch = [];
  };
  const loadInner = (inner: Cid) => orAborted(fetcher.get(inner), signal);
  for await (const block of blocksOf({ root: cid, size }, loadInner)) {
    signal?.throwIfAborted();
    batch.push(block);
    if (block.kind === "leaf") {
      found.blocks++;
      found.largest = Math.max(found.largest, block.size);
    }
    if (batch.length >= haveCidsMax) await flush();
  }
  if (batch.length > 0) await flush();
  const { least, zones } = found;
  const needed = options.minimum(ports.ring, options.replicas);
  if (least < needed) {
    const state = `its weakest block has ${least} of ${needed} copies`;
    throw new SkyringError("too_few_copies", `Cannot name ${cid}: ${state}`, {
      data: { cid, needed, have: least },
      retriable: true,
    });
  }
  const chunkBytes = found.largest > chunkBytesDefault ? chunkBytesLarge : chunkBytesDefault;
  return { size, blocks: Math.max(1, found.blocks), chunkBytes, least, zones };
}

async function bringToCopies(
  ports: LinkPorts,
  options: LinkWork & { readonly blocks: readonly DagBlock[] },
): Promise<{ least: number; zones: number }> {
  const { replicas, signal, fetcher } = options;
  const cids = options.blocks.map(({ cid }) => cid);
  const holders = await holdersOf(ports, cids, { lease: true, signal });
  const live = ports.ring.placement().members.filter(({ id }) => ports.ring.isUsable(id)).length;
  const wanted = Math.min(replicas, replicasMax, live);
  const weak = options.blocks.flatMap((block, index) => {
    const held = holders[index] ?? [];
    return held.length < wanted ? [{ block, held }] : [];
  });
  if (weak.length === 0) return weakest(ports, holders);
  const worker = async () => {
    for (let next = weak.pop(); next !== undefined; next = weak.pop()) {
      await copyBlock(ports, { ...next, missing: wanted - next.held.length, signal, fetcher });
    }
  };
  await Promise.all(Array.from({ length: copiesAtOnce }, worker));
  return weakest(ports, await holdersOf(ports, cids, { lease: true, signal }));
}

/** Sends a block to owners, then stand-ins, that lack it. Who refuses is passed over. */
async function copyBlock(
  ports: LinkPorts,
  work: {
    readonly block: DagBlock;
    readonly held: readonly NodeId[];
    readonly missing: number;
    readonly fetcher: BlockFetcher;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { block: { cid, kind }, held, signal, fetcher } = work;
  const hints = held.filter((id) => id !== ports.ring.self);
  const bytes = await orAborted(fetcher.get(cid, hints), signal);
  let { missing } = work;
  for (const target of targetsOf(ports.ring, cid)) {
    if (missing === 0) return;
    if (held.includes(target)) continue;
    if (target === ports.ring.self) {
      if ((await ports.store.put(cid, bytes, kind)).ok) missing--;
      continue;
    }
    const outcome = await ports.exchange.put(target, { cid, bytes, kind }, {
      timeoutMs: putTimeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    if (outcome.ok) missing--;
  }
}
