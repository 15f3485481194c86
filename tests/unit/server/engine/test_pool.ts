// Several nodes in one process for the block engines: real stores, real placement, and an
// exchange whose peers can be made dead, stalled, lying, slow, busy, full or forgetful. Time is
// virtual: it moves on when nothing else is going on.

import { createHash } from "node:crypto";
import { asNodeId, type Cid, type NodeId } from "../../../../shared/base/ids.ts";
import type { BlockStore } from "../../../../shared/block/block_store.ts";
import { digestOf } from "../../../../shared/block/cid.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { placement } from "../../../../shared/ring/placement.ts";
import type { Clock } from "../../../../server/engine/clock.ts";
import type { PullPorts } from "../../../../server/engine/pull.ts";
import { createTransferShares } from "../../../../server/engine/transfer_shares.ts";
import type { PushPorts } from "../../../../server/engine/push.ts";
import type { BlockExchange, ExchangeOptions } from "../../../../web/peer/block_exchange.ts";

const GiB = 1024 ** 3;

/** How a node treats the others. */
export type Manner =
  | "well"
  | "dead" // unreachable, and known as dead
  | "unreachable" // unreachable, though still believed alive
  | "stalled" // answers nothing before the deadline
  | "deaf" // answers nothing, ever, whatever the deadline and the signal
  | "lying" // serves other bytes than asked for
  | "slow" // takes a second for each block
  | "busy" // turns down two of three requests
  | "forgetful"; // confirms puts and keeps nothing

export interface TestNode {
  readonly id: NodeId;
  readonly store: BlockStore;
  manner: Manner;
  /** Blocks given out, and the most puts taken at once. */
  served: number;
  putsNow: number;
  putsPeak: number;
}

export interface TestClock extends Clock {
  stop(): void;
}

/** Virtual time: jumps to the next timer whenever a turn of the event loop found nothing due. */
export function createTestClock(): TestClock {
  const timers = new Set<{ at: number; fire: () => void }>();
  let now = 1_000_000;
  let stopped = false;
  const pump = () => {
    if (stopped) return;
    const next = [...timers].sort((one, other) => one.at - other.at)[0];
    if (next !== undefined) {
      // In small steps, so that work between two timers is not skipped over.
      now = Math.min(next.at, now + 50);
      if (next.at <= now) next.fire();
    }
    setTimeout(pump, 0);
  };
  setTimeout(pump, 0);
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = { at: now + ms, fire: () => end() };
        const end = () => {
          timers.delete(timer);
          signal?.removeEventListener("abort", end);
          resolve();
        };
        if (signal?.aborted) return resolve();
        timers.add(timer);
        signal?.addEventListener("abort", end);
      }),
    stop: () => void (stopped = true),
  };
}

export interface TestPool {
  readonly nodes: readonly TestNode[];
  readonly clock: Clock;
  node(at: number): TestNode;
  /** The ports of one node's engines. */
  ports(at: number): PushPorts & PullPorts;
  /** Nodes that hold a block. */
  holdersOf(cid: Cid): TestNode[];
}

export interface TestPoolOptions {
  readonly nodes: number;
  readonly zones?: number;
  readonly clock: Clock;
  readonly storeOf?: (at: number) => BlockStore;
}

/** A pool of nodes that all behave well to begin with. */
export function createTestPool(options: TestPoolOptions): TestPool {
  const { clock } = options;
  const nodes = Array.from({ length: options.nodes }, (_, at): TestNode => ({
    id: asNodeId(`12D3KooWTestNode${String(at).padStart(3, "0")}`),
    store: options.storeOf?.(at) ??
      createMemoryStore({ capacityBytes: 4 * GiB, now: () => clock.now() }),
    manner: "well",
    served: 0,
    putsNow: 0,
    putsPeak: 0,
  }));
  const members = nodes.map((node, at) => ({
    id: node.id,
    since: 1,
    capacity: 10 * GiB,
    zone: `zone-${at % (options.zones ?? options.nodes)}`,
  }));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const exchange = createExchange(byId, clock);
  const shares = createTransferShares();
  return {
    nodes,
    clock,
    node: (at) => nodes[at] as TestNode,
    ports: (at) => {
      const self = nodes[at] as TestNode;
      return {
        self: self.id,
        store: self.store,
        exchange,
        clock,
        shares,
        ring: {
          self: self.id,
          placement: () => placement({ members }),
          isUsable: (id) => id === self.id || byId.get(id)?.manner !== "dead",
        },
      };
    },
    holdersOf: (cid) => nodes.filter((node) => node.store.has(cid)),
  };
}

function createExchange(nodes: ReadonlyMap<NodeId, TestNode>, clock: Clock): BlockExchange {
  let turns = 0;
  /** The way to a peer: undefined when it can be asked, else what the asker sees. */
  const reach = async (node: TestNode, options: ExchangeOptions) => {
    await Promise.resolve();
    if (node.manner === "dead" || node.manner === "unreachable") return "unreachable" as const;
    if (node.manner === "stalled") {
      await clock.sleep(options.timeoutMs, options.signal);
      return "timeout" as const;
    }
    if (node.manner === "deaf") await new Promise<never>(() => {});
    if (node.manner === "slow") await clock.sleep(1_000, options.signal);
    if (node.manner === "busy" && turns++ % 3 !== 0) return "busy" as const;
    return undefined;
  };
  const at = (id: NodeId) => {
    const node = nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  };
  return {
    async want(peer, cid, options) {
      const node = at(peer);
      const fault = await reach(node, options);
      if (fault !== undefined) return { ok: false, code: fault };
      const held = await node.store.get(cid);
      if (held === undefined) return { ok: false, code: "dont_have" };
      const bytes = node.manner === "lying" ? held.map((byte) => byte ^ 1) : held;
      node.served++;
      // The door: what does not match is never handed on.
      const digest = createHash("sha256").update(bytes).digest();
      return digest.equals(digestOf(cid)) ? { ok: true, bytes } : { ok: false, code: "bad_block" };
    },
    async put(peer, block, options) {
      const node = at(peer);
      node.putsPeak = Math.max(node.putsPeak, ++node.putsNow);
      try {
        const fault = await reach(node, options);
        if (fault !== undefined) return { ok: false, code: fault };
        if (node.manner === "forgetful") return { ok: true };
        const outcome = await node.store.put(block.cid, block.bytes, block.kind);
        return outcome.ok ? { ok: true } : { ok: false, code: "full" };
      } finally {
        node.putsNow--;
      }
    },
    async have(peer, cids, options) {
      const node = at(peer);
      const fault = await reach(node, options);
      if (fault !== undefined) return { ok: false, code: fault };
      if (options.lease) await node.store.touch(cids);
      return { ok: true, held: cids.map((cid) => node.store.has(cid)) };
    },
    rating: () => ({ bytesPerSecond: 0, latencyMs: 0, inFlight: 0 }),
  };
}

/** Bytes that differ everywhere, the same for the same seed. */
export function testBytes(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let at = 0; at < size; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** A body in pieces of some size. */
export async function* pieces(bytes: Uint8Array, pieceBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
  }
}

/** All that an iteration gives. */
export async function gathered(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for await (const part of parts) list.push(part);
  return new Uint8Array(Buffer.concat(list));
}

/** Runs a test on virtual time. */
export async function inVirtualTime(body: (clock: Clock) => Promise<void>): Promise<void> {
  const clock = createTestClock();
  try {
    await body(clock);
  } finally {
    clock.stop();
  }
}
