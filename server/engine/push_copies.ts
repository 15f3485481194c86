// Brings every block of a push to its copies, and counts them again before the answer.
// Placing takes a block's nodes in order (owners, then stand-ins) until enough confirmed it.
// Recounting asks every claimed holder by lists of CIDs, which also renews the leases there when
// the push has lasted: what was put a moment ago has its lease from the put.
// what is missing then is fetched from a copy and placed once more.

import type { NodeId } from "../../shared/base/ids.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import { haveCidsMax } from "../../shared/base/limits.ts";
import { codecOf } from "../../shared/block/cid.ts";
import type { CopyLedger } from "./copies.ts";
import { copiesMinimum, type RingView, targetsOf } from "./place.ts";
import type { Flight, LanePorts, PushLanes } from "./push_lanes.ts";
import { untilAborted } from "./until_aborted.ts";

const haveTimeoutMs = 10_000;
const wantTimeoutMs = 10_000;
const retryPausesMs = [100, 400, 1_500] as const;
const topUpAtOnce = 8;
/** Far below the time that a put protects its block for. */
const leaseFreshMs = 5_000;

/** One push's blocks, lanes and aims. */
export interface CopyWork {
  readonly ports: LanePorts & { readonly ring: RingView };
  readonly lanes: PushLanes;
  readonly ledger: CopyLedger;
  readonly replicas: number;
  /** When the first block can have been put, by the ports' clock. */
  readonly begunAt: number;
  readonly signal: AbortSignal;
}

/**
 * Places one block: resolves when `replicas` nodes confirmed it, or all that would take it did.
 * @throws {SkyringError} too_few_copies when even the minimum cannot be reached, full when the
 * nodes that refused for want of room would have reached it
 */
export async function placeBlock(
  work: CopyWork,
  block: { readonly row: number; readonly bytes: Uint8Array },
): Promise<void> {
  const { ports, ledger, lanes, replicas, signal } = work;
  const cid = ledger.cidAt(block.row);
  for (let attempt = 0;; attempt++) {
    const missing = replicas - ledger.countOf(block.row);
    const flight: Flight = {
      cid,
      bytes: block.bytes,
      kind: codecOf(cid) === "raw" ? "leaf" : "inner",
      first: undefined,
    };
    const targets = targetsOf(ports.ring, cid);
    const copies: Promise<void>[] = [];
    for (let copy = 0; copy < missing; copy++) {
      copies.push(placeCopy(work, { row: block.row, flight, targets }));
    }
    await settled(copies);
    const have = ledger.countOf(block.row);
    const needed = copiesMinimum(ports.ring, replicas);
    if (have >= needed || signal.aborted) return;
    const pause = retryPausesMs[attempt];
    if (pause === undefined) throw tooFewCopies(work, { needed, have });
    await ports.clock.sleep(pause, signal);
    lanes.forgive((id) => ports.ring.isUsable(id));
  }
}

/** Tries the shared list of targets one by one until one node confirms. */
async function placeCopy(
  work: CopyWork,
  copy: { readonly row: number; readonly flight: Flight; readonly targets: Iterator<NodeId> },
): Promise<void> {
  const { ledger, lanes, signal } = work;
  while (!signal.aborted) {
    const target = copy.targets.next();
    if (target.done) return;
    if (lanes.isOut(target.value) || ledger.has(copy.row, target.value)) continue;
    if (await lanes.send(target.value, copy.flight)) {
      ledger.confirm(copy.row, target.value);
      return;
    }
  }
}

/** Asks every claimed holder again, and takes back what is not there. Renews leases. */
export async function recount(work: CopyWork): Promise<void> {
  await settled(work.ledger.peers.slice().map((peer) => recountPeer(work, peer)));
}

async function recountPeer(work: CopyWork, peer: NodeId): Promise<void> {
  const { ledger, signal } = work;
  let rows: number[] = [];
  const flush = async () => {
    const held = await heldBy(work, { peer, rows });
    for (const [at, row] of rows.entries()) if (!held[at]) ledger.revoke(row, peer);
    rows = [];
  };
  for (let row = 0; row < ledger.rows && !signal.aborted; row++) {
    if (!ledger.has(row, peer)) continue;
    rows.push(row);
    if (rows.length === haveCidsMax) await flush();
  }
  if (rows.length > 0 && !signal.aborted) await flush();
}

async function heldBy(
  work: CopyWork,
  query: { readonly peer: NodeId; readonly rows: readonly number[] },
): Promise<readonly boolean[]> {
  const { ledger, ports, signal } = work;
  const cids = query.rows.map((row) => ledger.cidAt(row));
  const lease = ports.clock.now() - work.begunAt > leaseFreshMs;
  if (query.peer === ports.self) {
    if (lease) await ports.store.touch(cids);
    return cids.map((cid) => ports.store.has(cid));
  }
  for (const pause of [0, ...retryPausesMs]) {
    if (pause > 0) await ports.clock.sleep(pause, signal);
    if (!ports.ring.isUsable(query.peer)) break;
    const options = { timeoutMs: haveTimeoutMs, signal, lease };
    const answer = await untilAborted(ports.exchange.have(query.peer, cids, options), signal);
    if (answer === undefined) break;
    if (answer.ok) {
      if (answer.held.includes(false)) work.lanes.exclude(query.peer);
      return answer.held;
    }
    if (answer.code !== "busy") break;
  }
  return [];
}

/** Blocks below `needed` copies are fetched from a copy and placed again. */
export async function topUp(work: CopyWork, needed: number): Promise<void> {
  const weak: number[] = [];
  for (let row = 0; row < work.ledger.rows; row++) {
    if (work.ledger.countOf(row) < needed) weak.push(row);
  }
  const worker = async () => {
    for (let row = weak.pop(); row !== undefined && !work.signal.aborted; row = weak.pop()) {
      const bytes = await bytesOf(work, row);
      if (bytes !== undefined) await placeBlock(work, { row, bytes });
    }
  };
  await settled(Array.from({ length: topUpAtOnce }, worker));
}

async function bytesOf(work: CopyWork, row: number): Promise<Uint8Array | undefined> {
  const { ledger, ports, signal } = work;
  const cid = ledger.cidAt(row);
  const local = await ports.store.get(cid);
  if (local !== undefined) return local;
  for (const peer of ledger.holdersOf(row)) {
    const wanted = ports.exchange.want(peer, cid, { timeoutMs: wantTimeoutMs, signal });
    const outcome = await untilAborted(wanted, signal);
    if (outcome?.ok) return outcome.bytes;
  }
  return undefined;
}

/** The refusal of a push that cannot reach its copies. */
export function tooFewCopies(
  { lanes }: Pick<CopyWork, "lanes">,
  { needed, have }: { readonly needed: number; readonly have: number },
): SkyringError {
  const text = `Cannot store file: ${have} of ${needed} copies of a block could be made`;
  const full = lanes.fullCount();
  if (full > 0 && have + full >= needed) {
    return new SkyringError("full", `${text}, ${full} nodes are full`, {
      data: { needed, have, full },
    });
  }
  return new SkyringError("too_few_copies", text, { data: { needed, have }, retriable: true });
}

/** Waits for all, then throws the first failure: nothing is left running behind an error. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
