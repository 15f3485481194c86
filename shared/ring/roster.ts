// Who belongs: one version of the roster. Content of a roster never changes; roster e+1 is one
// decision of roster e's council (ARCHITECTURE.md, "Agreement").

import type { Lineage, NodeId } from "../base/ids.ts";

/** One admitted node. A member that left and came back has a new `since`. */
export interface Member {
  readonly id: NodeId;
  /** Epoch in which the member (last) entered. */
  readonly since: number;
  /** Bytes of block capacity that it offers: its tokens follow from this alone. */
  readonly capacity: number;
  /** Failure domain: owners of a slot are spread over zones first. */
  readonly zone: string;
}

/** One link of the roster chain. Members are in order of standing: by `since`, then by id. */
export interface Roster {
  readonly lineage: Lineage;
  /** 1 for the founding roster. */
  readonly epoch: number;
  readonly members: readonly Member[];
  /** Who decides the next roster: 1, 3, 5 or 7 of the members. */
  readonly council: readonly NodeId[];
  /** Members, present or former, whose disks an operator declared gone. */
  readonly lost: readonly NodeId[];
  /** Milliseconds since the epoch, of the founding: orders two lineages that meet. */
  readonly foundedAt: number;
  readonly founder: NodeId;
  /** 16 random bytes, hex: two foundings by one node in one millisecond differ. */
  readonly salt: string;
  /** Set in the last roster of a lineage that dissolved into another. */
  readonly into?: Lineage;
  /** Set in every roster of a lineage made by `forget --force`: where it left its parent. */
  readonly parent?: { readonly lineage: Lineage; readonly epoch: number };
}
