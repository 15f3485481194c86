// The libp2p node with every limit set: its defaults are an open door (1,000 streams a
// connection, unbounded write buffers) or too narrow (five connections a second, all of
// loopback being one host). Nothing here knows of groups; admission and gating are passed in.

import { gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { PeerDiscovery, PrivateKey, StreamMuxerFactory } from "@libp2p/interface";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { mdns } from "@libp2p/mdns";
import { noise } from "@libp2p/noise";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import type { Multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import {
  connectionsMax,
  gossipMessageBytesMax,
  inboundConnectionsPerSecond,
  inboundConnectionsPerSecondLoopback,
  MiB,
  pendingConnectionsMax,
  streamBufferBytesMax,
  streamsPerConnectionMax,
  streamWindowBytesMax,
} from "../../shared/base/limits.ts";
import { dialOrder } from "./address.ts";
import { type Gate, gatedComponents } from "./gated_registrar.ts";
import { loopbackDiscovery } from "./loopback_discovery.ts";
import { type SelfSighting, watchedEncrypter } from "./self_watch.ts";
import type { UpgradePort } from "./upgrade_listener.ts";
import { websocketTransport } from "./websocket_transport.ts";

/** Our DHT is our own: no group's name, so that public roots are found across groups. */
export const dhtProtocol = "/skyring/kad/1.0.0";
const mdnsIntervalMs = 5_000;

export interface Libp2pOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly upgrade: UpgradePort | undefined;
  /** Where peers of the same tag are looked for, if anywhere. */
  readonly discovery: { readonly tag: string; readonly scope: "lan" | "loopback" } | undefined;
  readonly profile: "local" | "normal";
  /** Whether a connection may take part in gossip (members only) or the DHT. */
  readonly gossipGate: Gate;
  readonly dhtGate: Gate;
  readonly mayDial: (address: Multiaddr) => boolean;
  readonly mayAccept: (address: Multiaddr) => boolean;
  readonly onSelf: (sighting: SelfSighting) => void;
}

type GossipComponents = Parameters<ReturnType<typeof gossipsub>>[0];
type DiscoveryComponents =
  & Parameters<ReturnType<typeof mdns>>[0]
  & Parameters<ReturnType<typeof loopbackDiscovery>>[0];
type DhtComponents = Parameters<ReturnType<typeof kadDHT>>[0];

/** A libp2p node, not started. */
export async function createNode(options: Libp2pOptions) {
  const upgradeAddress = options.upgrade === undefined ? [] : ["/ip4/0.0.0.0/tcp/0/ws"];
  return await createLibp2p({
    start: false,
    privateKey: options.privateKey,
    addresses: {
      listen: [...options.listen, ...upgradeAddress],
      appendAnnounce: [...options.announce],
    },
    transports: [
      tcp({
        maxConnections: connectionsMax,
        inboundSocketInactivityTimeout: 120_000,
        outboundSocketInactivityTimeout: 120_000,
        dialOpts: { noDelay: true },
        listenOpts: { noDelay: true },
      }),
      websocketTransport(options.upgrade),
    ],
    connectionEncrypters: [(components) =>
      watchedEncrypter(noise()(components), {
        selfId: components.peerId,
        onSelf: options.onSelf,
      })],
    streamMuxers: [muxer],
    connectionGater: {
      denyDialMultiaddr: (address) => !options.mayDial(address),
      denyInboundConnection: (connection) => !options.mayAccept(connection.remoteAddr),
    },
    connectionManager: {
      maxConnections: connectionsMax,
      maxIncomingPendingConnections: pendingConnectionsMax,
      inboundConnectionThreshold: options.profile === "local"
        ? inboundConnectionsPerSecondLoopback
        : inboundConnectionsPerSecond,
      inboundUpgradeTimeout: 10_000,
      dialTimeout: 10_000,
      addressSorter: (left, right) => dialOrder(left.multiaddr, right.multiaddr),
      // The mesh redials by itself (keep_peers.ts).
      reconnectRetries: 0,
    },
    // Liveness is SWIM's business; this only clears away connections that are long dead.
    connectionMonitor: {
      pingInterval: 10_000,
      pingTimeout: { minTimeout: 20_000, maxTimeout: 30_000 },
    },
    peerDiscovery: discoveryOf(options.discovery),
    services: {
      identify: identify({ maxInboundStreams: 2, maxOutboundStreams: 2 }),
      ping: ping({ maxInboundStreams: 4, maxOutboundStreams: 4 }),
      gossip: (components: GossipComponents) =>
        gossipService(gatedComponents(components, options.gossipGate)),
      dht: (components: DhtComponents) => dhtService(gatedComponents(components, options.dhtGate)),
    },
  });
}

/** The node with its services. */
export type SkyringLibp2p = Awaited<ReturnType<typeof createNode>>;

/**
 * Forgets every peer that has gone but these: tabs and scanners come under ever new ids, and the
 * peer store would grow with each. @throws never
 */
export function forgetGone(node: SkyringLibp2p, members: ReadonlySet<string>): void {
  node.addEventListener("peer:disconnect", ({ detail: id }) => {
    if (members.has(id.toString())) return;
    node.peerStore.delete(id).catch((error) => node.logger.forComponent("skyring").error(error));
  });
}

function discoveryOf(
  discovery: Libp2pOptions["discovery"],
): ((components: DiscoveryComponents) => PeerDiscovery)[] {
  if (discovery === undefined) return [];
  if (discovery.scope === "loopback") return [loopbackDiscovery(discovery.tag)];
  return [mdns({ serviceTag: `${discovery.tag}._udp.local`, interval: mdnsIntervalMs })];
}

const muxer: () => StreamMuxerFactory = () =>
  yamux({
    maxInboundStreams: streamsPerConnectionMax,
    maxOutboundStreams: streamsPerConnectionMax,
    maxEarlyStreams: 10,
    streamOptions: {
      // The initial window stays the library's: it must be equal on both sides.
      maxStreamWindowSize: streamWindowBytesMax,
      maxReadBufferLength: streamBufferBytesMax,
      maxWriteBufferLength: streamBufferBytesMax,
    },
  })();

const gossipService = gossipsub({
  allowPublishToZeroTopicPeers: true,
  emitSelf: false,
  globalSignaturePolicy: "StrictSign",
  maxInboundStreams: 2,
  maxOutboundStreams: 2,
  maxInboundDataLength: gossipMessageBytesMax,
  maxOutboundBufferSize: 4 * MiB,
  maxTopicBytesPerPeer: 64 * 1024,
  tagMeshPeers: false,
});

const dhtService = kadDHT({
  protocol: dhtProtocol,
  clientMode: false,
  // The default mapper drops private addresses, and most of ours are private.
  peerInfoMapper: passthroughMapper,
  allowQueryWithZeroPeers: true,
  maxInboundStreams: 16,
  maxOutboundStreams: 16,
  logPrefix: "skyring:dht",
});
