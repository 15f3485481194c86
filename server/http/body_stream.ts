// A request body as a stream that is read no faster than it is taken. Its clock runs only while
// it waits for the client, so an upload may last for days, but one that trickles is cut off.
//
// Invariants: at most one chunk beyond the socket's own buffer is held; a body that ends before
// its announced length is an error, never an end; reading starts with the first pull.

import type { IncomingMessage } from "node:http";
import { SkyringError } from "../../shared/base/errors.ts";
import { httpBodyBytesPerWindowMin, httpBodyWindowMs } from "../../shared/base/limits.ts";

/** `onFirstRead` runs once, before the first byte is asked for. */
export interface BodyOptions {
  readonly onFirstRead: () => void;
  /** How long to wait for the least number of bytes; the default is in the limits. */
  readonly bodyWindowMs?: number;
}

/** The body of `incoming`. */
export function bodyStream(
  incoming: IncomingMessage,
  options: BodyOptions,
): ReadableStream<Uint8Array> {
  let started = false;
  let ended = false;
  const stall = stallClock(options.bodyWindowMs ?? httpBodyWindowMs);
  const finish = (settle: () => void) => {
    if (ended) return;
    ended = true;
    stall.stop();
    settle();
  };
  const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    options.onFirstRead();
    const short = () =>
      finish(() => controller.error(new SkyringError("short_body", shortDetail(incoming))));
    incoming.on("data", (chunk: Uint8Array) => {
      if (ended) return;
      incoming.pause();
      stall.took(chunk.length);
      // The socket's buffer is reused by nobody else: the chunk is ours.
      controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    });
    incoming.on("end", () => incoming.complete ? finish(() => controller.close()) : short());
    incoming.on("error", short);
    incoming.on("close", () => {
      if (!ended && !incoming.readableEnded) short();
    });
  };
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (!started) {
        started = true;
        start(controller);
      }
      stall.wait(() =>
        finish(() => {
          controller.error(new SkyringError("timeout", "Cannot read body: the client is too slow"));
          incoming.socket.destroy();
        })
      );
      incoming.resume();
    },
    cancel() {
      ended = true;
      stall.stop();
      incoming.pause();
    },
  }, { highWaterMark: 0 });
}

function shortDetail(incoming: IncomingMessage): string {
  const announced = incoming.headers["content-length"];
  return announced === undefined
    ? "Cannot read body: the connection closed before its last chunk"
    : `Cannot read body: the connection closed before ${announced} bytes came`;
}

/** Calls back when a window of waiting brought too few bytes. */
function stallClock(windowMs: number): {
  wait(onStall: () => void): void;
  took(bytes: number): void;
  stop(): void;
} {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waitedMs = 0;
  let since = 0;
  let bytes = 0;
  const pause = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    waitedMs += performance.now() - since;
  };
  return {
    wait(onStall) {
      if (timer !== undefined) return;
      since = performance.now();
      timer = setTimeout(onStall, Math.max(0, windowMs - waitedMs));
    },
    took(count) {
      pause();
      bytes += count;
      if (bytes < httpBodyBytesPerWindowMin) return;
      bytes = 0;
      waitedMs = 0;
    },
    stop: pause,
  };
}
