// What went through this node lately, for rates, sparklines and time left: taken from the counters
// of its connections whenever somebody asks, at most once a second, and kept for some minutes.
// Nobody looks: nothing is sampled, and what was is forgotten.

import type { PeerInfo } from "../net/network.ts";
import type { Traffic } from "../../web/pages/pool_view.ts";

const pointsMax = 60;
/** A shorter step would turn one frame into a rate. */
const stepMsMin = 1_000;
/** After a longer pause the curve would lie about the time between. */
const gapMsMax = 60_000;

interface Counters {
  readonly at: number;
  readonly wanted: number;
  /** By connection: id, address and start name it. */
  readonly connections: ReadonlyMap<string, PeerInfo>;
}

export interface TrafficLog {
  /** Takes the counters of now and tells what is known. */
  sample(
    now: number,
    counters: { readonly wanted: number; readonly peers: readonly PeerInfo[] },
  ): Traffic;
}

const silence: Traffic = { taken: [], given: [], copiesPerSecond: 0, peers: new Map() };

/** An empty log. @throws never */
export function createTrafficLog(): TrafficLog {
  let last: Counters | undefined;
  let traffic = silence;
  return {
    sample(now, { wanted, peers }) {
      const elapsed = last === undefined ? Infinity : now - last.at;
      if (elapsed < stepMsMin && elapsed >= 0) return traffic;
      const connections = new Map(peers.map((peer) => [keyOf(peer), peer]));
      const fresh: Counters = { at: now, wanted, connections };
      traffic = last === undefined || elapsed > gapMsMax || elapsed < 0
        ? silence
        : follow(traffic, { from: last, to: fresh });
      last = fresh;
      return traffic;
    },
  };
}

function keyOf({ id, address, since }: PeerInfo): string {
  return `${id} ${address} ${since}`;
}

function follow(
  before: Traffic,
  { from, to }: { readonly from: Counters; readonly to: Counters },
): Traffic {
  const seconds = (to.at - from.at) / 1_000;
  const peers = new Map<string, { taken: number; given: number }>();
  for (const [key, peer] of to.connections) {
    const past = from.connections.get(key);
    const rates = peers.get(peer.id) ?? { taken: 0, given: 0 };
    rates.taken += Math.max(0, peer.bytesIn - (past?.bytesIn ?? 0)) / seconds;
    rates.given += Math.max(0, peer.bytesOut - (past?.bytesOut ?? 0)) / seconds;
    peers.set(peer.id, rates);
  }
  const sum = (kind: "taken" | "given") =>
    [...peers.values()].reduce((total, rates) => total + rates[kind], 0);
  const made = Math.max(0, from.wanted - to.wanted) / seconds;
  return {
    taken: [...before.taken, sum("taken")].slice(-pointsMax),
    given: [...before.given, sum("given")].slice(-pointsMax),
    // Smoothed, so that time left does not jump with each batch.
    copiesPerSecond: to.wanted === 0 ? 0 : before.copiesPerSecond * .7 + made * .3,
    peers,
  };
}
