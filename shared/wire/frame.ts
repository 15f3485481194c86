// Frames: how messages and blocks travel on one long-lived stream.
//
//   0        4      5        9
//   | u32 n  | kind | u32 id | payload ...      n counts everything after itself (5 + payload)
//
// Big-endian. Frames carry lengths, so the end of a stream never passes for the end of a message.
// The scanner walks pieces as they arrive and copies nothing: it tells a sink where a frame
// begins, hands it views of the payload, and says when it ends. A frame that is too short, too
// long, or that the sink refuses breaks the scanner for good: the caller resets the stream.

import { assert } from "../base/assert.ts";
import { frameBytesMax } from "../base/limits.ts";

/** Bytes before the payload. */
export const frameHeaderBytes = 9;
const countedHeaderBytes = 5;

/** What a frame says of itself before its payload. `kind` 0-255, `id` 0 to 2^32 - 1. */
export interface FrameHeader {
  readonly kind: number;
  readonly id: number;
  readonly payloadBytes: number;
}

/** One whole frame. */
export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** Why bytes are not frames. */
export type FrameFault = "frame_too_short" | "frame_too_large" | "frame_refused";

/** Takes frames as their bytes arrive. Every begin() that returns true is followed by one end(). */
export interface FrameSink {
  /** False refuses the frame, and with it the stream. */
  begin(header: FrameHeader): boolean;
  /** Next bytes of the payload: a view, valid during the call only. False refuses the stream. */
  piece(bytes: Uint8Array): boolean;
  /** The payload is complete. False refuses the stream. */
  end(): boolean;
}

/** Walks arriving bytes. */
export interface FrameScanner {
  /** Takes the next bytes. @returns undefined, or the fault that broke the scanner */
  push(bytes: Uint8Array): FrameFault | undefined;
  /** Whether a frame has begun and not ended. */
  readonly partial: boolean;
  /** Frames completed so far. */
  readonly frames: number;
}

/** The header alone, for payloads that are sent beside it without a copy. @returns Uint8Array[9] */
export function encodeFrameHeader(header: FrameHeader): Uint8Array {
  assert(header.payloadBytes + frameHeaderBytes <= frameBytesMax, "a frame must fit its limit");
  const bytes = new Uint8Array(frameHeaderBytes);
  writeHeader(bytes, header);
  return bytes;
}

/** One frame in one array. @returns Uint8Array[9 + payload] */
export function encodeFrame(frame: Frame): Uint8Array {
  const payloadBytes = frame.payload.length;
  assert(payloadBytes + frameHeaderBytes <= frameBytesMax, "a frame must fit its limit");
  const bytes = new Uint8Array(frameHeaderBytes + payloadBytes);
  writeHeader(bytes, { kind: frame.kind, id: frame.id, payloadBytes });
  bytes.set(frame.payload, frameHeaderBytes);
  return bytes;
}

function writeHeader(bytes: Uint8Array, header: FrameHeader): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, frameHeaderBytes);
  view.setUint32(0, countedHeaderBytes + header.payloadBytes);
  view.setUint8(4, header.kind);
  view.setUint32(5, header.id);
}

/** A scanner that accepts payloads of at most `payloadBytesMax`. @throws never from push() */
export function createFrameScanner(
  sink: FrameSink,
  options: { readonly payloadBytesMax: number },
): FrameScanner {
  const header = new Uint8Array(frameHeaderBytes);
  const view = new DataView(header.buffer);
  let headerHeld = 0;
  let payloadLeft = 0;
  let frames = 0;
  let broken: FrameFault | undefined;

  function finish(): FrameFault | undefined {
    headerHeld = 0;
    frames += 1;
    return sink.end() ? undefined : "frame_refused";
  }

  /** Called when a header is whole: judges it before a byte of payload is kept. */
  function begin(): FrameFault | undefined {
    const counted = view.getUint32(0);
    payloadLeft = counted - countedHeaderBytes;
    const accepted = sink.begin({
      kind: view.getUint8(4),
      id: view.getUint32(5),
      payloadBytes: payloadLeft,
    });
    if (!accepted) return "frame_refused";
    return payloadLeft === 0 ? finish() : undefined;
  }

  function judgeLength(): FrameFault | undefined {
    const counted = view.getUint32(0);
    if (counted < countedHeaderBytes) return "frame_too_short";
    return counted - countedHeaderBytes > options.payloadBytesMax ? "frame_too_large" : undefined;
  }

  function step(bytes: Uint8Array, from: number): { next: number; fault: FrameFault | undefined } {
    if (headerHeld < frameHeaderBytes) {
      // The length is judged as soon as it is there: a liar need not send the rest.
      const target = headerHeld < 4 ? 4 : frameHeaderBytes;
      const next = Math.min(bytes.length, from + target - headerHeld);
      header.set(bytes.subarray(from, next), headerHeld);
      headerHeld += next - from;
      if (headerHeld === 4) return { next, fault: judgeLength() };
      return { next, fault: headerHeld === frameHeaderBytes ? begin() : undefined };
    }
    const next = Math.min(bytes.length, from + payloadLeft);
    payloadLeft -= next - from;
    if (!sink.piece(bytes.subarray(from, next))) return { next, fault: "frame_refused" };
    return { next, fault: payloadLeft === 0 ? finish() : undefined };
  }

  return {
    push(bytes) {
      let offset = 0;
      while (broken === undefined && offset < bytes.length) {
        const { next, fault } = step(bytes, offset);
        offset = next;
        broken = fault;
      }
      return broken;
    },
    get partial() {
      return headerHeld > 0;
    },
    get frames() {
      return frames;
    },
  };
}

/** A sink that gathers each payload into one array; `accept` may refuse frames by their header. */
export function createFrameGatherer(options: {
  readonly onFrame: (frame: Frame) => boolean;
  readonly accept?: (header: FrameHeader) => boolean;
}): FrameSink {
  let current: FrameHeader | undefined;
  let payload = new Uint8Array(0);
  let held = 0;
  return {
    begin(header) {
      if (options.accept !== undefined && !options.accept(header)) return false;
      current = header;
      payload = new Uint8Array(header.payloadBytes);
      held = 0;
      return true;
    },
    piece(bytes) {
      payload.set(bytes, held);
      held += bytes.length;
      return true;
    },
    end() {
      assert(current !== undefined, "a frame ends only after it began");
      return options.onFrame({ kind: current.kind, id: current.id, payload });
    },
  };
}
