// The stream port on libp2p: streams go over admitted connections only, TCP ones first, and
// incoming ones are held unread until their connection has settled.

import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { StreamMessageEvent } from "@libp2p/interface";
import { SkyringError } from "../../shared/base/errors.ts";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { dialOrder } from "./address.ts";
import type { Admission, Standing } from "./admission.ts";
import type { PeerEvent } from "./network.ts";
import type { Caller } from "../../web/peer/caller.ts";
import type { AcceptOptions, StreamPort } from "./stream_port.ts";

interface Accepted {
  readonly protocol: string;
  readonly options: AcceptOptions;
  readonly handler: (stream: Stream, caller: Caller) => void;
}

/** A stream port that comes alive when attach() gives it the node. */
export interface PeerStreams extends StreamPort {
  attach(node: Libp2p): Promise<void>;
  /** Tells listeners: called by the host for every event of admission. */
  announce(event: PeerEvent): void;
  /** Bytes of our protocols on a connection since it opened. */
  traffic(connection: Connection): { readonly bytesIn: number; readonly bytesOut: number };
}

/** Streams over the connections that `admission` knows. */
export function createPeerStreams(options: {
  readonly admission: Admission;
  readonly public: boolean;
}): PeerStreams {
  return new AdmittedStreams(options);
}

class AdmittedStreams implements PeerStreams {
  readonly #admission: Admission;
  readonly #public: boolean;
  readonly #accepted: Accepted[] = [];
  readonly #listeners: ((event: PeerEvent) => void)[] = [];
  readonly #counts = new WeakMap<Connection, { bytesIn: number; bytesOut: number }>();

  constructor(options: { readonly admission: Admission; readonly public: boolean }) {
    this.#admission = options.admission;
    this.#public = options.public;
  }

  reachable(peer: NodeId): boolean {
    return this.#connectionTo(peer) !== undefined;
  }

  route(peer: NodeId): object | undefined {
    return this.#connectionTo(peer);
  }

  async open(peer: NodeId, protocol: string, signal: AbortSignal): Promise<Stream> {
    const connection = this.#connectionTo(peer);
    if (connection === undefined) {
      throw new SkyringError("unreachable", `Cannot reach ${peer}: not connected`, {
        data: { peer },
        retriable: true,
      });
    }
    const stream = await connection.newStream(protocol, { signal, maxOutboundStreams: 8 });
    return this.#counted(stream, connection);
  }

  accept(
    protocol: string,
    options: AcceptOptions,
    handler: (stream: Stream, caller: Caller) => void,
  ): void {
    this.#accepted.push({ protocol, options, handler });
  }

  onPeer(listener: (event: PeerEvent) => void): void {
    this.#listeners.push(listener);
  }

  announce(event: PeerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  traffic(connection: Connection): { readonly bytesIn: number; readonly bytesOut: number } {
    return this.#counts.get(connection) ?? { bytesIn: 0, bytesOut: 0 };
  }

  async attach(node: Libp2p): Promise<void> {
    for (const entry of this.#accepted) {
      await node.handle(
        entry.protocol,
        (stream, connection) => this.#take(entry, stream, connection),
        { maxInboundStreams: entry.options.streamsPerConnectionMax, maxOutboundStreams: 8 },
      );
    }
  }

  #counted(stream: Stream, connection: Connection): Stream {
    const count = this.#counts.get(connection) ?? { bytesIn: 0, bytesOut: 0 };
    this.#counts.set(connection, count);
    return countStream(stream, count);
  }

  #connectionTo(peer: NodeId): Connection | undefined {
    const open = this.#admission.connectionsOf(peer);
    const [best] = open.length < 2
      ? open
      : open.toSorted((left, right) => dialOrder(left.remoteAddr, right.remoteAddr));
    if (best !== undefined || !this.#public) return best;
    return this.#admission.connections().find((connection) =>
      connection.remotePeer.toString() === peer && connection.status === "open" &&
      this.#admission.standing(connection).kind === "stranger"
    );
  }

  /** Waits for a standing; a silent peer is a stranger at once where strangers are served. */
  async #standingOf(connection: Connection): Promise<Standing> {
    const now = this.#admission.standing(connection);
    const silent = now.kind === "pending" && !this.#admission.asked(connection);
    return this.#public && silent
      ? { kind: "stranger" }
      : await this.#admission.settled(connection);
  }

  async #take(entry: Accepted, stream: Stream, connection: Connection): Promise<void> {
    const standing = await this.#standingOf(connection);
    const role = standing.kind === "admitted" ? standing.role : standing.kind;
    const id = asNodeId(connection.remotePeer.toString());
    const mayOpen = role === "member" || role === "tab"
      ? entry.options.roles.includes(role)
      : role === "stranger" && entry.options.strangers && this.#public;
    if (!mayOpen || role === "pending" || role === "refused") {
      stream.abort(new Error(`Cannot open ${entry.protocol}: peer is ${role}`));
      return;
    }
    if (stream.status === "open") entry.handler(this.#counted(stream, connection), { id, role });
  }
}

/**
 * Counts what passes, by shadowing send() and dispatchEvent(): a `message` listener of its own
 * would take bytes that arrive before the stream's owner listens.
 */
function countStream(stream: Stream, count: { bytesIn: number; bytesOut: number }): Stream {
  const send = stream.send.bind(stream);
  const dispatch = stream.dispatchEvent.bind(stream);
  stream.send = (data) => {
    count.bytesOut += data.byteLength;
    return send(data);
  };
  stream.dispatchEvent = (event: Event) => {
    if (event instanceof StreamMessageEvent) count.bytesIn += event.data.byteLength;
    return dispatch(event);
  };
  return stream;
}
