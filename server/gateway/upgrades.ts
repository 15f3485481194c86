// WebSocket upgrades (libp2p peers and tabs) through the gateway: the socket of the client is
// joined to one of a node, byte for byte.
//
// A group without a secret admits whoever comes from loopback, and through the gateway everybody
// would. So a client from elsewhere, or from behind a proxy, is joined only when the group has a
// secret, which it must then prove to the node itself. A page must be the gateway's own or a
// node's: its Origin is judged here and replaced by the node's. Without a secret its own pages
// are those under a name of this machine: any other name might be made to lead here.

import type { IncomingMessage, Server } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { isLoopback } from "../seat.ts";
import type { KnownNode, NodeSet } from "./node_set.ts";
import { requestHeaders } from "./passed_headers.ts";

export interface UpgradeOptions {
  readonly nodes: NodeSet;
  readonly port: number;
  /** The group's peers prove a secret. */
  readonly hasSecret: boolean;
  /** Whether a host name may be asked for here. */
  readonly isOwnHost: (host: string) => boolean;
}

const path = "/";

/** Takes the upgrades of `server` until the returned function is called. @throws never */
export function joinUpgrades(server: Server, options: UpgradeOptions): () => void {
  const open = new Set<Duplex>();
  const onUpgrade = (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    const status = refusalOf(incoming, options);
    if (status !== undefined) return refuse(socket, status);
    void join(incoming, { socket, head, options });
  };
  server.on("upgrade", onUpgrade);
  return () => {
    server.off("upgrade", onUpgrade);
    for (const socket of open) socket.destroy();
  };
}

function refusalOf(incoming: IncomingMessage, options: UpgradeOptions): string | undefined {
  const { headers, socket, url } = incoming;
  if (url !== path) return "404 Not Found";
  const host = headers.host ?? "";
  if (!options.isOwnHost(host)) return "403 Forbidden";
  const proxied = Object.keys(headers).some((name) => /^(forwarded|x-forwarded-.*)$/.test(name));
  const near = isLoopback(socket.remoteAddress ?? "") && !proxied;
  if (!near && !options.hasSecret) return "403 Forbidden";
  const { origin } = headers;
  if (origin === undefined || options.nodes.hasOrigin(origin)) return undefined;
  const sure = options.hasSecret || isLoopback(new URL(`http://${host}`).hostname);
  const own = sure && [`http://${host}`, `https://${host}`].includes(origin);
  return own ? undefined : "403 Forbidden";
}

async function join(
  incoming: IncomingMessage,
  to: {
    readonly socket: Duplex;
    readonly head: Uint8Array;
    readonly options: UpgradeOptions;
  },
): Promise<void> {
  const { socket, options: { nodes, port } } = to;
  const tried = new Set<KnownNode>();
  for (;;) {
    const node = nodes.choose({ spread: true, except: tried });
    if (node === undefined) return refuse(socket, "503 Service Unavailable");
    tried.add(node);
    const upstream = await dial(node);
    if (upstream === undefined) {
      nodes.failed(node);
      continue;
    }
    const leave = nodes.occupy(node);
    upstream.on("close", () => {
      leave();
      socket.destroy();
    });
    socket.on("close", () => upstream.destroy());
    if (socket.destroyed) return void upstream.destroy();
    upstream.write(headOf(incoming, { node, port }));
    if (to.head.length > 0) upstream.write(to.head);
    upstream.pipe(socket);
    socket.pipe(upstream);
    return;
  }
}

function dial(node: KnownNode): Promise<Socket | undefined> {
  const { hostname, port, protocol } = new URL(node.base);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const { gone } = node;
    if (gone.aborted) return resolve(undefined);
    const secure = protocol === "https:";
    const socket: Socket = secure
      ? connectTls({ host, port: Number(port || 443), servername: host })
      : connect({ host, port: Number(port || 80) });
    const fail = () => {
      socket.destroy();
      resolve(undefined);
    };
    // Joined or not: a node that is gone for good holds nobody.
    gone.addEventListener("abort", fail);
    socket.once("close", () => gone.removeEventListener("abort", fail));
    socket.once(secure ? "secureConnect" : "connect", () => resolve(socket));
    socket.on("error", fail);
  });
}

/** The request as the node reads it. Header values hold no line break: the parser refuses them. */
function headOf(
  incoming: IncomingMessage,
  to: { readonly node: KnownNode; readonly port: number },
): string {
  const url = new URL(to.node.base);
  const given = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    given.append(incoming.rawHeaders[index] ?? "", incoming.rawHeaders[index + 1] ?? "");
  }
  const ports = { gateway: to.port, node: Number(url.port) || 80 };
  const lines = Object.entries(requestHeaders(given, ports))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const origin = given.has("origin") ? `Origin: ${url.origin}\r\n` : "";
  return `GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\n` +
    `Upgrade: websocket\r\n${origin}${lines.join("")}\r\n`;
}

function refuse(socket: Duplex, status: string): void {
  const answer = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(answer, () => socket.destroy());
}
