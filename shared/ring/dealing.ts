// The state of dealing copies to slots: what spread.ts keeps, and nearest.ts looks at. Typed
// arrays by member index and slot, because it is gone through for every slot of the ring.

import type { TokenTable } from "./token_table.ts";

/** Owners of all slots up to a depth, deepened one copy at a time. */
export interface Spread {
  readonly table: TokenTable;
  /** Member index of copy c of slot s at [s * replicasMax + c]. */
  readonly chosen: Uint8Array;
  /** Copies of each member so far. */
  readonly loads: Uint32Array;
  /** Copies dealt to every slot so far, 0 to min(replicasMax, members). */
  depth: number;
}

/** One more copy for every slot: who has room left in it. */
export interface Round {
  readonly spread: Spread;
  /** Copies that a member may have at the end of the round. */
  readonly rooms: Float64Array;
  /** Members with room left in each zone, and the number of zones that have any. */
  readonly open: Uint16Array;
  zonesOpen: number;
}
