// The muxer's window of a stream, made as wide as the credit that is given on it. Yamux begins
// with 256 KiB and widens it only when it is used up within four round trips, as measured by one
// ping on an idle line; between busy processes every round then waits for the other side's turn,
// whatever the line could carry. Credits set the pace here, so the window may be theirs at once.
//
// Reaches into the stream (`recvWindow`), since the library has no option for one stream, and its
// initial window must be equal on both sides. A stream of another muxer is left as it is.

import type { Stream } from "@libp2p/interface";

interface Windowed {
  recvWindow: number;
  sendWindowUpdate(): void;
}

/** Lets the other side have so many bytes on their way. @returns false for other muxers */
export function widenWindow(stream: Stream, bytes: number): boolean {
  if (!isWindowed(stream)) return false;
  if (stream.recvWindow < bytes) {
    stream.recvWindow = bytes;
    stream.sendWindowUpdate();
  }
  return true;
}

function isWindowed(stream: object): stream is Windowed {
  return "recvWindow" in stream && typeof stream.recvWindow === "number" &&
    "sendWindowUpdate" in stream && typeof stream.sendWindowUpdate === "function";
}
