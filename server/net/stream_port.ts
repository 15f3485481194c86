// What channels and the block protocol need of the host: streams to and from peers whose
// standing is known. Everything libp2p is behind this port, so drivers can be tested alone.

import type { Stream } from "@libp2p/interface";
import type { NodeId } from "../../shared/base/ids.ts";
import type { Caller, PeerRole } from "../../web/peer/caller.ts";
import type { PeerEvent } from "./network.ts";

export interface AcceptOptions {
  /** Roles that may open this protocol. */
  readonly roles: readonly PeerRole[];
  /** Whether strangers may too (only ever under `public`). */
  readonly strangers: boolean;
  readonly streamsPerConnectionMax: number;
}

export interface StreamPort {
  /** Whether an admitted (or, if asked for, a stranger's) connection to the peer is open. */
  reachable(peer: NodeId): boolean;
  /** What stands for the way streams go now: another object once there is a better one. */
  route?(peer: NodeId): object | undefined;
  /** Opens a stream. @throws {SkyringError} unreachable */
  open(peer: NodeId, protocol: string, signal: AbortSignal): Promise<Stream>;
  /** Takes streams of a protocol; those of peers that may not open it are reset, unread. */
  accept(
    protocol: string,
    options: AcceptOptions,
    handler: (stream: Stream, caller: Caller) => void,
  ): void;
  onPeer(listener: (event: PeerEvent) => void): void;
}
