// What the layers above send at once, as WebSocket messages: noise makes pieces of a few bytes, and
// each message costs both ends an event. A node refuses what is larger than its limit, so that a
// large block goes in two.

import type { Uint8ArrayList } from "uint8arraylist";
import { socketMessageBytesSent } from "../../shared/base/limits.ts";

/** The bytes in order, in arrays of at most `socketMessageBytesSent`. @throws never */
export function* socketMessages(data: Uint8ArrayList): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < data.byteLength; at += socketMessageBytesSent) {
    const end = Math.min(data.byteLength, at + socketMessageBytesSent);
    yield data.subarray(at, end) as Uint8Array<ArrayBuffer>;
  }
}
