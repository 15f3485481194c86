// libp2p in a tab: WebSockets out, noise, yamux, identify, nothing else. It dials the origin of its
// page and a few more nodes, shows its ticket to each, and dials again with back-off for as long
// as it lives: after a node has started again, after the laptop slept.
//
// Invariant: only a connection that this side dialled and that was admitted has a NodeLink, and
// only on such a connection are streams served.

import { type ICryptoInterface, noise } from "@libp2p/noise";
import { identify } from "@libp2p/identify";
import type { Connection, PrivateKey, Stream } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { messageOf } from "../../shared/base/errors.ts";
import {
  admissionDeadlineMs,
  admissionMessageBytesMax,
  streamBufferBytesMax,
  streamWindowBytesMax,
} from "../../shared/base/limits.ts";
import { admissionProtocol, type Ticket } from "../../shared/wire/admission.ts";
import { dialExchange } from "../peer/admission_dial.ts";
import type { StartHash } from "../peer/block_hash.ts";
import type { ServedBlocks } from "../peer/block_server.ts";
import { createMailbox } from "../peer/mailbox.ts";
import { channelProtocol } from "../peer/protocol.ts";
import { browserSockets } from "./browser_socket.ts";
import type { Cipher } from "./cipher.ts";
import { NodeLink } from "./node_link.ts";
import { createNoiseCrypto } from "./noise_crypto.ts";

const streamsMax = 8;
const connectionsMax = 16;

export interface TabNetworkOptions {
  readonly privateKey: PrivateKey;
  readonly group: string;
  readonly bootId: string;
  readonly store: ServedBlocks;
  readonly startHash: StartHash;
  readonly loadCipher: () => Promise<Cipher>;
  readonly now: () => number;
  readonly onGiven: (bytes: number) => void;
  readonly onChange: () => void;
}

/** How a dial ended. */
export type DialOutcome =
  | { readonly ok: true; readonly link: NodeLink; readonly closed: Promise<void> }
  | { readonly ok: false; readonly why: string };

/** The tab's libp2p node. */
export interface TabNetwork {
  /** Nodes that let this tab in, oldest first. */
  links(): readonly NodeLink[];
  /** Dials and shows the ticket. Never rejects. */
  dial(address: string, ticket: Ticket, signal: AbortSignal): Promise<DialOutcome>;
  stop(): Promise<void>;
}

/** Starts libp2p; it dials nothing by itself. */
export async function startTabNetwork(options: TabNetworkOptions): Promise<TabNetwork> {
  const { crypto, quicken } = createNoiseCrypto(options.loadCipher);
  const node = await createNode(options.privateKey, crypto);
  const links = new Map<Connection, NodeLink>();
  const protocol = channelProtocol(options.group, "block");
  await node.handle(protocol, (stream, connection) => {
    const link = links.get(connection);
    if (link === undefined) stream.abort(new Error("Cannot serve blocks: not admitted"));
    else link.serve(stream);
  }, { maxInboundStreams: streamsMax, maxOutboundStreams: streamsMax });
  node.addEventListener("connection:close", ({ detail }) => {
    if (links.delete(detail)) options.onChange();
  });
  await node.start();
  return {
    links: () => [...links.values()],
    async dial(address, ticket, signal) {
      let connection: Connection | undefined;
      try {
        connection = await node.dial(multiaddr(address), { signal });
        const twin = [...links.values()].find(({ id }) => id === connection?.remotePeer.toString());
        if (twin !== undefined && twin.open) {
          if (!links.has(connection)) await connection.close();
          return { ok: false, why: "connected already" };
        }
        const refusal = await showTicket(connection, { ...options, selfId: idOf(node), ticket });
        if (refusal !== undefined) throw new Error(refusal);
        const link = new NodeLink({ ...options, connection, protocol }, options.now());
        links.set(connection, link);
        quicken(); // not before: admission needs the line, and little of the cipher
        options.onChange();
        return { ok: true, link, closed: closeOf(connection) };
      } catch (error) {
        connection?.abort(new Error("Cannot use connection: not admitted"));
        return { ok: false, why: messageOf(error) };
      }
    },
    async stop() {
      await Promise.all([...links.values()].map((link) => link.close("the tab stops")));
      links.clear();
      await node.stop();
    },
  };
}

function idOf(node: Libp2p): string {
  return node.peerId.toString();
}

function closeOf(connection: Connection): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  connection.addEventListener("close", () => resolve(), { once: true });
  if (connection.status !== "open") resolve();
  return promise;
}

/** Runs admission; why the node refused, or undefined when this tab is in. */
async function showTicket(connection: Connection, options: {
  readonly group: string;
  readonly selfId: string;
  readonly bootId: string;
  readonly ticket: Ticket;
}): Promise<string | undefined> {
  const signal = AbortSignal.timeout(admissionDeadlineMs);
  const stream: Stream = await connection.newStream(admissionProtocol(options.group), { signal });
  const mail = createMailbox(stream, { messageBytesMax: admissionMessageBytesMax, signal });
  const outcome = await dialExchange(mail, {
    group: options.group,
    selfId: options.selfId,
    remoteId: connection.remotePeer.toString(),
    bootId: options.bootId,
    ticket: options.ticket,
    loopback: false,
    // A tab knows no secret: it proves nothing, and judges no proof.
    proofs: [],
    equal: () => false,
    isCopied: () => Promise.resolve(false),
  });
  void mail.close();
  return outcome.ok ? undefined : outcome.reason;
}

async function createNode(privateKey: PrivateKey, crypto: ICryptoInterface): Promise<Libp2p> {
  return await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [] },
    transports: [browserSockets()],
    connectionEncrypters: [noise({ crypto })],
    streamMuxers: [yamux({
      maxInboundStreams: streamsMax,
      maxOutboundStreams: streamsMax,
      maxEarlyStreams: 4,
      streamOptions: {
        maxStreamWindowSize: streamWindowBytesMax,
        maxReadBufferLength: streamBufferBytesMax,
        maxWriteBufferLength: streamBufferBytesMax,
      },
    })],
    // Where it may dial is the policy's matter (connect-src), not the library's.
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { maxConnections: connectionsMax, reconnectRetries: 0, dialTimeout: 10_000 },
    connectionMonitor: {
      pingInterval: 10_000,
      pingTimeout: { minTimeout: 10_000, maxTimeout: 20_000 },
    },
    services: { identify: identify(), ping: ping() },
  });
}
