// Which nodes a block goes to, in order: its owners, then who stands in for them clockwise.
// Owners follow from the roster alone (should); only here liveness comes in (can).

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import type { Placement } from "../../shared/ring/placement.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";

/** What the block engines need to know of the ring; the netmap's driver gives it. */
export interface RingView {
  readonly self: NodeId;
  /** Placement under the present roster: may be another object at each call. */
  placement(): Pick<Placement, "members" | "ownersOf" | "isOwner" | "walk">;
  /** Whether a member can be sent to or asked now; this node itself is always usable. */
  isUsable(id: NodeId): boolean;
}

/** Usable nodes for a block, each once: owners first, then stand-ins, nearest first. */
export function* targetsOf(ring: RingView, cid: Cid): Generator<NodeId> {
  for (const id of ring.placement().walk(slotOfCid(cid))) {
    if (ring.isUsable(id)) yield id;
  }
}

/** Usable owners of a block, this node left out. @returns distinct ids, first owner first */
export function remoteOwnersOf(ring: RingView, cid: Cid, replicas: number): NodeId[] {
  return ring.placement().ownersOf(slotOfCid(cid), replicas)
    .filter((id) => id !== ring.self && ring.isUsable(id));
}

/** Members that can be asked now, this node left out. */
export function usableRemotes(ring: RingView): NodeId[] {
  return ring.placement().members.map((member) => member.id)
    .filter((id) => id !== ring.self && ring.isUsable(id));
}

/** Fewest copies that a push may be acknowledged with (ARCHITECTURE.md). */
export function copiesMinimum(ring: RingView, replicas: number): number {
  return Math.min(replicas, ring.placement().members.length <= 2 ? 1 : 2);
}
