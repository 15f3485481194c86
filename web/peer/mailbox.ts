// A stream as a short polite conversation: whole messages in, whole messages out, one after the
// other. Only for exchanges of a few small messages (admission); channels have their own driver.
// Bounded: a peer that says more than was asked for, or no frames at all, is a fault.

import type { Stream, StreamMessageEvent } from "@libp2p/interface";
import { createFrameGatherer, createFrameScanner, encodeFrame } from "../../shared/wire/frame.ts";

const unreadMax = 4;

/** Both ends of one conversation. */
export interface Mailbox {
  /** Sends one message; does nothing once the stream is closed. */
  send(message: Uint8Array): void;
  /** The next message, or undefined when there will be none: closed, faulty or too late. */
  next(): Promise<Uint8Array | undefined>;
  /** Ends the conversation when its last message has gone out. */
  close(): Promise<void>;
}

/** Talks over `stream` until `signal` aborts, which resets it. */
export function createMailbox(
  stream: Stream,
  options: { readonly messageBytesMax: number; readonly signal: AbortSignal },
): Mailbox {
  const unread: Uint8Array[] = [];
  let over = false;
  let waiting: ((message: Uint8Array | undefined) => void) | undefined;

  const end = (): void => {
    over = true;
    waiting?.(undefined);
    waiting = undefined;
  };
  const fail = (reason: string): void => {
    end();
    stream.abort(new Error(`Cannot go on with conversation: ${reason}`));
  };
  const scanner = createFrameScanner(
    createFrameGatherer({
      onFrame({ payload }) {
        if (waiting === undefined) return unread.push(payload) <= unreadMax;
        waiting(payload);
        waiting = undefined;
        return true;
      },
    }),
    { payloadBytesMax: options.messageBytesMax },
  );
  const onMessage = (event: StreamMessageEvent): void => {
    if (over) return;
    const pieces = event.data instanceof Uint8Array ? [event.data] : event.data;
    for (const piece of pieces) {
      const fault = scanner.push(piece);
      if (fault !== undefined) return fail(fault);
    }
  };
  const onAbort = (): void => fail("too late");
  stream.addEventListener("message", onMessage);
  stream.addEventListener("close", end);
  stream.addEventListener("remoteCloseWrite", end);
  options.signal.addEventListener("abort", onAbort, { once: true });
  stream.addEventListener("close", () => options.signal.removeEventListener("abort", onAbort));

  return {
    send(message) {
      if (stream.writeStatus !== "writable") return;
      stream.send(encodeFrame({ kind: 1, id: 0, payload: message }));
    },
    next() {
      const message = unread.shift();
      if (message !== undefined || over) return Promise.resolve(message);
      const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
      waiting = resolve;
      return promise;
    },
    async close() {
      try {
        await stream.close({ signal: options.signal });
      } catch (error) {
        // Closing politely failed: the peer is gone or slow, and nothing more is owed to it.
        stream.abort(error instanceof Error ? error : new Error(String(error)));
      }
    },
  };
}
