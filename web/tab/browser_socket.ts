// The libp2p transport of a tab: the browser's own WebSocket, outbound only. The socket says
// `drain` once what it holds has gone, and a reset ends the connection here at once, whatever the
// other side does: a peer that slept finds its old connections gone.
//
// Browsers give no way to hold arriving bytes back: credits of the block protocol bound them.

import type {
  ComponentLogger,
  Connection,
  DialTransportOptions,
  Logger,
  Transport,
} from "@libp2p/interface";
import { serviceCapabilities, transportSymbol } from "@libp2p/interface";
import { AbstractMultiaddrConnection, type SendResult } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Uint8ArrayList } from "uint8arraylist";
import { socketUrl } from "../peer/socket_address.ts";
import { socketMessages } from "../peer/socket_messages.ts";

/** Bytes handed to the browser and not yet on the wire; beyond it the sender waits. */
const bufferedBytesMax = 2 * 1024 * 1024;
const drainedBytes = bufferedBytesMax / 2;
const pollMs = 4;

/** Factory for libp2p's `transports`. */
export function browserSockets(): (
  components: { readonly logger: ComponentLogger },
) => Transport {
  return ({ logger }) => new BrowserSockets(logger);
}

class BrowserSockets implements Transport {
  readonly [transportSymbol] = true as const;
  readonly [Symbol.toStringTag] = "skyring-browser-sockets";
  readonly [serviceCapabilities]: string[] = ["@libp2p/transport"];
  readonly #logger: ComponentLogger;

  constructor(logger: ComponentLogger) {
    this.#logger = logger;
  }

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const url = socketUrl(address.toString());
    if (url === undefined) throw new Error(`Cannot dial ${address}: not a WebSocket address`);
    options.signal.throwIfAborted();
    const raw = new SocketConnection({
      socket: await openSocket(url, options.signal),
      remoteAddress: address,
      log: this.#logger.forComponent("skyring:socket"),
    });
    try {
      return await options.upgrader.upgradeOutbound(raw, options);
    } catch (error) {
      raw.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  createListener(): never {
    throw new Error("Cannot listen: this is a browser");
  }

  listenFilter(): Multiaddr[] {
    return [];
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter((address) => socketUrl(address.toString()) !== undefined);
  }
}

/** Opens a WebSocket. @throws when it is refused, or when the signal aborts first */
function openSocket(url: string, signal: AbortSignal): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const abort = () => {
    socket.close();
    reject(new Error(`Cannot open ${url}: no answer in time`));
  };
  signal.addEventListener("abort", abort, { once: true });
  socket.addEventListener("open", () => {
    signal.removeEventListener("abort", abort);
    resolve(socket);
  }, { once: true });
  socket.addEventListener("error", () => {
    signal.removeEventListener("abort", abort);
    // Browsers tell pages nothing of the reason.
    reject(new Error(`Cannot open ${url}: refused, or nobody listens there`));
  }, { once: true });
  return promise;
}

class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: WebSocket;
  #polling: ReturnType<typeof setInterval> | undefined;

  constructor(options: {
    readonly socket: WebSocket;
    readonly remoteAddress: Multiaddr;
    readonly log: Logger;
  }) {
    super({ remoteAddr: options.remoteAddress, direction: "outbound", log: options.log });
    this.#socket = options.socket;
    this.#socket.addEventListener("message", this.#onMessage);
    this.#socket.addEventListener("close", this.#onClose, { once: true });
  }

  override sendData(data: Uint8ArrayList): SendResult {
    // A message is sent when this returns: what the browser takes over, it has copied.
    for (const message of socketMessages(data)) this.#socket.send(message);
    const canSendMore = this.#socket.bufferedAmount < bufferedBytesMax;
    if (!canSendMore) this.#polling ??= setInterval(this.#poll, pollMs);
    return { sentBytes: data.byteLength, canSendMore };
  }

  override sendReset(): void {
    this.#leave();
    this.#socket.close();
  }

  override sendClose(): Promise<void> {
    this.#leave();
    this.#socket.close();
    return Promise.resolve();
  }

  override sendPause(): void {
    // Not possible in a browser: see above.
  }

  override sendResume(): void {
    // Nothing was held back.
  }

  readonly #onMessage = ({ data }: MessageEvent<unknown>): void => {
    if (data instanceof ArrayBuffer) this.onData(new Uint8Array(data));
    else this.abort(new Error("Cannot read WebSocket message: not binary"));
  };

  readonly #onClose = (): void => {
    this.#leave();
    this.onTransportClosed();
  };

  readonly #poll = (): void => {
    if (this.#socket.bufferedAmount > drainedBytes) return;
    this.#stopPolling();
    this.safeDispatchEvent("drain");
  };

  /** The socket's last words are nobody's any more. */
  #leave(): void {
    this.#stopPolling();
    this.#socket.removeEventListener("message", this.#onMessage);
    this.#socket.removeEventListener("close", this.#onClose);
  }

  #stopPolling(): void {
    clearInterval(this.#polling);
    this.#polling = undefined;
  }
}
