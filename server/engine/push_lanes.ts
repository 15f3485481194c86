// The lanes of one push: one per node that takes copies, with a cap of blocks in flight and a
// verdict. A node that is away, full or behind is out for the rest of the push, and whoever
// waited for it goes on to the next node.
//
// Behind is measured against the others, never against the clock alone, so that a slow uplink
// that slows all alike puts nobody out: a lane is behind when another remote copy of a block was
// done 2 s ago, and in less than half the time, or when one other lane did several blocks and it
// none for 2 s. Alone, it has 10 s without any progress.
// A gap in our own time (the process was stopped) forgives everyone.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { pauseMs, pushBehindMs, pushStallMs, putsPerPeerMax } from "../../shared/base/limits.ts";
import type { BlockKind, BlockStore } from "../../shared/block/block_store.ts";
import type { BlockExchange } from "../../web/peer/block_exchange.ts";
import type { Clock } from "./clock.ts";
import { untilAborted } from "./until_aborted.ts";

/** A bound, not a judgement: a full window on a slow line takes minutes, sweep() judges. */
const putTimeoutMs = 300_000;
/** On a line that all share, lanes take turns: so much is no chance any more. */
const outpacedBlocksMin = 4;
const busyPauseFirstMs = 25;
const busyPauseMaxMs = 400;

/** Why a node takes no more copies of this push. */
export type OutReason = "full" | "refused" | "unreachable" | "timeout" | "behind";

/** A block on its way, with what its copies tell of each other. */
export interface Flight {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  readonly kind: BlockKind;
  /** When the first remote copy was confirmed, and how long it took. */
  first: { readonly at: number; readonly tookMs: number } | undefined;
}

interface Sending {
  readonly flight: Flight;
  startedAt: number;
}

interface Lane {
  readonly peer: NodeId;
  readonly remote: boolean;
  readonly sending: Set<Sending>;
  readonly waiting: (() => void)[];
  progressAt: number;
  /** Since its last progress: when another remote lane did a block first, and how many each did. */
  outpacedAt: number | undefined;
  readonly outpacedBy: Map<Lane, number>;
  out: OutReason | undefined;
  stop: AbortController;
}

export interface LanePorts {
  readonly self: NodeId;
  readonly store: BlockStore;
  readonly exchange: BlockExchange;
  readonly clock: Clock;
}

/** Sends blocks to nodes for one push. Call sweep() a few times a second. */
export class PushLanes {
  readonly #ports: LanePorts;
  readonly #lanes = new Map<NodeId, Lane>();
  #sweptAt: number;

  constructor(ports: LanePorts) {
    this.#ports = ports;
    this.#sweptAt = ports.clock.now();
  }

  isOut(peer: NodeId): boolean {
    return this.#lanes.get(peer)?.out !== undefined;
  }

  /** How many nodes refused a copy for want of room. */
  fullCount(): number {
    return [...this.#lanes.values()].filter(({ out }) => out === "full").length;
  }

  /** Stores one copy; true once durable there, false when the node is out. @throws disk_failed */
  async send(peer: NodeId, flight: Flight): Promise<boolean> {
    const lane = this.#lane(peer);
    while (lane.sending.size >= putsPerPeerMax && lane.out === undefined) {
      await new Promise<void>((resolve) => lane.waiting.push(resolve));
    }
    if (lane.out !== undefined) return false;
    const sending: Sending = { flight, startedAt: this.#ports.clock.now() };
    lane.sending.add(sending);
    try {
      const stored = lane.remote ? await this.#offer(lane, flight) : await this.#keep(lane, flight);
      if (stored) this.#progress(lane, sending);
      return stored;
    } finally {
      lane.sending.delete(sending);
      lane.waiting.shift()?.();
    }
  }

  /** Puts out who is behind or no longer usable. */
  sweep(isUsable: (id: NodeId) => boolean): void {
    const now = this.#ports.clock.now();
    const paused = now - this.#sweptAt > pauseMs;
    this.#sweptAt = now;
    for (const lane of this.#lanes.values()) {
      if (!lane.remote || lane.out !== undefined) continue;
      if (paused) {
        matched(lane, now);
        for (const sending of lane.sending) sending.startedAt = now;
      } else if (!isUsable(lane.peer)) {
        this.#putOut(lane, "unreachable");
      } else if (isBehind(lane, now)) {
        this.#putOut(lane, "behind");
      }
    }
  }

  /** Gives nodes that were away or behind another chance, when they are usable now. */
  forgive(isUsable: (id: NodeId) => boolean): void {
    for (const lane of this.#lanes.values()) {
      const passing = lane.out === "unreachable" || lane.out === "timeout" || lane.out === "behind";
      if (!passing || !isUsable(lane.peer)) continue;
      lane.out = undefined;
      lane.stop = new AbortController();
      matched(lane, this.#ports.clock.now());
    }
  }

  /** A node that had confirmed a copy and has it not takes no more of this push. */
  exclude(peer: NodeId): void {
    this.#putOut(this.#lane(peer), "refused");
  }

  /** Ends all sending; every send() settles. */
  stop(): void {
    for (const lane of this.#lanes.values()) this.#putOut(lane, lane.out ?? "refused");
  }

  async #keep(lane: Lane, flight: Flight): Promise<boolean> {
    const outcome = await this.#ports.store.put(flight.cid, flight.bytes, flight.kind);
    if (!outcome.ok) this.#putOut(lane, "full");
    return outcome.ok;
  }

  async #offer(lane: Lane, flight: Flight): Promise<boolean> {
    const { clock, exchange } = this.#ports;
    const { signal } = lane.stop;
    for (let pause = busyPauseFirstMs;; pause = Math.min(busyPauseMaxMs, pause * 2)) {
      const put = exchange.put(lane.peer, flight, { timeoutMs: putTimeoutMs, signal });
      const outcome = await untilAborted(put, signal);
      if (outcome === undefined || lane.out !== undefined) return false;
      if (outcome.ok) return true;
      if (outcome.code !== "busy") {
        this.#putOut(lane, outcome.code);
        return false;
      }
      await clock.sleep(pause, signal);
    }
  }

  #progress(lane: Lane, sending: Sending): void {
    const now = this.#ports.clock.now();
    matched(lane, now);
    if (!lane.remote) return;
    sending.flight.first ??= { at: now, tookMs: now - sending.startedAt };
    for (const other of this.#lanes.values()) {
      if (other === lane || other.sending.size === 0) continue;
      other.outpacedAt ??= now;
      other.outpacedBy.set(lane, (other.outpacedBy.get(lane) ?? 0) + 1);
    }
  }

  #putOut(lane: Lane, reason: OutReason): void {
    lane.out = reason;
    lane.stop.abort();
    for (const resolve of lane.waiting.splice(0)) resolve();
  }

  #lane(peer: NodeId): Lane {
    let lane = this.#lanes.get(peer);
    if (lane === undefined) {
      lane = {
        peer,
        remote: peer !== this.#ports.self,
        sending: new Set(),
        waiting: [],
        progressAt: this.#ports.clock.now(),
        outpacedAt: undefined,
        outpacedBy: new Map(),
        out: undefined,
        stop: new AbortController(),
      };
      this.#lanes.set(peer, lane);
    }
    return lane;
  }
}

/** A lane made progress, or is to be judged from now on. */
function matched(lane: Lane, now: number): void {
  lane.progressAt = now;
  lane.outpacedAt = undefined;
  lane.outpacedBy.clear();
}

function isBehind(lane: Lane, now: number): boolean {
  const clearly = [...lane.outpacedBy.values()].some((blocks) => blocks >= outpacedBlocksMin);
  for (const { flight, startedAt } of lane.sending) {
    const outpaced = clearly && lane.outpacedAt !== undefined &&
      now - Math.max(lane.outpacedAt, startedAt) >= pushBehindMs;
    const late = flight.first !== undefined &&
      now - Math.max(flight.first.at, startedAt) >= Math.max(pushBehindMs, flight.first.tookMs);
    const stalled = now - Math.max(lane.progressAt, startedAt) >= pushStallMs;
    if (outpaced || late || stalled) return true;
  }
  return false;
}
