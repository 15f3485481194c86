// The lanes of one push: one per node that takes copies, with a cap of blocks in flight and a
// verdict. A node that is away, full or behind is out for the rest of the push, and whoever
// waited for it goes on to the next node.
//
// Behind is measured against the others, never against the clock alone, so that a slow uplink
// that slows all alike puts nobody out: a lane is behind when another remote lane has finished a
// block 2 s ago and it none since, or when the other copies of a block of it have been
// done for 2 s. Alone, it has 10 s without any progress.
// A gap in our own time (the process was stopped) forgives everyone.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { pauseMs, pushBehindMs, pushStallMs, putsPerPeerMax } from "../../shared/base/limits.ts";
import type { BlockKind, BlockStore } from "../../shared/block/block_store.ts";
import type { BlockExchange, OfferOutcome } from "../net/block_exchange.ts";
import type { Clock } from "./clock.ts";

const putTimeoutMs = 30_000;
const busyPauseFirstMs = 25;
const busyPauseMaxMs = 400;

/** Why a node takes no more copies of this push. */
export type OutReason = "full" | "refused" | "unreachable" | "timeout" | "behind";

/** A block on its way, with what its copies tell of each other. */
export interface Flight {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  readonly kind: BlockKind;
  /** Copies not settled yet. */
  pending: number;
  /** When the last copy was confirmed, and whether a remote one was among them. */
  doneAt: number;
  remoteDone: boolean;
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
  /** When another remote lane first made progress that this one has not matched. */
  outpacedAt: number | undefined;
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
      if (stored) this.#progress(lane, flight);
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
        lane.outpacedAt = undefined;
        lane.progressAt = now;
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
      lane.progressAt = this.#ports.clock.now();
      lane.outpacedAt = undefined;
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

  #progress(lane: Lane, flight: Flight): void {
    const now = this.#ports.clock.now();
    flight.doneAt = now;
    lane.progressAt = now;
    lane.outpacedAt = undefined;
    if (!lane.remote) return;
    flight.remoteDone = true;
    for (const other of this.#lanes.values()) {
      if (other !== lane && other.sending.size > 0) other.outpacedAt ??= now;
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
        out: undefined,
        stop: new AbortController(),
      };
      this.#lanes.set(peer, lane);
    }
    return lane;
  }
}

function isBehind(lane: Lane, now: number): boolean {
  for (const { flight, startedAt } of lane.sending) {
    const outpaced = lane.outpacedAt !== undefined &&
      now - Math.max(lane.outpacedAt, startedAt) >= pushBehindMs;
    const last = flight.pending === 1 && flight.remoteDone &&
      now - Math.max(flight.doneAt, startedAt) >= pushBehindMs;
    const stalled = now - Math.max(lane.progressAt, startedAt) >= pushStallMs;
    if (outpaced || last || stalled) return true;
  }
  return false;
}

/** The outcome, or undefined as soon as the signal aborts, whether or not the peer ever answers. */
function untilAborted(
  put: Promise<OfferOutcome>,
  signal: AbortSignal,
): Promise<OfferOutcome | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve(undefined);
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
    put.then(resolve, (cause) => signal.aborted ? leave() : reject(cause))
      .finally(() => signal.removeEventListener("abort", leave));
  });
}
