// The network port on libp2p: one node, admission, the mesh, channels, gossip and the DHT, put
// together in order and stopped in reverse. Drivers in this folder do the work; this file only
// wires them.

import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { Multiaddr } from "@multiformats/multiaddr";
import { assert } from "../../shared/base/assert.ts";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { sha256Text, toHex } from "../../shared/base/hash.ts";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { admissionDeadlineMs, ticketLifeMs } from "../../shared/base/limits.ts";
import { tabsMax } from "../../shared/base/tab_limits.ts";
import {
  makeTicket,
  type RefusalReason,
  type Speaks,
  type Ticket,
} from "../../shared/wire/admission.ts";
import {
  addressPeerId,
  dialableAddress,
  endpointOf,
  isLoopbackAddress,
  isPlainTcp,
  isStrangersAddress,
  parseDialTarget,
} from "./address.ts";
import { type Admission, createAdmission, type StartMarks } from "./admission.ts";
import { answersPing } from "./connection_probe.ts";
import { createChannel, type OwnedChannel } from "./channel.ts";
import { notAdmitted, unreachable } from "./dial_refusal.ts";
import { createGossip, type Gossip } from "./gossip.ts";
import { deriveGroupKeys } from "./group_keys.ts";
import { createKeepPeers } from "./keep_peers.ts";
import { createNode, forgetGone, type SkyringLibp2p } from "./libp2p_node.ts";
import type { ChannelLimits, Network, PeerEvent, PeerInfo } from "./network.ts";
import { createPeerStreams } from "./peer_streams.ts";
import { createProviders, type Providers } from "./providers.ts";
import { createSelfWatch } from "./self_watch.ts";
import type { StreamPort } from "./stream_port.ts";
import type { UpgradePort } from "./upgrade_listener.ts";

const selfPairMs = 1_000;
const probeTimeoutMs = 2_000;

/** How a node is on the network. */
export interface HostOptions {
  readonly group: string;
  /** Ed25519 key: the node's identity. */
  readonly privateKey: PrivateKey;
  /** Newest first; none: this machine only. */
  readonly secrets: readonly string[];
  /** Eight random bytes of this start, as hex. */
  readonly bootId: string;
  /** TCP multiaddrs to listen on, `/ip4/127.0.0.1/tcp/0`. */
  readonly listen: readonly string[];
  /** Addresses to announce besides those listened on. */
  readonly announce: readonly string[];
  /** The HTTP server that takes WebSocket peers on `/`. */
  readonly upgrade?: UpgradePort;
  readonly mdns: boolean;
  readonly public: boolean;
  /** `local`: all nodes are one address, so limits per address are raised. */
  readonly profile: "local" | "normal";
  /** For a tab-like peer: a ticket instead of a secret. */
  readonly ticket?: Ticket;
  /** What this program speaks; replaced in tests only. */
  readonly speaks?: Speaks;
  /** Starts that this node has counted, and those of members that it met. */
  readonly starts?: number;
  readonly marks?: StartMarks;
  readonly now?: () => number;
  /** A handler of a channel threw; the asking peer was told that it failed. */
  readonly onChannelFailure?: (channel: string, error: unknown) => void;
  readonly admissionDeadlineMs?: number;
  /** Which addresses are this machine; replaced in tests only. */
  readonly isLoopback?: (address: Multiaddr) => boolean;
}

/** The network port and what only the composition root needs. */
export interface Host extends Network {
  readonly streams: StreamPort;
  readonly gossip: Gossip;
  readonly providers: Providers;
  /** A ticket that lets this tab's peer id in for 24 h. @throws {SkyringError} busy */
  issueTicket(peerId: string): Ticket;
  /** Ends a tab's connections, and lets it in no more for a while. */
  punish(tab: NodeId, reason: string): void;
  /** Peers that mDNS found, with addresses that may be dialled. */
  onDiscovered(listener: (found: { id: NodeId; addresses: readonly string[] }) => void): void;
  /** Connections turned away since the start, by reason. */
  refusals(): ReadonlyMap<RefusalReason, number>;
}

/** Makes a host; start() listens. @throws {SkyringError} bad_setting */
export async function createHost(options: HostOptions): Promise<Host> {
  const keys = await deriveGroupKeys(options.group, options.secrets);
  return new SkyringHost(options, keys);
}

type DiscoveryListener = (found: { id: NodeId; addresses: readonly string[] }) => void;

class SkyringHost implements Host {
  readonly self: NodeId;
  readonly gossip: ReturnType<typeof createGossip>;
  readonly providers: Providers;
  readonly #options: HostOptions;
  readonly #keys: Awaited<ReturnType<typeof deriveGroupKeys>>;
  readonly #admission: Admission;
  readonly #streams: ReturnType<typeof createPeerStreams>;
  readonly #keeper: ReturnType<typeof createKeepPeers>;
  readonly #selfWatch: ReturnType<typeof createSelfWatch>;
  readonly #channels = new Map<string, OwnedChannel>();
  readonly #discoveries: DiscoveryListener[] = [];
  /** Endpoints being dialled on behalf of the operator or a member. */
  readonly #named = new Set<string>();
  /** Members that were ever here; libp2p remembers no other peer that has gone. */
  readonly #members = new Set<string>();
  readonly #isLoopback: (address: Multiaddr) => boolean;
  readonly #now: () => number;
  #node: SkyringLibp2p | undefined;

  constructor(options: HostOptions, keys: Awaited<ReturnType<typeof deriveGroupKeys>>) {
    this.#options = options;
    this.#keys = keys;
    this.#isLoopback = options.isLoopback ?? isLoopbackAddress;
    this.#now = options.now ?? Date.now;
    this.self = asNodeId(peerIdFromPrivateKey(options.privateKey).toString());
    this.gossip = createGossip(options.group);
    this.providers = createProviders({
      node: () => this.#node,
      self: this.self,
      public: options.public,
    });
    this.#admission = createAdmission({
      ...options,
      selfId: this.self,
      keys,
      isLoopback: this.#isLoopback,
      now: this.#now,
      deadlineMs: options.admissionDeadlineMs ?? admissionDeadlineMs,
      answers: (connection) => answersPing(connection, probeTimeoutMs),
      onEvent: (event) => this.#announce(event),
    });
    this.#streams = createPeerStreams({ admission: this.#admission, public: options.public });
    this.#keeper = createKeepPeers({
      self: this.self,
      dial: (id, addresses, signal) => this.#dialPeer(id, addresses, signal),
      isConnected: (id, addresses) => this.#isWellConnected(id, addresses),
    });
    this.#selfWatch = createSelfWatch({
      pairWithinMs: selfPairMs,
      onCopy: ({ address }) => this.#announce({ kind: "copied_identity", address }),
    });
  }

  get streams(): StreamPort {
    return this.#streams;
  }

  channel(name: string, limits: ChannelLimits): OwnedChannel {
    assert(this.#node === undefined, "channels are opened before the network starts");
    assert(!this.#channels.has(name), `channel ${name} is opened once`);
    const channel = createChannel({
      streams: this.#streams,
      group: this.#options.group,
      name,
      limits,
      onFailure: (error) => this.#options.onChannelFailure?.(name, error),
    });
    this.#channels.set(name, channel);
    return channel;
  }

  async start(): Promise<readonly string[]> {
    assert(this.#node === undefined, "a network starts once");
    const { group, mdns } = this.#options;
    const scope = this.#keys.proofs.length === 0 ? "loopback" : "lan";
    const node = await createNode({
      privateKey: this.#options.privateKey,
      listen: this.#options.listen,
      announce: this.#options.announce,
      upgrade: this.#options.upgrade,
      profile: this.#options.profile,
      discovery: mdns ? { tag: discoveryTag(group), scope } : undefined,
      gossipGate: async (connection) => {
        const standing = await this.#admission.settled(connection);
        return standing.kind === "admitted" && standing.role === "member";
      },
      dhtGate: (connection) => this.#mayUseDht(connection),
      mayDial: (address) => this.#mayDial(address),
      mayAccept: (address) => this.#isAllowed(address),
      onSelf: (sighting) => this.#selfWatch.seen(sighting),
    });
    await this.#admission.attach(node);
    await this.#streams.attach(node);
    node.addEventListener("peer:discovery", ({ detail }) => this.#onDiscovery(detail));
    forgetGone(node, this.#members);
    await node.start();
    this.#node = node;
    this.gossip.attach(node);
    return node.getMultiaddrs().map((address) => address.toString());
  }

  addresses(): readonly string[] {
    const own = this.#node?.getMultiaddrs().map((address) => address.toString()) ?? [];
    const announced = new Set(this.#options.announce);
    const first = own.filter((each) => announced.has(each.replace(/\/p2p\/[^/]+$/, "")));
    return [...first, ...own.filter((each) => !first.includes(each))];
  }

  connected(): readonly NodeId[] {
    const members = this.peers().filter((peer) => peer.role === "member");
    return [...new Set(members.map((peer) => peer.id))];
  }

  keep(id: NodeId, addresses: readonly string[]): void {
    this.#keeper.keep(id, addresses);
  }

  forget(id: NodeId): void {
    this.#keeper.forget(id);
  }

  async dial(address: string, signal?: AbortSignal): Promise<NodeId> {
    const target = parseDialTarget(address);
    // An address that names ourselves is dialled without the name: libp2p would refuse it
    // unseen, and it may be a copy of this node.
    const named = addressPeerId(target) === this.self;
    const dialled = named ? target.decapsulate(`/p2p/${this.self}`) : target;
    return await this.#connect([dialled], { label: address, signal });
  }

  onPeer(listener: (event: PeerEvent) => void): void {
    this.#streams.onPeer(listener);
  }

  onDiscovered(listener: DiscoveryListener): void {
    this.#discoveries.push(listener);
  }

  peers(): readonly PeerInfo[] {
    return this.#admission.connections().flatMap((connection): PeerInfo[] => {
      const standing = this.#admission.standing(connection);
      if (standing.kind !== "admitted" && standing.kind !== "stranger") return [];
      const id = asNodeId(connection.remotePeer.toString());
      return [{
        id,
        role: standing.kind === "admitted" ? standing.role : "stranger",
        address: connection.remoteAddr.toString(),
        direction: connection.direction,
        since: connection.timeline.open,
        ...this.#streams.traffic(connection),
        ...(connection.rtt === undefined ? {} : { roundTripMs: connection.rtt }),
      }];
    });
  }

  issueTicket(peerId: string): Ticket {
    const secondsLeft = Math.ceil(this.#admission.penaltyMs(asNodeId(peerId)) / 1_000);
    if (secondsLeft > 0 || this.#admission.tabs() >= tabsMax) {
      const state = secondsLeft > 0 ? `kept out for ${secondsLeft} s` : `${tabsMax} tabs are here`;
      throw new SkyringError("busy", `Cannot let tab in: ${state}`, { retriable: true });
    }
    const [key] = this.#keys.tickets;
    assert(key !== undefined, "there is always a key for tickets");
    const expiresAt = this.#now() + ticketLifeMs;
    return makeTicket(key, { group: this.#options.group, peerId, expiresAt });
  }

  punish(tab: NodeId, reason: string): void {
    this.#admission.punish(tab, reason);
  }

  refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#admission.refusals();
  }

  async stop(): Promise<void> {
    await this.#keeper.stop();
    for (const channel of this.#channels.values()) channel.stop();
    this.#selfWatch.stop();
    await this.#node?.stop();
    this.#admission.stop();
  }

  #announce(event: PeerEvent): void {
    this.#keeper.onEvent(event);
    if (event.kind === "admitted" && event.role === "member") this.#members.add(event.id);
    this.#streams.announce(event);
  }

  /** Without a secret nothing but this machine is dialled or accepted. */
  #isAllowed(address: Multiaddr): boolean {
    const hasProof = this.#keys.proofs.length > 0 || this.#options.ticket !== undefined;
    return hasProof || this.#options.public || this.#isLoopback(address);
  }

  /**
   * Libraries dial too, at addresses that strangers named: on a public node these must be global.
   * What an operator or a member named is in `#named` while it is dialled.
   */
  #mayDial(address: Multiaddr): boolean {
    if (!this.#isAllowed(address) || dialableAddress(`${address}`) === undefined) return false;
    const { public: isPublic, profile } = this.#options;
    if (!isPublic || profile === "local") return true;
    return isStrangersAddress(address) || this.#named.has(endpointOf(address) ?? "");
  }

  async #mayUseDht(connection: Parameters<Admission["settled"]>[0]): Promise<boolean> {
    const silent = !this.#admission.asked(connection) &&
      this.#admission.standing(connection).kind === "pending";
    if (this.#options.public && silent) return true;
    const standing = await this.#admission.settled(connection);
    return standing.kind === "admitted" ||
      (standing.kind === "stranger" && this.#options.public);
  }

  #onDiscovery(found: { id: { toString(): string }; multiaddrs: Multiaddr[] }): void {
    const id = asNodeId(found.id.toString());
    const usable = found.multiaddrs.filter((address) =>
      dialableAddress(address.toString()) !== undefined && this.#isAllowed(address)
    );
    if (id === this.self || usable.length === 0) return;
    const addresses = usable.map((address) =>
      addressPeerId(address) === undefined ? `${address}/p2p/${id}` : address.toString()
    );
    for (const listener of this.#discoveries) listener({ id, addresses });
  }

  async #dialPeer(
    id: NodeId,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const usable = addresses.flatMap((text) => {
      const address = dialableAddress(text);
      if (address === undefined) return [];
      const named = addressPeerId(address);
      if (named !== undefined && named !== id) return [];
      return [named === undefined ? address.encapsulate(`/p2p/${id}`) : address];
    });
    const reached = this.#admission.connectionsOf(id).length > 0;
    const better = reached ? usable.filter(isPlainTcp) : usable;
    if (better.length === 0) throw unreachable(id, "no address that may be dialled");
    await this.#connect(better, { label: id, signal, force: reached });
  }

  /** Whoever joined by a node's URL came over WebSockets: TCP is dialled beside it. */
  #isWellConnected(id: NodeId, addresses: readonly string[]): boolean {
    const open = this.#admission.connectionsOf(id);
    if (open.length === 0) return false;
    if (open.some(({ remoteAddr }) => isPlainTcp(remoteAddr))) return true;
    return !addresses.some((text) => {
      const address = dialableAddress(text);
      return address !== undefined && isPlainTcp(address);
    });
  }

  /** Dials, then waits until the peer is admitted. @throws unreachable, not_admitted */
  async #connect(
    addresses: Multiaddr[],
    options: {
      readonly label: string;
      readonly signal: AbortSignal | undefined;
      /** Dials though a connection is open. */
      readonly force?: boolean;
    },
  ): Promise<NodeId> {
    const node = this.#node;
    if (node === undefined) throw new SkyringError("not_ready", "Cannot dial: not started");
    const refused = addresses.find((address) => !this.#isAllowed(address));
    if (refused !== undefined) throw notAdmitted(options.label, "not_loopback");
    const endpoints = addresses.map((address) => endpointOf(address) ?? "");
    for (const endpoint of endpoints) this.#named.add(endpoint);
    const force = options.force ?? false;
    const connection = await node.dial(addresses, { ...signalOption(options.signal), force })
      .catch((error) => {
        throw unreachable(options.label, messageOf(error), error);
      })
      .finally(() => endpoints.forEach((endpoint) => this.#named.delete(endpoint)));
    const standing = await this.#admission.settled(connection);
    if (standing.kind === "admitted") return asNodeId(connection.remotePeer.toString());
    if (standing.kind === "stranger") return asNodeId(connection.remotePeer.toString());
    if (standing.kind !== "refused") throw notAdmitted(options.label, "timeout");
    throw notAdmitted(options.label, standing.reason, standing.detail);
  }
}

function signalOption(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Names of discovery are public: the group's own goes in as a hash. */
function discoveryTag(group: string): string {
  return `_skyring-${toHex(sha256Text(group)).slice(0, 7)}`;
}
