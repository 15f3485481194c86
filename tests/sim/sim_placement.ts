// A placement small enough to think about: three slots, deciders by highest random weight. Keys
// name their slot by their last digit, so that hand-made schedules can choose it.
// Source: Thaler and Ravishankar, Using Name-Based Mappings to Increase Hit Rates (1998).

import { asSlot, type NodeId, type Slot } from "../../shared/base/ids.ts";
import type { Placement } from "../../shared/record/agreement_port.ts";
import type { Roster } from "../../shared/ring/roster.ts";

const slots = 3;

/** Placement of the simulator. */
export function createSimPlacement(): Placement {
  const known = new WeakMap<Roster, Map<Slot, readonly NodeId[]>>();
  return {
    slotCount: slots,
    slotOf: (key) => asSlot(Number(key.slice(-1)) % slots),
    decidersOf(roster, slot) {
      let bySlot = known.get(roster);
      if (bySlot === undefined) known.set(roster, bySlot = new Map());
      let deciders = bySlot.get(slot);
      if (deciders === undefined) bySlot.set(slot, deciders = choose(roster, slot));
      return deciders;
    },
  };
}

function choose(roster: Roster, slot: Slot): readonly NodeId[] {
  const ids = roster.members.map(({ id }) => id);
  if (ids.length < 3) return ids.slice(0, 1);
  return ids
    .map((id) => ({ id, weight: weightOf(`${id}/${slot}`) }))
    .sort((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1))
    .slice(0, 3)
    .map(({ id }) => id);
}

/** FNV-1a with a final mix: only spread matters. */
function weightOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return (hash ^ (hash >>> 15)) >>> 0;
}
