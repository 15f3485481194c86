// The network port: what engines and protocol drivers see of libp2p. Only server/net knows
// libp2p itself. Peers here are admitted peers; strangers never reach a channel.

import type { NodeId } from "../../shared/base/ids.ts";
import type { PeerRole } from "../../web/peer/caller.ts";

/**
 * One message protocol, `/skyring/<group>/<name>/1.0.0`, over one long-lived stream per peer and
 * direction.
 */
export interface Channel {
  readonly name: string;
  /**
   * Sends a message and awaits its reply.
   * @throws {SkyringError} unreachable, timeout, busy (queue full), stopped
   */
  request(to: NodeId, message: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** Sends a message and forgets it: dropped when the peer is away or its queue is full. */
  notify(to: NodeId, message: Uint8Array): void;
  /** Sets the handler; a returned Uint8Array answers a request, undefined answers nothing. */
  handle(handler: ChannelHandler): void;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export type ChannelHandler = (
  from: NodeId,
  message: Uint8Array,
) => Promise<Uint8Array | undefined> | Uint8Array | undefined;

export interface ChannelLimits {
  /** Largest message accepted or sent. */
  readonly messageBytesMax: number;
  /** Requests from one peer handled at once; more wait in its stream. */
  readonly concurrencyMax: number;
  /** Unsent messages kept for one peer before notify() drops and request() is busy. */
  readonly queueMax: number;
  /** Roles that may open this channel. */
  readonly roles: readonly PeerRole[];
}

/** One connection as shown by /api/peers. Bytes since it opened. */
export interface PeerInfo {
  readonly id: NodeId;
  readonly role: PeerRole | "stranger";
  readonly address: string;
  readonly direction: "inbound" | "outbound";
  readonly since: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Last measured round trip, if any. */
  readonly roundTripMs?: number;
}

/** The libp2p host with admission done. */
export interface Network {
  readonly self: NodeId;
  /** Opens a channel by name; call once per name, before start(). */
  channel(name: string, limits: ChannelLimits): Channel;
  /** Listens; resolves with the multiaddrs listened on. */
  start(): Promise<readonly string[]>;
  /** Addresses that others may dial, `/p2p/` suffix included: announced ones first. */
  addresses(): readonly string[];
  /** Admitted members connected now. */
  connected(): readonly NodeId[];
  /** Keeps a connection to this peer open: dials, and redials with back-off, until forgotten. */
  keep(id: NodeId, addresses: readonly string[]): void;
  forget(id: NodeId): void;
  /** Dials an address (multiaddr, or a node's URL resolved beforehand) and admits what is there. */
  dial(address: string, signal?: AbortSignal): Promise<NodeId>;
  /** Admission results: a peer became usable, or its last connection closed. */
  onPeer(listener: (event: PeerEvent) => void): void;
  peers(): readonly PeerInfo[];
  stop(): Promise<void>;
}

export type PeerEvent =
  | { readonly kind: "admitted"; readonly id: NodeId; readonly role: PeerRole }
  | { readonly kind: "gone"; readonly id: NodeId }
  | { readonly kind: "refused"; readonly id: NodeId | undefined; readonly reason: string }
  /** Our own peer id is alive in another process: the data folder was copied. */
  | { readonly kind: "copied_identity"; readonly address: string }
  /** A member met a later start of this node: its data folder is an older one, restored. */
  | { readonly kind: "restored_disk"; readonly address: string };
