// One WebSocket as a raw libp2p connection, for either direction: noise and yamux run over it
// unchanged. Unlike the library's own, it pauses the socket when the reader is full, so that a
// WebSocket too has read back-pressure, and it signals drain from send callbacks, not by polling.

import { AbstractMultiaddrConnection } from "@libp2p/utils";
import type { SendResult } from "@libp2p/utils";
import type { Logger } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Uint8ArrayList } from "uint8arraylist";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { connectionUnsentBytesMax } from "../../shared/base/limits.ts";
import { socketMessages } from "../../web/peer/socket_messages.ts";

/** Abnormal closure is not a code that may be sent; this one says "going away". */
const goingAwayCode = 1001;
/** Handing over to the socket stops here and goes on below half of it: there may be many tabs. */
const bufferedBytesMax = connectionUnsentBytesMax / 2;

/** A libp2p connection over an open WebSocket. */
export class WebSocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: WebSocket;
  #waiting = false;

  constructor(options: {
    readonly socket: WebSocket;
    readonly remoteAddress: Multiaddr;
    readonly direction: "inbound" | "outbound";
    readonly log: Logger;
  }) {
    super({
      remoteAddr: options.remoteAddress,
      direction: options.direction,
      log: options.log,
    });
    this.#socket = options.socket;
    this.#socket.binaryType = "nodebuffer";
    this.#socket.on("message", (data, isBinary) => {
      if (!isBinary || !(data instanceof Uint8Array)) {
        this.abort(new Error("Cannot read WebSocket message: not binary"));
        return;
      }
      this.onData(data);
    });
    this.#socket.on("error", (error) => this.abort(error));
    this.#socket.on("close", (_code) => this.onTransportClosed());
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const sentBytes = data.byteLength;
    for (const message of socketMessages(data)) {
      this.#socket.send(message, { binary: true }, this.#onSent);
    }
    const canSendMore = this.#socket.bufferedAmount < bufferedBytesMax;
    this.#waiting ||= !canSendMore;
    return { sentBytes, canSendMore };
  }

  readonly #onSent = (): void => {
    if (!this.#waiting || this.#socket.bufferedAmount > bufferedBytesMax / 2) return;
    this.#waiting = false;
    this.safeDispatchEvent("drain");
  };

  override sendReset(): void {
    this.#socket.terminate();
  }

  override sendClose(): Promise<void> {
    this.#socket.close(goingAwayCode);
    return Promise.resolve();
  }

  override sendPause(): void {
    this.#socket.pause();
  }

  override sendResume(): void {
    this.#socket.resume();
  }
}
