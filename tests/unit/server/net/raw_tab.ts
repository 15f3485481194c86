// A tab without a browser: a libp2p peer over WebSockets that is let in by a ticket and answers
// for its blocks with the product's own server, or as badly as a test wants.

import { generateKeyPair } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, PrivateKey, Stream } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { admissionMessageBytesMax, MiB } from "../../../../shared/base/limits.ts";
import type { BlockStore } from "../../../../shared/block/block_store.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { admissionProtocol, type Ticket } from "../../../../shared/wire/admission.ts";
import { dialExchange } from "../../../../web/peer/admission_dial.ts";
import { serveBlocks } from "../../../../web/peer/block_server.ts";
import { createMailbox } from "../../../../web/peer/mailbox.ts";
import { channelProtocol } from "../../../../web/peer/protocol.ts";
import { equalInConstantTime } from "../../../../server/net/group_keys.ts";
import { startNodeHash } from "../../../../server/net/node_hash.ts";
import { websocketTransport } from "../../../../server/net/websocket_transport.ts";

export interface RawTabOptions {
  readonly group: string;
  /** WebSocket multiaddr of a node. */
  readonly address: string;
  readonly ticket: (peer: string) => Ticket | Promise<Ticket>;
  readonly privateKey?: PrivateKey;
  /** Blocks of another tab, for one that comes back. */
  readonly store?: BlockStore;
  /** Takes the node's block streams instead of the product's server. */
  readonly serve?: (stream: Stream) => void;
}

/** A connected tab. The caller stops it. */
export interface RawTab {
  readonly id: NodeId;
  readonly peer: Libp2p;
  readonly connection: Connection;
  readonly store: BlockStore;
  /** A stream to the node on which this tab asks. */
  open(): Promise<Stream>;
  stop(): Promise<void>;
}

/** Connects a tab. @throws Error with the reason when it is refused */
export async function connectTab(options: RawTabOptions): Promise<RawTab> {
  const privateKey = options.privateKey ?? await generateKeyPair("Ed25519");
  const id = asNodeId(peerIdFromPrivateKey(privateKey).toString());
  const ticket = await options.ticket(id);
  const store = options.store ?? createMemoryStore({ capacityBytes: 256 * MiB, now: Date.now });
  const peer = await createLibp2p({
    privateKey,
    transports: [websocketTransport(undefined)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  });
  const protocol = channelProtocol(options.group, "block");
  await peer.handle(protocol, (stream) => (options.serve ?? serving(store))(stream));
  try {
    const connection = await peer.dial(multiaddr(options.address));
    await admit(connection, { group: options.group, id, ticket });
    return {
      ...{ id, peer, connection, store },
      open: () => connection.newStream(protocol),
      stop: async () => await peer.stop(),
    };
  } catch (error) {
    await peer.stop();
    throw error;
  }
}

function serving(store: BlockStore): (stream: Stream) => void {
  return (stream) => {
    serveBlocks(stream, {
      caller: { id: asNodeId("node"), role: "tab" },
      ...{ store, startHash: startNodeHash },
      pace: () => Promise.resolve(() => undefined),
      onFailure: (error) => console.error(error),
      onLie: () => undefined,
      onClosed: () => undefined,
    });
  };
}

async function admit(
  connection: Connection,
  { group, id, ticket }: { group: string; id: NodeId; ticket: Ticket },
): Promise<void> {
  const stream = await connection.newStream(admissionProtocol(group));
  const mail = createMailbox(stream, {
    messageBytesMax: admissionMessageBytesMax,
    signal: AbortSignal.timeout(10_000),
  });
  const boot = crypto.getRandomValues(new Uint8Array(8)).toHex();
  const outcome = await dialExchange(mail, {
    ...{ group, ticket, selfId: id, remoteId: connection.remotePeer.toString(), bootId: boot },
    ...{ proofs: [], equal: equalInConstantTime, loopback: false },
    isCopied: () => Promise.resolve(false),
  });
  await mail.close();
  if (!outcome.ok) throw new Error(outcome.reason);
}
