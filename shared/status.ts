// Plain snapshots for the API, the pages and the metrics: shapes only, no logic.

import type { PhaseNow } from "./phase.ts";

export type Liveness = "alive" | "suspect" | "dead" | "left";

/** What a node tells of its tabs. `marks`: their smallest 32-bit hashes, ascending. */
export interface TabSketch {
  readonly count: number;
  readonly marks: readonly number[];
}

/** One row of the netmap, as /api/nodes shows it. Bytes and milliseconds. */
export interface NodeSnapshot {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly state: Liveness;
  readonly phase: PhaseNow;
  /** HTTP base URL, libp2p multiaddrs, line protocol address. */
  readonly http: string | null;
  readonly line: string | null;
  readonly addresses: readonly string[];
  readonly version: string;
  readonly capacity: number;
  readonly used: number;
  readonly metadata: number;
  readonly blocks: { readonly held: number; readonly wanted: number; readonly surplus: number };
  readonly tokens: number;
  /** Share of all owned slots, copies counted, 0 to 1. */
  readonly share: number;
  readonly roundTripMs: number | null;
  readonly lastSeenAt: number;
  /** Roster epoch it reported, and slots whose registers it is still reading. */
  readonly epoch: number;
  readonly arriving: number;
  /** Tabs that are connected to it, as it told; a tab may be connected to several nodes. */
  readonly tabs?: TabSketch;
}

/** One background loop, as /api/workers shows it. */
export interface WorkerSnapshot {
  readonly name: string;
  readonly state: "running" | "idle" | "paused" | "failed";
  readonly progress: string;
  readonly lastError: string | null;
  readonly lastErrorAt: number | null;
}

/** This node, as /api/status shows it. */
export interface StatusSnapshot extends NodeSnapshot {
  readonly group: string;
  readonly startedAt: number;
  readonly bootId: string;
  readonly roster: {
    readonly epoch: number;
    readonly lineage: string;
    readonly members: number;
    readonly council: readonly string[];
  };
  /** Whether a council majority and the deciders can be reached. */
  readonly writable: boolean;
  /** Bytes a second over all connections, since status was last asked for; 0 at first. */
  readonly rates: { readonly bytesIn: number; readonly bytesOut: number };
  readonly workers: readonly WorkerSnapshot[];
}
