// The libp2p transport for WebSockets: dials ws:// and wss:// addresses, and listens only on the
// HTTP server it was given (upgrade_listener.ts). TCP between nodes is faster; this one is for
// tabs, proxies and edge hosts.

import type {
  ComponentLogger,
  Connection,
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  Transport,
} from "@libp2p/interface";
import { serviceCapabilities, transportSymbol } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { socketMessageBytesMax } from "../../shared/base/limits.ts";
import { websocketUrl } from "./address.ts";
import { UpgradeListener, type UpgradePort } from "./upgrade_listener.ts";
import { WebSocketConnection } from "./websocket_connection.ts";

const handshakeTimeoutMs = 5_000;

/** Factory for libp2p's `transports`; without a port it only dials. */
export function websocketTransport(
  port: UpgradePort | undefined,
): (components: { readonly logger: ComponentLogger }) => Transport {
  return (components) => new WebSocketTransport(port, components.logger);
}

class WebSocketTransport implements Transport {
  readonly [transportSymbol] = true as const;
  readonly [Symbol.toStringTag] = "skyring-websockets";
  readonly [serviceCapabilities]: string[] = ["@libp2p/transport"];
  readonly #port: UpgradePort | undefined;
  readonly #logger: ComponentLogger;

  constructor(port: UpgradePort | undefined, logger: ComponentLogger) {
    this.#port = port;
    this.#logger = logger;
  }

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const url = websocketUrl(address);
    if (url === undefined) throw new Error(`Cannot dial ${address}: not a WebSocket address`);
    options.signal.throwIfAborted();
    const socket = await open(url, options.signal);
    const raw = new WebSocketConnection({
      socket,
      remoteAddress: address,
      direction: "outbound",
      log: this.#logger.forComponent("skyring:websocket"),
    });
    try {
      return await options.upgrader.upgradeOutbound(raw, options);
    } catch (error) {
      raw.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  createListener(options: CreateListenerOptions): Listener {
    if (this.#port === undefined) throw new Error("Cannot listen: no HTTP server was given");
    return new UpgradeListener(this.#port, { ...options, logger: this.#logger });
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    // The address is a placeholder: the HTTP server already listens on a port of its own.
    if (this.#port === undefined) return [];
    return addresses.filter((address) => address.getComponents().at(-1)?.name === "ws");
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter((address) => websocketUrl(address) !== undefined);
  }
}

/** Opens a WebSocket. @throws when refused, or when the signal aborts first */
function open(url: string, signal: AbortSignal): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: socketMessageBytesMax,
    handshakeTimeout: handshakeTimeoutMs,
  });
  const abort = () => {
    socket.terminate();
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  socket.once("open", () => {
    signal.removeEventListener("abort", abort);
    socket.off("error", reject);
    resolve(socket);
  });
  socket.once("error", reject);
  // terminate() during the handshake reports an error after the promise has settled.
  socket.on("error", () => signal.removeEventListener("abort", abort));
  return promise;
}
