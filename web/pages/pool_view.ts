// What pages are made of: snapshots of the pool, gathered by the server once a request. Shapes
// only; the same page is drawn from them in the product, in tests and from sample data.

import type { RingArc } from "../charts/ring_layout.ts";
import type { NodeSnapshot, StatusSnapshot } from "../../shared/status.ts";

/** The pool as this node sees it now. */
export interface PoolView {
  readonly now: number;
  readonly status: StatusSnapshot;
  /** The netmap: all members of the roster, those that were stopped too, by name. */
  readonly nodes: readonly NodeSnapshot[];
  readonly ring: RingView | null;
  readonly traffic: Traffic;
  readonly events: readonly PoolEvent[];
  /** Names in the catalog; null when the node cannot tell. */
  readonly files: number | null;
  /**
   * Whether this node runs long enough to have heard from the others. Before, who is silent may
   * only not have been heard, and how many copies there are is not known.
   */
  readonly settled: boolean;
  /** Whether nodes can be told to leave, stop or resize from here; and the pool to heal. */
  readonly takesOrders: boolean;
  readonly heals: boolean;
  /** The processes behind the gateway of a cluster; null when the page came another way. */
  readonly cluster: ClusterView | null;
}

/** The processes that a cluster supervises. */
export interface ClusterView {
  readonly processes: readonly ClusterProcess[];
  /** Why the last order to one was refused. */
  readonly refusal: string | null;
}

/** One supervised process; `waiting` is between two runs. */
export interface ClusterProcess {
  readonly name: string;
  readonly state: "running" | "paused" | "waiting" | "ended";
  readonly port: number;
}

/** The ring with slots grouped by their first owner. */
export interface RingView {
  readonly epoch: number;
  readonly slotCount: number;
  /** In ring order. */
  readonly arcs: readonly RingArc[];
  /** Slots by how many of their owners answer. */
  readonly tally: ReadonlyMap<number, number>;
  /** Owners that a slot should have: three, or as many as there are nodes. */
  readonly replicas: number;
}

/** What went through this node lately; one point each few seconds while somebody looks. */
export interface Traffic {
  /** Bytes a second, oldest first. */
  readonly taken: readonly number[];
  readonly given: readonly number[];
  /** Copies that come in for what is wanted, a second; 0 when none came. */
  readonly copiesPerSecond: number;
  /** Bytes a second now, by peer id. */
  readonly peers: ReadonlyMap<string, { readonly taken: number; readonly given: number }>;
}

/** An event of the pool's stream, as kept for late readers. */
export interface PoolEvent {
  readonly kind: string;
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One name, as the pool lists it. */
export interface FileRow {
  readonly name: string;
  readonly cid: string;
  readonly size: number;
  readonly blocks: number;
  readonly chunkBytes: number;
  readonly replicas: { readonly wanted: number; readonly least: number; readonly zones: number };
  readonly modifiedAt: number;
  readonly writer: string;
  readonly stale: boolean;
}

/** A name deleted a while ago whose content is still kept. */
export interface DeletedRow {
  readonly name: string;
  readonly cid: string;
  readonly size: number;
  readonly replicas: number;
  readonly chunkBytes: number;
  readonly deletedAt: number;
  readonly keptUntil: number;
}

/** One leaf of a file. */
export interface PieceRow {
  readonly index: number;
  readonly cid: string;
  readonly size: number;
  readonly owners: readonly string[];
  readonly holders: readonly string[];
}

/** One connection of this node. */
export interface PeerRow {
  readonly id: string;
  readonly role: string;
  readonly address: string;
  readonly direction: "inbound" | "outbound";
  readonly since: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly roundTripMs?: number;
}
