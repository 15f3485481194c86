// A libp2p stream as a link of frames. Reading: pieces go to the scanner as they come (the
// `message` event; the async iterator queues without limit). Writing: a bounded queue; small
// frames are joined, a block goes out as one send, and nothing is sent while the stream holds
// unsent bytes, so that one connection never has more than a block or two waiting in memory.
//
// After `drain` the link waits two microtasks before it sends: libp2p wakes the streams of a
// connection one by one, and a block sent at once would fill the connection again before the
// control streams had their turn. (stream.onDrain() is not used: it keeps its first promise.)

import type { Stream, StreamMessageEvent } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import { frameDeadlineMs, joinedFramesBytesMax } from "../../shared/base/limits.ts";
import { createFrameScanner, type FrameSink } from "../../shared/wire/frame.ts";

/** Bytes to send: one array, or a header and a block without a copy between them. */
export type Outgoing = Uint8Array | readonly [Uint8Array, Uint8Array];

/** One open stream of frames. */
export interface Link {
  /** Queues a frame; false when the queue is full or the link closed. */
  send(frame: Outgoing, onSent?: () => void): boolean;
  /** Holds arriving bytes back, until resumed. */
  pause(): void;
  resume(): void;
  /** Resets the stream. Idempotent; `onClosed` is called once, also when the peer closes. */
  close(reason: string): void;
  readonly open: boolean;
  /** Frames queued and not yet handed to the stream. */
  readonly queued: number;
}

export interface LinkOptions {
  readonly sink: FrameSink;
  readonly payloadBytesMax: number;
  /** Frames queued before send() refuses. */
  readonly queueMax: number;
  /** Told once, with what was wrong. */
  readonly onClosed: (reason: string) => void;
  readonly deadlineMs?: number;
}

interface Queued {
  readonly frame: Outgoing;
  readonly onSent: (() => void) | undefined;
}

const sizeOf = (frame: Outgoing): number =>
  frame instanceof Uint8Array ? frame.length : frame[0].length + frame[1].length;

/** Makes a link of an open stream, and owns the stream from then on. */
export function createLink(stream: Stream, options: LinkOptions): Link {
  const queue: Queued[] = [];
  const scanner = createFrameScanner(options.sink, { payloadBytesMax: options.payloadBytesMax });
  let closed = false;
  let pumping = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function finish(reason: string): void {
    if (closed) return;
    closed = true;
    clearTimeout(timer);
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("drain", onDrain);
    queue.length = 0;
    options.onClosed(reason);
  }

  function close(reason: string): void {
    if (closed) return;
    finish(reason);
    stream.abort(new Error(`Cannot keep stream: ${reason}`));
  }

  /** One timer per stretch of unfinished frames: it looks again whether any frame has ended. */
  function watchPartial(): void {
    if (!scanner.partial || timer !== undefined) return;
    const seen = scanner.frames;
    timer = setTimeout(() => {
      timer = undefined;
      if (scanner.partial && scanner.frames === seen && stream.readStatus === "readable") {
        return close("a frame did not end in time");
      }
      watchPartial();
    }, options.deadlineMs ?? frameDeadlineMs);
  }

  function onMessage(event: StreamMessageEvent): void {
    const pieces = event.data instanceof Uint8Array ? [event.data] : event.data;
    for (const piece of pieces) {
      const fault = scanner.push(piece);
      if (closed) return;
      if (fault !== undefined) return close(fault);
    }
    watchPartial();
  }

  function onDrain(): void {
    queueMicrotask(() => queueMicrotask(pump));
  }

  function pump(): void {
    if (pumping) return;
    pumping = true;
    try {
      while (!closed && queue.length > 0 && canSend(stream)) stream.send(nextSend(queue));
    } catch (error) {
      close(`send failed: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      pumping = false;
    }
  }

  stream.addEventListener("message", onMessage);
  stream.addEventListener("drain", onDrain);
  stream.addEventListener("close", () => finish("closed"), { once: true });
  stream.addEventListener("remoteCloseWrite", () => close("closed by peer"), { once: true });
  if (stream.status !== "open") queueMicrotask(() => finish("closed"));

  return {
    send(frame, onSent) {
      if (closed || queue.length >= options.queueMax) return false;
      queue.push({ frame, onSent });
      // Frames of one turn of the event loop leave together.
      if (queue.length === 1) queueMicrotask(pump);
      return true;
    },
    pause() {
      if (!closed && stream.readStatus === "readable") stream.pause();
    },
    resume() {
      if (!closed && stream.readStatus === "paused") stream.resume();
    },
    close,
    get open() {
      return !closed;
    },
    get queued() {
      return queue.length;
    },
  };
}

function canSend(stream: Stream): boolean {
  return !stream.writableNeedsDrain && stream.writeBufferLength === 0 &&
    stream.writeStatus === "writable";
}

/** Takes frames off the queue: as many small ones as may be joined, or one large. */
function nextSend(queue: Queued[]): Uint8ArrayList {
  const list = new Uint8ArrayList();
  for (let next = queue[0]; next !== undefined; next = queue[0]) {
    const fits = list.byteLength + sizeOf(next.frame) <= joinedFramesBytesMax;
    if (list.byteLength > 0 && !fits) break;
    queue.shift();
    if (next.frame instanceof Uint8Array) list.append(next.frame);
    else list.appendAll([...next.frame]);
    next.onSent?.();
  }
  return list;
}
