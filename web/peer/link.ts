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
import { messageOf } from "../../shared/base/errors.ts";
import { frameDeadlineMs, joinedFramesBytesMax } from "../../shared/base/limits.ts";
import { createFrameScanner, type FrameScanner, type FrameSink } from "../../shared/wire/frame.ts";

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
  /** Resets the stream because the peer broke the protocol: `onFault` is told first. */
  fail(reason: string): void;
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
  /** The peer sent what no honest peer sends, or left a frame unfinished. */
  readonly onFault?: ((reason: string) => void) | undefined;
  readonly deadlineMs?: number;
  /** Frames must leave within this time, one at least, while any wait; for ever when not given. */
  readonly stallMs?: number | undefined;
}

interface Queued {
  readonly frame: Outgoing;
  readonly onSent: (() => void) | undefined;
}

const sizeOf = (frame: Outgoing): number =>
  frame instanceof Uint8Array ? frame.length : frame[0].length + frame[1].length;

/** Makes a link of an open stream, and owns the stream from then on. */
export function createLink(stream: Stream, options: LinkOptions): Link {
  return new StreamLink(stream, options);
}

class StreamLink implements Link {
  readonly #stream: Stream;
  readonly #options: LinkOptions;
  readonly #queue: Queued[] = [];
  readonly #scanner: FrameScanner;
  #closed = false;
  #paused = false;
  #scanning = false;
  /** Pieces not read yet: those that came in one message with what paused the link. */
  readonly #arrived: Uint8Array[] = [];
  #pumping = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  /** Times that frames were handed to the stream. */
  #handed = 0;

  constructor(stream: Stream, options: LinkOptions) {
    this.#stream = stream;
    this.#options = options;
    const { payloadBytesMax } = options;
    this.#scanner = createFrameScanner(options.sink, { payloadBytesMax });
    stream.addEventListener("message", this.#onMessage);
    stream.addEventListener("drain", this.#onDrain);
    stream.addEventListener("close", () => this.#finish("closed"), { once: true });
    stream.addEventListener("remoteCloseWrite", () => this.close("closed by peer"), { once: true });
    if (stream.status !== "open") queueMicrotask(() => this.#finish("closed"));
  }

  get open(): boolean {
    return !this.#closed;
  }

  get queued(): number {
    return this.#queue.length;
  }

  send(frame: Outgoing, onSent?: () => void): boolean {
    if (this.#closed || this.#queue.length >= this.#options.queueMax) return false;
    this.#queue.push({ frame, onSent });
    // Frames of one turn of the event loop leave together.
    if (this.#queue.length === 1) queueMicrotask(this.#pump);
    this.#watchStall();
    return true;
  }

  pause(): void {
    if (this.#closed) return;
    this.#paused = true;
    if (this.#stream.readStatus === "readable") this.#stream.pause();
  }

  resume(): void {
    if (this.#closed || !this.#paused) return;
    this.#paused = false;
    this.#scan();
    // What was held back may have paused it again.
    const goesOn = !this.#paused && !this.#closed;
    if (goesOn && this.#stream.readStatus === "paused") this.#stream.resume();
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#finish(reason);
    this.#stream.abort(new Error(`Cannot keep stream: ${reason}`));
  }

  fail(reason: string): void {
    if (this.#closed) return;
    this.#options.onFault?.(reason);
    this.close(reason);
  }

  #finish(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stallTimer);
    this.#stream.removeEventListener("message", this.#onMessage);
    this.#stream.removeEventListener("drain", this.#onDrain);
    this.#queue.length = 0;
    this.#arrived.length = 0;
    this.#options.onClosed(reason);
  }

  /** One timer per stretch of unfinished frames: it looks again whether any frame has ended. */
  #watchPartial(): void {
    if (!this.#scanner.partial || this.#timer !== undefined) return;
    const seen = this.#scanner.frames;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const stuck = this.#scanner.partial && this.#scanner.frames === seen;
      if (stuck && this.#stream.readStatus === "readable") {
        return this.fail("a frame did not end in time");
      }
      this.#watchPartial();
    }, this.#options.deadlineMs ?? frameDeadlineMs);
  }

  /** One timer while frames wait: it looks again whether any has left. */
  #watchStall(): void {
    const { stallMs } = this.#options;
    if (stallMs === undefined || this.#stallTimer !== undefined || this.#closed) return;
    if (this.#queue.length === 0) return;
    const seen = this.#handed;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      if (this.#queue.length > 0 && this.#handed === seen) {
        return this.fail("nothing of what was sent is being read");
      }
      this.#watchStall();
    }, stallMs);
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    if (event.data instanceof Uint8Array) this.#arrived.push(event.data);
    else this.#arrived.push(...event.data);
    this.#scan();
  };

  /** A paused stream gives all that came meanwhile at once: it may have to be paused within. */
  #scan(): void {
    if (this.#scanning) return; // resumed from within: the loop below goes on
    this.#scanning = true;
    try {
      while (!this.#paused && !this.#closed) {
        const piece = this.#arrived.shift();
        if (piece === undefined) break;
        const fault = this.#scanner.push(piece);
        if (fault !== undefined) this.fail(fault);
      }
    } finally {
      this.#scanning = false;
    }
    if (!this.#closed) this.#watchPartial();
  }

  readonly #onDrain = (): void => {
    queueMicrotask(() => queueMicrotask(this.#pump));
  };

  readonly #pump = (): void => {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#closed && this.#queue.length > 0 && canSend(this.#stream)) {
        this.#stream.send(nextSend(this.#queue));
        this.#handed += 1;
      }
    } catch (error) {
      this.close(`send failed: ${messageOf(error)}`);
    } finally {
      this.#pumping = false;
    }
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
