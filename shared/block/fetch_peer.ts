// What one pull learns about one holder: how fast it serves, how busy it is with us, whether it
// rests. Smoothed like TCP smooths round trips, but over time per block in a queue, because
// requests are pipelined: the fifth of five in flight is expected to take five times as long.
// Trust begins small and grows with answers, so that a slow line is not filled for minutes.
// Source of the smoothing: RFC 6298, section 2.

import type { NodeId } from "../base/ids.ts";

/** One holder within one pull; changed only by the functions here and by its plan. */
export interface Peer {
  readonly id: NodeId;
  /** Smoothed milliseconds per block when blocks are asked one after the other. */
  serviceMs: number;
  /** Our requests there now, and how many it is trusted with so far. */
  inFlight: number;
  window: number;
  /** Until then it is asked only where nobody else is left. */
  restUntil: number;
  /** It gave wrong bytes. */
  banned: boolean;
}

const smoothing = 0.2;
const windowFirst = 4;
/** No more is asked of a holder than it can answer in this time. */
const queueMsMax = 4_000;
const overdueFactor = 4;
const overdueMinMs = 150;
const overdueRestMs = 2_000;

/** A holder of which nothing is known but an estimate. @throws never */
export function createPeer(id: NodeId, expectedMs: number): Peer {
  return {
    id,
    serviceMs: Math.max(0.1, expectedMs),
    inFlight: 0,
    window: windowFirst,
    restUntil: 0,
    banned: false,
  };
}

/** Whether one more request fits: the window opens with answers and never holds seconds of them. */
export function hasRoom(peer: Peer, inFlightMax: number): boolean {
  const inTime = Math.max(1, queueMsMax / peer.serviceMs);
  return peer.inFlight < Math.min(peer.window, inTime, inFlightMax);
}

/** Learns from a block that came. @throws never */
export function recordAnswer(
  peer: Peer,
  answer: { readonly elapsedMs: number; readonly depth: number },
): void {
  const sample = Math.max(0.1, answer.elapsedMs / answer.depth);
  peer.serviceMs += smoothing * (sample - peer.serviceMs);
  peer.restUntil = 0;
  peer.window++;
}

/** Learns that an answer is late: others are preferred for a while. @throws never */
export function recordOverdue(peer: Peer, now: number): void {
  restPeer(peer, now + overdueRestMs);
}

/** Lets a holder rest until then, never shorter than it already does. @throws never */
export function restPeer(peer: Peer, until: number): void {
  peer.window = Math.max(windowFirst, Math.floor(peer.window / 2));
  peer.restUntil = Math.max(peer.restUntil, until);
}

/** When a request counts as late and a second holder may be asked. @throws never */
export function overdueAt(
  request: { readonly startedAt: number; readonly depth: number; readonly peer: Peer },
): number {
  const expected = request.peer.serviceMs * request.depth;
  return request.startedAt + Math.max(overdueMinMs, overdueFactor * expected);
}
