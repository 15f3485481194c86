// Hands what this node holds to those who own it under a roster to come: pass after pass over all
// blocks held, each owner asked what it has, and sent what it lacks, until a whole pass found
// nothing missing. Whoever is full or away is stood in for by the next node clockwise.
//
// Invariants: nothing is removed here; "safe" is the answer of others in the last pass, asked
// anew, never a memory of having sent something.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { handOffAtOnceMax } from "../../shared/base/limits.ts";
import { placement } from "../../shared/ring/placement.ts";
import type { Member } from "../../shared/ring/roster.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import type { Clock } from "./clock.ts";
import { type HeldBlocksPorts, type PlacedBlock, placedBlocks } from "./held_blocks.ts";
import type { JobReport } from "./jobs.ts";

export interface HandOffPorts extends HeldBlocksPorts {
  readonly clock: Clock;
}

export interface HandOffOptions {
  /** Members under the roster to come; asked for again at each pass. */
  readonly members: () => readonly Member[];
  /** Be content with one verified copy elsewhere where more cannot be made. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly report: (report: JobReport) => void;
}

const putTimeoutMs = 15_000;
const restMs = 1_000;
const askAgainMs = 200;
/** Passes without any progress after which `force` is content with less. */
const vainPasses = 3;

interface Tally {
  held: number;
  bytes: number;
  safe: number;
  safeBytes: number;
  /** Blocks short of copies, and of these those with a verified copy elsewhere. */
  short: number;
  verified: number;
  sent: number;
}

/**
 * Resolves when every block held here is safe elsewhere (or, with `force`, at one verified copy
 * at least). Goes on as long as it takes. @throws the signal's reason; {SkyringError} disk_failed
 */
export async function handOff(ports: HandOffPorts, options: HandOffOptions): Promise<void> {
  let best = Infinity;
  let vain = 0;
  for (;;) {
    const full = new Set<NodeId>();
    const verify = options.force && vain >= vainPasses;
    const tally = await onePass(ports, { ...options, full, verify });
    // What was sent in this pass is asked for in the next one: a confirmed put is no copy yet.
    if (tally.short === 0 && tally.sent === 0) return;
    if (verify && tally.sent === 0 && tally.verified === tally.short) return;
    vain = tally.sent > 0 || tally.short < best ? 0 : vain + 1;
    best = Math.min(best, tally.short);
    await ports.clock.sleep(tally.short > 0 ? restMs : askAgainMs, options.signal);
    options.signal.throwIfAborted();
  }
}

interface Pass extends HandOffOptions {
  /** Members that refused a block for want of room in this pass. */
  readonly full: Set<NodeId>;
  readonly verify: boolean;
}

async function onePass(ports: HandOffPorts, pass: Pass): Promise<Tally> {
  const members = pass.members();
  const use = ports.store.use();
  const tally: Tally = {
    ...{ held: use.blocks, bytes: use.blockBytes },
    ...{ safe: 0, safeBytes: 0, short: 0, verified: 0, sent: 0 },
  };
  for await (const page of placedBlocks(ports, { members, signal: pass.signal })) {
    const waiting = [...page].reverse();
    const lanes = Array.from({ length: handOffAtOnceMax }, async () => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        pass.signal.throwIfAborted();
        await handOver(ports, one, { pass, members, tally });
      }
    });
    await Promise.all(lanes);
  }
  show(pass, tally);
  return tally;
}

async function handOver(
  ports: HandOffPorts,
  one: PlacedBlock,
  { pass, members, tally }: {
    readonly pass: Pass;
    readonly members: readonly Member[];
    readonly tally: Tally;
  },
): Promise<void> {
  if (!one.mine) {
    const holders = new Set(one.holders);
    const lacking = await sendAll(ports, one, { pass, members, holders, tally });
    if (lacking || holders.size < one.need) {
      tally.short += 1;
      if (pass.verify && await isVerified(ports, one, [...holders])) tally.verified += 1;
      return;
    }
  }
  tally.safe += 1;
  if (one.block.kind === "leaf") tally.safeBytes += one.block.bytes;
  show(pass, tally);
}

/** Sends a block to owners that lack it, then to stand-ins. @returns whether one still lacks it */
async function sendAll(
  ports: HandOffPorts,
  one: PlacedBlock,
  { pass, members, holders, tally }: {
    readonly pass: Pass;
    readonly members: readonly Member[];
    readonly holders: Set<NodeId>;
    readonly tally: Tally;
  },
): Promise<boolean> {
  const { ring } = ports;
  const missing = one.owners.filter((id) => !holders.has(id));
  const enough = missing.length === 0 && holders.size >= one.need;
  if (enough || members.length === 0) return false;
  const bytes = await readHere(ports, one.block.cid);
  if (bytes === "later") return true;
  if (bytes === undefined) return false; // dropped meanwhile: others vouched for it
  const send = async (id: NodeId) => {
    if (!ring.isUsable(id) || pass.full.has(id)) return;
    const { cid, kind } = one.block;
    const options = { timeoutMs: putTimeoutMs, signal: pass.signal };
    const outcome = await ports.exchange.put(id, { cid, bytes, kind }, options);
    if (outcome.ok) {
      holders.add(id);
      tally.sent += 1;
    } else if (outcome.code === "full") pass.full.add(id);
  };
  for (const id of missing) await send(id);
  for (const id of placement({ members }).walk(slotOfCid(one.block.cid))) {
    if (holders.size >= one.need) break;
    if (id !== ring.self && !holders.has(id)) await send(id);
  }
  return missing.some((id) => !holders.has(id) && ring.isUsable(id) && !pass.full.has(id));
}

/** A block that was bad is in quarantine now, so the next pass meets it no more. */
async function readHere(ports: HandOffPorts, cid: Cid): Promise<Uint8Array | undefined | "later"> {
  try {
    return await ports.store.get(cid);
  } catch (error) {
    const passes = error instanceof SkyringError &&
      (error.code === "corrupt" || error.code === "busy");
    if (passes) return "later";
    throw error;
  }
}

/** Whether one of the holders can really give the block: the exchange hashes what comes. */
async function isVerified(
  ports: HandOffPorts,
  { block: { cid } }: PlacedBlock,
  holders: readonly NodeId[],
): Promise<boolean> {
  for (const id of holders) {
    const got = await ports.exchange.want(id, cid, { timeoutMs: putTimeoutMs });
    if (got.ok) return true;
  }
  return false;
}

function show(pass: Pass, tally: Tally): void {
  const full = pass.full.size === 0 ? "" : `; ${pass.full.size} nodes are full`;
  pass.report({
    state: "running",
    note: `${tally.safe} of ${tally.held} blocks are safe elsewhere${full}`,
    blocks: { done: Math.min(tally.safe, tally.held), total: tally.held },
    bytes: { done: Math.min(tally.safeBytes, tally.bytes), total: tally.bytes },
  });
}

/** Refuses when the pool cannot decide anything now. @throws {SkyringError} read_only */
export function assertDecidable(
  status: { readonly readOnly: boolean },
  doing: string,
): void {
  if (!status.readOnly) return;
  throw new SkyringError(
    "read_only",
    `Cannot ${doing}: a majority of the council cannot be reached`,
    { retriable: true },
  );
}
