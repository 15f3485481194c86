// The stream port on libp2p: streams go over admitted connections only, TCP ones first, and
// incoming ones are held unread until their connection has settled.

import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { StreamMessageEvent } from "@libp2p/interface";
import { SkyringError } from "../../shared/base/errors.ts";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { dialOrder } from "./address.ts";
import type { Admission, Standing } from "./admission.ts";
import type { PeerEvent } from "./network.ts";
import type { AcceptOptions, Caller, StreamPort } from "./stream_port.ts";

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

export function createPeerStreams(options: {
  readonly admission: Admission;
  readonly public: boolean;
}): PeerStreams {
  const { admission } = options;
  const accepted: Accepted[] = [];
  const listeners: ((event: PeerEvent) => void)[] = [];
  const counts = new WeakMap<Connection, { bytesIn: number; bytesOut: number }>();

  function counted(stream: Stream, connection: Connection): Stream {
    const count = counts.get(connection) ?? { bytesIn: 0, bytesOut: 0 };
    counts.set(connection, count);
    return countStream(stream, count);
  }

  function connectionTo(peer: NodeId): Connection | undefined {
    const open = admission.connectionsOf(peer);
    const [best] = open.toSorted((left, right) => dialOrder(left.remoteAddr, right.remoteAddr));
    if (best !== undefined || !options.public) return best;
    return admission.connections().find((connection) =>
      connection.remotePeer.toString() === peer && connection.status === "open" &&
      admission.standing(connection).kind === "stranger"
    );
  }

  /** Waits for a standing; a silent peer is a stranger at once where strangers are served. */
  async function standingOf(connection: Connection): Promise<Standing> {
    const now = admission.standing(connection);
    const silent = now.kind === "pending" && !admission.asked(connection);
    return options.public && silent ? { kind: "stranger" } : await admission.settled(connection);
  }

  async function take(entry: Accepted, stream: Stream, connection: Connection): Promise<void> {
    const standing = await standingOf(connection);
    const role = standing.kind === "admitted" ? standing.role : standing.kind;
    const id = asNodeId(connection.remotePeer.toString());
    const mayOpen = role === "member" || role === "tab"
      ? entry.options.roles.includes(role)
      : role === "stranger" && entry.options.strangers && options.public;
    if (!mayOpen || role === "pending" || role === "refused") {
      stream.abort(new Error(`Cannot open ${entry.protocol}: peer is ${role}`));
      return;
    }
    if (stream.status === "open") entry.handler(counted(stream, connection), { id, role });
  }

  return {
    reachable: (peer) => connectionTo(peer) !== undefined,
    async open(peer, protocol, signal) {
      const connection = connectionTo(peer);
      if (connection === undefined) {
        throw new SkyringError("unreachable", `Cannot reach ${peer}: not connected`, {
          data: { peer },
          retriable: true,
        });
      }
      const stream = await connection.newStream(protocol, { signal, maxOutboundStreams: 8 });
      return counted(stream, connection);
    },
    accept(protocol, acceptOptions, handler) {
      accepted.push({ protocol, options: acceptOptions, handler });
    },
    traffic: (connection) => counts.get(connection) ?? { bytesIn: 0, bytesOut: 0 },
    onPeer: (listener) => void listeners.push(listener),
    announce(event) {
      for (const listener of listeners) listener(event);
    },
    async attach(node) {
      for (const entry of accepted) {
        await node.handle(
          entry.protocol,
          (stream, connection) => take(entry, stream, connection),
          { maxInboundStreams: entry.options.streamsPerConnectionMax, maxOutboundStreams: 8 },
        );
      }
    },
  };
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
