// Addresses: what may be dialled, in which order, and which are this machine's own. Parsing is
// not validation: the multiaddr library takes much that is no address, so every address from
// outside passes dialableAddress(). Only TCP and WebSockets over IP or DNS are ever dialled.

import { peerIdFromString } from "@libp2p/peer-id";
import { isGlobalUnicastIp, isPrivateIp } from "@libp2p/utils";
import { multiaddr } from "@multiformats/multiaddr";
import type { Component, Multiaddr } from "@multiformats/multiaddr";
import { SkyringError } from "../../shared/base/errors.ts";

const hosts = new Set(["ip4", "ip6", "dns", "dns4", "dns6"]);
/** Reserved ranges that count as global elsewhere: documentation, benchmarks, translation. */
const documentation = new RegExp(
  "^(" + [
    "192\\.0\\.[02]\\.",
    "198\\.1[89]\\.",
    "198\\.51\\.100\\.",
    "203\\.0\\.113\\.",
    "64:ff9b:",
    "2002:",
    "2001:db8:",
  ].join("|") + ")",
  "i",
);
const dnsName =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)*\.?$/i;

/** What a dialable address says. */
interface Parts {
  readonly host: Component;
  readonly port: number;
  readonly secure: boolean;
  readonly websocket: boolean;
  readonly peerId: string | undefined;
}

/** Takes apart `/host/tcp/port[/tls]/[ws|wss][/p2p/id]`; undefined when it is anything else. */
function partsOf(address: Multiaddr): Parts | undefined {
  const [host, tcp, ...rest] = address.getComponents();
  const port = Number(tcp?.value);
  if (host === undefined || !hosts.has(host.name) || tcp?.name !== "tcp") return undefined;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  const last = rest.at(-1);
  const peerId = last?.name === "p2p" ? last.value : undefined;
  const layers = (peerId === undefined ? rest : rest.slice(0, -1)).map((each) => each.name);
  const shape = layers.join("/");
  const base = { host, port, peerId };
  if (shape === "") return { ...base, websocket: false, secure: false };
  if (shape === "ws") return { ...base, websocket: true, secure: false };
  if (shape === "wss" || shape === "tls/ws") return { ...base, websocket: true, secure: true };
  return undefined;
}

/** A multiaddr from outside, or undefined when it must not be dialled. @throws never */
export function dialableAddress(text: string): Multiaddr | undefined {
  let address: Multiaddr;
  let parts: Parts | undefined;
  try {
    address = multiaddr(text);
    parts = partsOf(address);
    if (parts?.peerId !== undefined) peerIdFromString(parts.peerId);
  } catch (thrown) {
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
  if (parts === undefined || !isHost(parts.host)) return undefined;
  return address;
}

function isHost(host: Component): boolean {
  const value = host.value ?? "";
  if (host.name === "ip4") return !/^(0\.|22[4-9]\.|23\d\.|24\d\.|25\d\.)/.test(value);
  if (host.name === "ip6") return !/^(::$|ff)/i.test(value);
  return dnsName.test(value);
}

/**
 * A multiaddr for what an operator wrote: a multiaddr, or a node's `http(s)://host:port`, whose
 * port takes peers too (the peer id is learnt from noise).
 * @throws {SkyringError} bad_request when it is neither
 */
export function parseDialTarget(text: string): Multiaddr {
  const written = /^https?:\/\//i.test(text) ? urlAddress(text) : text;
  const address = written === undefined ? undefined : dialableAddress(written);
  if (address === undefined) {
    throw new SkyringError("bad_request", `Cannot dial ${text}: not a TCP or WebSocket address`, {
      data: { address: text },
    });
  }
  return address;
}

function urlAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? "443" : "80") : url.port;
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const host = name.includes(":") ? "ip6" : /^\d+\.\d+\.\d+\.\d+$/.test(name) ? "ip4" : "dns";
  return `/${host}/${name}/tcp/${port}${secure ? "/tls/ws" : "/ws"}`;
}

/** The ws:// or wss:// URL of a WebSocket address, else undefined. @throws never */
export function websocketUrl(address: Multiaddr): string | undefined {
  const parts = partsOf(address);
  if (parts === undefined || !parts.websocket) return undefined;
  const host = parts.host.name === "ip6" ? `[${parts.host.value}]` : parts.host.value;
  return `${parts.secure ? "wss" : "ws"}://${host}:${parts.port}/`;
}

/** A socket's IP address and port as a multiaddr; undefined for what is no IP address. */
export function socketMultiaddr(ip: string, port: number): Multiaddr | undefined {
  const plain = ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice("::ffff:".length) : ip;
  if (plain === "") return undefined;
  try {
    return multiaddr(`/${plain.includes(":") ? "ip6" : "ip4"}/${plain}/tcp/${port}`);
  } catch (thrown) {
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

/** Whether an address can only be this machine: 127.0.0.0/8, ::1, and the name localhost. */
export function isLoopbackAddress(address: Multiaddr): boolean {
  const host = address.getComponents()[0];
  if (host?.value === undefined) return false;
  const value = host.value.toLowerCase();
  if (host.name === "ip4") return value.startsWith("127.");
  if (host.name === "ip6") return value === "::1" || value.startsWith("::ffff:127.");
  return host.name.startsWith("dns") && /^localhost\.?$/.test(value);
}

/**
 * Whether an address that a stranger named may be dialled: a global IP address and nothing else,
 * so that nobody can make this node knock at doors of its own network. Names are left out: they
 * may resolve to anything.
 */
export function isStrangersAddress(address: Multiaddr): boolean {
  const parts = partsOf(address);
  if (parts === undefined || parts.port < 1_024 && parts.port !== 443 && parts.port !== 80) {
    return false;
  }
  const value = parts.host.value ?? "";
  if (documentation.test(value)) return false;
  if (parts.host.name === "ip4") return isHost(parts.host) && isPrivateIp(value) === false;
  return parts.host.name === "ip6" && isGlobalUnicastIp(value);
}

/** Sorts addresses for dialling: TCP before WebSockets, loopback before the rest. */
export function dialOrder(left: Multiaddr, right: Multiaddr): -1 | 0 | 1 {
  const difference = dialCost(left) - dialCost(right);
  return difference === 0 ? 0 : difference < 0 ? -1 : 1;
}

/** Whether an address is plain TCP: the faster way, where it can be had. @throws never */
export function isPlainTcp(address: Multiaddr): boolean {
  return partsOf(address)?.websocket === false;
}

function dialCost(address: Multiaddr): number {
  return (isPlainTcp(address) ? 0 : 2) + (isLoopbackAddress(address) ? 0 : 1);
}

/** The peer id at the end of an address, if it names one. */
export function addressPeerId(address: Multiaddr): string | undefined {
  return partsOf(address)?.peerId;
}

/** `host:port`, for comparing what was dialled with what is listened on. */
export function endpointOf(address: Multiaddr): string | undefined {
  const parts = partsOf(address);
  return parts === undefined ? undefined : `${parts.host.value}:${parts.port}`;
}
