// Peers that are kept out for a while because they misbehaved. Who comes under another id needs
// another ticket, and begins anew; what one id can cost is bounded each time.

import type { NodeId } from "../../shared/base/ids.ts";
import { tabPenaltiesMax, tabPenaltyMs } from "../../shared/base/tab_limits.ts";

/** Penalties by peer. Bounded: the oldest are forgotten first. No method throws. */
export class Penalties {
  readonly #until = new Map<NodeId, number>();

  get size(): number {
    return this.#until.size;
  }

  /** Keeps a peer out from `now` on, ms. */
  add(peer: NodeId, now: number): void {
    this.#until.delete(peer);
    this.#until.set(peer, now + tabPenaltyMs);
    for (const [oldest, until] of this.#until) {
      if (this.#until.size <= tabPenaltiesMax && until > now) break;
      this.#until.delete(oldest);
    }
  }

  /** Milliseconds for which a peer is still kept out; 0 for who is not. */
  leftMs(peer: NodeId, now: number): number {
    const left = (this.#until.get(peer) ?? 0) - now;
    if (left <= 0) this.#until.delete(peer);
    return Math.max(0, left);
  }
}
