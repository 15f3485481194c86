// Counts the streams that a peer opens on one connection. libp2p limits those open at once, by
// protocol, but each costs a negotiation before it is refused: a peer that opens them without end
// would keep a node busy. The muxer below a connection tells of each stream before that.

import type { Connection } from "@libp2p/interface";
import { assert } from "../../shared/base/assert.ts";
import { peerStreamsPerMinuteMax } from "../../shared/base/tab_limits.ts";

const minuteMs = 60_000;

/**
 * Calls `onFlood` for each stream beyond the limit of a minute. Milliseconds by `now`.
 * @throws {AssertionError} when the connection has no muxer, which libp2p's always have
 */
export function watchFloods(
  connection: Connection,
  { now, onFlood }: { readonly now: () => number; readonly onFlood: () => void },
): void {
  const muxer = muxerOf(connection);
  assert(muxer !== undefined, "a libp2p connection has a muxer that tells of its streams");
  let since = now();
  let count = 0;
  muxer.addEventListener("stream", () => {
    if (now() - since >= minuteMs) {
      since = now();
      count = 0;
    }
    count += 1;
    if (count > peerStreamsPerMinuteMax) onFlood();
  });
}

/** libp2p keeps the muxer as a public field that its interface does not name. */
function muxerOf(connection: Connection): EventTarget | undefined {
  const muxer = "muxer" in connection ? connection.muxer : undefined;
  const tells = typeof muxer === "object" && muxer !== null && "addEventListener" in muxer;
  return tells ? muxer as EventTarget : undefined;
}
