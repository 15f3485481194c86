// Discovery without a secret: nodes find each other on this machine only. The mDNS library opens
// its socket on every interface and has no setting for that, so this speaks the same idea over a
// multicast group of its own, bound to that group, joined and sent on 127.0.0.1 alone: no packet
// leaves the machine. A datagram is CBOR { tag, id, addresses }.

import { createSocket, type Socket } from "node:dgram";
import { peerDiscoverySymbol, TypedEventEmitter } from "@libp2p/interface";
import type {
  ComponentLogger,
  PeerDiscovery,
  PeerDiscoveryEvents,
  PeerId,
  Startable,
} from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import type { Multiaddr } from "@multiformats/multiaddr";
import { decode, encode } from "cborg";
import * as v from "valibot";
import { messageOf } from "../../shared/base/errors.ts";
import { KiB } from "../../shared/base/limits.ts";

/** Administratively scoped, RFC 2365. */
const multicastGroup = "239.255.83.82";
const loopback = "127.0.0.1";
const port = 48_353;
const announceEveryMs = 2_000;
const datagramBytesMax = 8 * KiB;

const announcementShape = v.strictObject({
  tag: v.pipe(v.string(), v.maxLength(64)),
  id: v.pipe(v.string(), v.maxLength(128)),
  addresses: v.pipe(v.array(v.pipe(v.string(), v.maxLength(256))), v.maxLength(16)),
});

interface Components {
  readonly peerId: PeerId;
  readonly logger: ComponentLogger;
  readonly addressManager: { getAddresses(): Multiaddr[] };
}

/** Factory for libp2p's `peerDiscovery`; only nodes with the same tag are told of. */
export function loopbackDiscovery(tag: string): (components: Components) => PeerDiscovery {
  return (components) => new LoopbackDiscovery(tag, components);
}

class LoopbackDiscovery extends TypedEventEmitter<PeerDiscoveryEvents>
  implements PeerDiscovery, Startable {
  readonly [peerDiscoverySymbol] = this;
  readonly [Symbol.toStringTag] = "skyring-loopback-discovery";
  readonly #tag: string;
  readonly #components: Components;
  #socket: Socket | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(tag: string, components: Components) {
    super();
    this.#tag = tag;
    this.#components = components;
  }

  start(): Promise<void> {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    this.#socket = socket;
    // Discovery is a convenience: a machine without multicast runs without it.
    socket.on("error", (error) => this.#log("cannot go on: %s", messageOf(error)));
    socket.on("message", (datagram) => this.#hear(datagram));
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("error", () => resolve());
    socket.bind(port, multicastGroup, () => {
      try {
        socket.addMembership(multicastGroup, loopback);
        socket.setMulticastInterface(loopback);
        socket.setMulticastTTL(1);
        socket.setMulticastLoopback(true);
        this.#timer = setInterval(() => this.#announce(), announceEveryMs);
        this.#announce();
      } catch (error) {
        this.#log("cannot join group: %s", messageOf(error));
      }
      resolve();
    });
    return promise;
  }

  stop(): Promise<void> {
    clearInterval(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.close(() => resolve());
    return promise;
  }

  #log(message: string, reason: string): void {
    this.#components.logger.forComponent("skyring:loopback-discovery").error(message, reason);
  }

  #announce(): void {
    const addresses = this.#components.addressManager.getAddresses();
    if (addresses.length === 0) return;
    const datagram = encode({
      tag: this.#tag,
      id: this.#components.peerId.toString(),
      addresses: addresses.slice(0, 16).map((address) => address.toString()),
    });
    if (datagram.length > datagramBytesMax) return;
    this.#socket?.send(datagram, port, multicastGroup);
  }

  #hear(datagram: Uint8Array): void {
    if (datagram.length > datagramBytesMax) return;
    try {
      const heard = v.parse(announcementShape, decode(new Uint8Array(datagram), { strict: true }));
      if (heard.tag !== this.#tag || heard.id === this.#components.peerId.toString()) return;
      const detail = {
        id: peerIdFromString(heard.id),
        multiaddrs: heard.addresses.map((address) => multiaddr(address)),
      };
      this.safeDispatchEvent("peer", { detail });
    } catch (error) {
      this.#log("cannot read datagram: %s", messageOf(error));
    }
  }
}
