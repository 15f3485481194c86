// libp2p over WebSockets on the HTTP server's own port: `Upgrade: websocket` on `/` becomes a
// libp2p connection. One port then serves dashboard, API and peers, and a node behind one HTTPS
// proxy is still a full peer. The HTTP server belongs to its owner: this listener neither opens
// nor closes it, it only takes its `upgrade` events between listen() and close().
//
// Why `ws` on node:http and not Deno.upgradeWebSocket: maxPayload holds before admission, the
// socket can be paused, and header timeouts and connection limits of node:http apply.

import type { IncomingHttpHeaders, IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type {
  ComponentLogger,
  CreateListenerOptions,
  Listener,
  ListenerEvents,
} from "@libp2p/interface";
import { getThinWaistAddresses } from "@libp2p/utils";
import { multiaddr } from "@multiformats/multiaddr";
import type { Multiaddr } from "@multiformats/multiaddr";
import { TypedEventEmitter } from "@libp2p/interface";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { socketMessageBytesMax } from "../../shared/base/limits.ts";
import { socketMultiaddr } from "./address.ts";
import { WebSocketConnection } from "./websocket_connection.ts";

/** The HTTP server whose port peers share, and who may upgrade on it. */
export interface UpgradePort {
  /** Must be listening before the network starts. */
  readonly server: Server;
  /** Whether a request with these headers may become a connection. */
  readonly allows: (headers: IncomingHttpHeaders) => boolean;
}

const upgradePath = "/";

/** A libp2p listener on an HTTP server's upgrade events. */
export class UpgradeListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #port: UpgradePort;
  readonly #logger: ComponentLogger;
  readonly #upgrader: CreateListenerOptions["upgrader"];
  readonly #sockets = new Set<WebSocket>();
  readonly #stopping = new AbortController();
  readonly #websockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: socketMessageBytesMax,
    clientTracking: false,
  });

  constructor(
    port: UpgradePort,
    options: CreateListenerOptions & { readonly logger: ComponentLogger },
  ) {
    super();
    this.#port = port;
    this.#logger = options.logger;
    this.#upgrader = options.upgrader;
  }

  listen(): Promise<void> {
    this.#port.server.on("upgrade", this.#onUpgrade);
    this.safeDispatchEvent("listening");
    return Promise.resolve();
  }

  getAddrs(): Multiaddr[] {
    const address = this.#port.server.address();
    if (address === null || typeof address === "string") return [];
    const bound = multiaddr(
      `/${address.family === "IPv6" ? "ip6" : "ip4"}/${address.address}/tcp/${address.port}`,
    );
    return getThinWaistAddresses(bound, address.port).map((each) => each.encapsulate("/ws"));
  }

  updateAnnounceAddrs(): void {
    // Addresses follow the HTTP server's; there is nothing to renew.
  }

  close(): Promise<void> {
    this.#port.server.off("upgrade", this.#onUpgrade);
    this.#stopping.abort();
    for (const socket of this.#sockets) socket.terminate();
    this.#websockets.close();
    this.safeDispatchEvent("close");
    return Promise.resolve();
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
    const remoteAddress = request.socket.remoteAddress ?? "";
    if (request.url !== upgradePath) return refuse(socket, "404 Not Found");
    if (!this.#port.allows(request.headers)) return refuse(socket, "403 Forbidden");
    const remote = socketMultiaddr(remoteAddress, request.socket.remotePort ?? 0);
    if (remote === undefined) return refuse(socket, "400 Bad Request");
    this.#websockets.handleUpgrade(request, socket, head as Buffer, (websocket) => {
      this.#accept(websocket, remote.encapsulate("/ws"));
    });
  };

  #accept(socket: WebSocket, remoteAddress: Multiaddr): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const log = this.#logger.forComponent("skyring:upgrade");
    const raw = new WebSocketConnection({ socket, remoteAddress, direction: "inbound", log });
    this.#upgrader.upgradeInbound(raw, { signal: this.#stopping.signal }).catch((error) => {
      log.error("inbound upgrade failed - %e", error);
      raw.abort(error instanceof Error ? error : new Error(String(error)));
    });
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
