// What a placement looks like to its operator: each node's and zone's part of all copies
// against its part of the capacity, and which zones are too small to hold the copies that
// "distinct zones" would give them (placement then fills them to their share and says so here).

import type { NodeId } from "../base/ids.ts";
import { slotCount } from "../base/limits.ts";
import { allSlots, type Placement } from "./placement.ts";

/** Copies of a zone or node. `share` and `fair` are parts of all copies, 0 to 1. */
export interface Part {
  readonly share: number;
  /** Its part of the roster's capacity. */
  readonly fair: number;
}

export interface Balance {
  readonly nodes: ReadonlyMap<NodeId, Part>;
  readonly zones: ReadonlyMap<string, Part & { readonly tooSmall: boolean }>;
  /** Zones that the copies of a slot can span: min(replicas, zones). */
  readonly zonesWanted: number;
  /** Part of the slots whose copies span fewer, 0 to 1. */
  readonly slotsBelow: number;
}

/** Measures a placement. `tooSmall`: slots that span too few zones passed this zone over. */
export function balanceOf(placed: Placement, replicas: number): Balance {
  const capacity = placed.members.reduce((sum, member) => sum + member.capacity, 0);
  const shares = placed.shares(replicas);
  const zoneOf = new Map(placed.members.map((member) => [member.id, member.zone]));
  const zonesWanted = Math.min(replicas, new Set(zoneOf.values()).size);
  const nodes = new Map<NodeId, Part>();
  const zones = new Map<string, Part & { tooSmall: boolean }>();
  for (const { id, zone, capacity: own } of placed.members) {
    const part = { share: shares.get(id) ?? 0, fair: capacity > 0 ? own / capacity : 0 };
    nodes.set(id, part);
    const whole = zones.get(zone) ?? { share: 0, fair: 0, tooSmall: false };
    zones.set(zone, { ...whole, share: whole.share + part.share, fair: whole.fair + part.fair });
  }
  let below = 0;
  for (const slot of allSlots()) {
    const spanned = new Set(placed.ownersOf(slot, replicas).map((id) => zoneOf.get(id)));
    if (spanned.size >= zonesWanted) continue;
    below += 1;
    for (const [zone, part] of zones) if (!spanned.has(zone)) part.tooSmall = true;
  }
  return { nodes, zones, zonesWanted, slotsBelow: below / slotCount };
}
