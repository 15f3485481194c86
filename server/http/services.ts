// What the HTTP app needs of a node, besides the pool: snapshots, lists and the few actions of
// the API. The composition root fills it in. An optional member that is absent leaves its routes
// out of the app and out of the API description: they answer 404, never a stub.

import type { Cid } from "../../shared/base/ids.ts";
import type { NodeSnapshot, StatusSnapshot, WorkerSnapshot } from "../../shared/status.ts";
import type { Ticket } from "../../shared/wire/admission.ts";
import type { HealLine } from "../engine/heal.ts";
import type { Lookup } from "../engine/lookup.ts";
import type { NodeActions } from "../engine/node_actions.ts";
import type { Pool } from "../engine/pool.ts";
import type { RareBlock } from "../engine/rare_blocks.ts";
import type { PeerInfo } from "../net/network.ts";
import type { HttpLog } from "./adapter.ts";
import type { EventHub } from "./event_hub.ts";
import type { MetricFamily } from "./metrics_text.ts";

/** What of the settings decides who may do what. */
export interface HttpConfig {
  /** Version of Skyring, sent with every answer. */
  readonly version: string;
  readonly port: number;
  /** The listener is bound to a loopback address. */
  readonly loopback: boolean;
  readonly token: string | null;
  /** Further names under which HTTP may be asked for, lower case, without port. */
  readonly allowHosts: readonly string[];
  readonly tls: boolean;
  /** `--public`: strangers may use /ipfs and /routing. */
  readonly isPublic: boolean;
}

/** One page of a list whose cursor is the last item's own key. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** A block this node owns and does not hold yet. */
export interface WantedBlock {
  readonly cid: Cid;
  readonly file: string | null;
  /** Inner blocks belong to every node. */
  readonly kind: "leaf" | "inner";
  /** Copies that its files want. */
  readonly replicas: number;
  /** When it was last looked for in vain, ms since the epoch; and that nobody had it then. */
  readonly triedAt: number | null;
  readonly lost: boolean;
}

/** The ring as /api/ring shows it; slots as runs of equal owners. */
export interface RingSnapshot {
  readonly epoch: number;
  readonly slotCount: number;
  readonly nodes: readonly RingNode[];
  /** Slots [from, to] have these owners, nearest first. */
  readonly slots: readonly {
    readonly from: number;
    readonly to: number;
    readonly owners: readonly string[];
  }[];
  /** Zones with their part of all copies and of the capacity; `tooSmall` ones are full first. */
  readonly zones: readonly {
    readonly zone: string;
    readonly share: number;
    readonly fair: number;
    readonly tooSmall: boolean;
  }[];
  /** This node's finger table, when it runs the Chord protocol. */
  readonly fingers?: readonly { readonly start: string; readonly node: string }[];
}

export interface RingNode {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the peer id, hex: the place on the Chord ring. */
  readonly position: string;
  readonly tokens: number;
  readonly predecessor: string | null;
  readonly successor: string | null;
}

/** A provider of content, for Delegated Routing. */
export interface Provider {
  readonly id: string;
  readonly addresses: readonly string[];
}

export type Ready = { readonly ready: true } | { readonly ready: false; readonly reason: string };

export interface Services {
  readonly pool: Pool;
  readonly config: HttpConfig;
  readonly log: HttpLog;
  readonly now: () => number;
  readonly events: EventHub;
  readonly status: () => StatusSnapshot;
  readonly nodes: () => readonly NodeSnapshot[];
  readonly ready: () => Ready;
  readonly ring?: () => RingSnapshot;
  readonly peers?: () => readonly PeerInfo[];
  /** What pages that seed need. */
  readonly tabs?: TabService;
  readonly workers?: WorkerControl;
  /** A token with addresses and secret; null when the node has no secret to share. */
  readonly invite?: () => Promise<string>;
  /** Names in the catalog, without walking it. */
  readonly fileCount?: () => number;
  readonly wanted?: (after: string | undefined, limit: number) => Page<WantedBlock>;
  /** Which nodes that answer hold each block, in the order of the blocks. */
  readonly holders?: (cids: readonly Cid[]) => Promise<readonly (readonly string[])[]>;
  /** Whether a block lies on this node (`Cache-Control: only-if-cached`). */
  readonly holds?: (cid: Cid) => boolean;
  readonly providers?: (cid: Cid, signal: AbortSignal) => Promise<readonly Provider[]>;
  /**
   * 32 bytes that all nodes of the group share and nobody else knows: signs share links.
   * @throws {SkyringError} not_ready
   */
  readonly shareKey?: () => Uint8Array;
  /** What operators do to nodes; and jobs. */
  readonly nodeActions?: NodeActions;
  /** Where a key belongs; `cid` is the key as a CID, when it is one. */
  readonly lookup?: (key: string, cid: Cid | undefined) => Promise<Lookup>;
  /** Checks and repairs the whole pool; the last line is the report. */
  readonly heal?: (signal: AbortSignal) => AsyncIterable<HealLine>;
  /** Families beside those made of the status and of HTTP itself. */
  readonly metrics?: () => readonly MetricFamily[];
}

export interface WorkerControl {
  list(): readonly WorkerSnapshot[];
  /** False when no worker has that name. */
  pause(name: string): boolean;
  resume(name: string): boolean;
}

/** What a node does for tabs. */
export interface TabService {
  /** @throws {SkyringError} busy: this peer misbehaved a while ago, or no more tabs fit */
  ticket(peer: string): Ticket;
  /** Blocks of live files that this node holds, fewest copies first. */
  rare(options: { readonly limit: number; readonly seed: number }): Promise<readonly RareBlock[]>;
  /** Where this node itself listens. */
  addresses(): readonly string[];
  /** Tabs that are let in at once. */
  readonly max: number;
}
