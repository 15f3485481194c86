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
  /** Members that take no more blocks now, as they say themselves; none where it is not told. */
  fullMembers?(): ReadonlySet<NodeId>;
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

/**
 * Whether this node should look after a block for an owner that is full and may lack it: for each
 * such owner one of the nearest other members with room. An owner that is dead is waited for.
 */
export function standsIn(ring: RingView, cid: Cid, replicas: number): boolean {
  const full = ring.fullMembers?.();
  if (full === undefined || full.size === 0) return false;
  const slot = slotOfCid(cid);
  const owners = ring.placement().ownersOf(slot, replicas);
  let short = owners.filter((id) => full.has(id) && ring.isUsable(id)).length;
  if (short === 0 || owners.includes(ring.self)) return false;
  for (const id of ring.placement().walk(slot)) {
    if (owners.includes(id) || full.has(id) || !ring.isUsable(id)) continue;
    if (id === ring.self) return true;
    if (--short === 0) return false;
  }
  return false;
}

/** Whether a full owner lacks a block and fewer others hold it than such owners. */
export function needsStandIn(
  ring: RingView,
  block: {
    readonly cid: Cid;
    readonly replicas: number;
    readonly holders: readonly NodeId[];
  },
): boolean {
  const { cid, replicas, holders } = block;
  const full = ring.fullMembers?.() ?? new Set();
  const owners = ring.placement().ownersOf(slotOfCid(cid), replicas);
  const lacking = owners.filter((id) => full.has(id) && ring.isUsable(id) && !holders.includes(id));
  return holders.filter((id) => !owners.includes(id)).length < lacking.length;
}

/** Fewest copies that a push may be acknowledged with (ARCHITECTURE.md). */
export function copiesMinimum(ring: RingView, replicas: number): number {
  return Math.min(replicas, ring.placement().members.length <= 2 ? 1 : 2);
}
