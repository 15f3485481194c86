// One outgoing link per peer, opened when first needed, opened again with back-off after it
// failed, and anew when a better connection has come; what is under way on the old one goes on.
// Shared by channels and the block client; `T` is what the owner makes of a stream.

import type { Stream } from "@libp2p/interface";
import { SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import type { StreamPort } from "./stream_port.ts";

const openTimeoutMs = 10_000;
const backOffMinMs = 50;
const backOffMaxMs = 5_000;

/** Something made of a stream, that ends. */
export interface Closable {
  close(reason: string): void;
  readonly open: boolean;
}

export interface PeerLinks<T extends Closable> {
  /** The open link, or one opened now. @throws {SkyringError} unreachable, stopped */
  get(peer: NodeId): Promise<T>;
  /** The link if one is open. */
  peek(peer: NodeId): T | undefined;
  stop(): void;
}

interface Slot<T> {
  link: T | undefined;
  route: object | undefined;
  opening: Promise<T> | undefined;
  failures: number;
  notBefore: number;
}

/** Links of one protocol to many peers. `random` in [0, 1) spreads the back-off. */
export function createPeerLinks<T extends Closable>(options: {
  readonly streams: StreamPort;
  readonly protocol: string;
  readonly attach: (peer: NodeId, stream: Stream) => T;
  readonly now?: () => number;
}): PeerLinks<T> {
  const now = options.now ?? Date.now;
  const slots = new Map<NodeId, Slot<T>>();
  const stopping = new AbortController();

  options.streams.onPeer((event) => {
    if (event.kind === "gone") {
      slots.get(event.id)?.link?.close("peer is gone");
      slots.delete(event.id);
    } else if (event.kind === "admitted") slots.delete(event.id);
  });

  async function open(peer: NodeId, slot: Slot<T>): Promise<T> {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(openTimeoutMs)]);
    try {
      const route = options.streams.route?.(peer);
      const stream = await options.streams.open(peer, options.protocol, signal);
      const link = options.attach(peer, stream);
      slot.link = link;
      slot.route = route;
      slot.failures = 0;
      return link;
    } catch (error) {
      if (slot.link?.open) return slot.link;
      slot.failures += 1;
      const wait = Math.min(backOffMaxMs, backOffMinMs * 2 ** slot.failures);
      slot.notBefore = now() + wait * (0.5 + Math.random() / 2);
      throw unreachable(peer, error);
    } finally {
      slot.opening = undefined;
    }
  }

  return {
    get(peer) {
      if (stopping.signal.aborted) {
        return Promise.reject(new SkyringError("stopped", "Cannot open stream: stopping"));
      }
      const slot = slots.get(peer) ??
        { link: undefined, route: undefined, opening: undefined, failures: 0, notBefore: 0 };
      if (slot.link?.open && options.streams.route?.(peer) === slot.route) {
        return Promise.resolve(slot.link);
      }
      if (slot.opening !== undefined) return slot.opening;
      if (!options.streams.reachable(peer)) return Promise.reject(unreachable(peer));
      if (now() < slot.notBefore) return Promise.reject(unreachable(peer));
      slots.set(peer, slot);
      slot.opening = open(peer, slot);
      return slot.opening;
    },
    peek(peer) {
      const link = slots.get(peer)?.link;
      return link?.open ? link : undefined;
    },
    stop() {
      stopping.abort();
      for (const slot of slots.values()) slot.link?.close("stopping");
      slots.clear();
    },
  };
}

function unreachable(peer: NodeId, cause?: unknown): SkyringError {
  return new SkyringError("unreachable", `Cannot open stream to ${peer}: not reachable`, {
    data: { peer },
    cause,
    retriable: true,
  });
}
