// Who owns each slot: one copy at a time for all slots, clockwise, distinct zones first, and
// no node beyond its share of the capacity.
//
// Plain "next R nodes, each in another zone" puts a third of all copies on the smallest of
// three zones, however small. So copies are dealt as in consistent hashing with bounded loads:
// copy 1 of every slot, then copy 2, then copy 3 ... In each round a node takes at most its
// room: its fair share of the copies dealt so far (by capacity, at most one copy of a slot;
// what the largest cannot take falls to the others), and `placementSlack` more. A slot takes
// the clockwise nearest node among those with room, in a zone that it uses least. Slots that
// span the fewest zones choose first, then in bit-reversed order, so that the few copies which
// a small zone has room for go evenly to slots that need them most.
// So equal zones give the plain walk, a small zone is filled to its capacity and no further,
// owners of R copies are the first R of R + 1, and a join or leave moves little.
// Source: Mirrokni, Thorup, Zadimoghaddam, Consistent Hashing with Bounded Loads, SODA 2018;
// zones first: Dynamo, SOSP 2007, 6.2, and Ceph's failure domains.

import { placementSlack, replicasMax, slotCount } from "../base/limits.ts";
import { asSlot, type Slot } from "../base/ids.ts";
import type { Round, Spread } from "./dealing.ts";
import { nearestMember, nearestWithRoom, zonesSpanned } from "./nearest.ts";
import type { TokenTable } from "./token_table.ts";

/** An empty spread over a table. @throws never */
export function createSpread(table: TokenTable): Spread {
  return {
    table,
    chosen: new Uint8Array(slotCount * replicasMax),
    loads: new Uint32Array(table.members.length),
    depth: 0,
  };
}

/** Deals copies until each slot has `depth` of them, or one on every member. @throws never */
export function deepen(spread: Spread, depth: number): void {
  const target = Math.min(depth, replicasMax, spread.table.members.length);
  while (spread.depth < target) dealRound(spread);
}

/**
 * Fair copies of a slot on each member, when `copies` of each slot are dealt: by capacity, at
 * most 1, what the largest cannot take going to the others. @returns numbers that sum to `copies`
 */
export function fairCopies(capacities: readonly number[], copies: number): Float64Array {
  const fair = new Float64Array(capacities.length);
  const byCapacity = capacities.map((_, index) => index)
    .sort((a, b) => (capacities[b] as number) - (capacities[a] as number) || a - b);
  let left = Math.min(copies, capacities.length);
  let weight = capacities.reduce((sum, capacity) => sum + capacity, 0);
  let members = capacities.length;
  for (const index of byCapacity) {
    const capacity = capacities[index] as number;
    const even = weight > 0 ? (left * capacity) / weight : left / members;
    fair[index] = Math.min(1, even);
    left -= fair[index] as number;
    weight -= capacity;
    members -= 1;
  }
  return fair;
}

function dealRound(spread: Spread): void {
  const { table, chosen, loads, depth } = spread;
  const round = createRound(spread);
  for (const slot of dealingOrder(spread)) {
    const member = nearestWithRoom(round, slot) ?? nearestMember(spread, slot);
    chosen[slot * replicasMax + depth] = member;
    loads[member] = (loads[member] as number) + 1;
    if (loads[member] === round.rooms[member]) {
      const zone = table.zoneOf[member] as number;
      round.open[zone] = (round.open[zone] as number) - 1;
      if (round.open[zone] === 0) round.zonesOpen -= 1;
    }
  }
  spread.depth = depth + 1;
}

function createRound(spread: Spread): Round {
  const { table, loads, depth } = spread;
  const fair = fairCopies(table.members.map((member) => member.capacity), depth + 1);
  const rooms = fair.map((copies) =>
    Math.min(slotCount, Math.ceil(copies * slotCount * (1 + placementSlack)))
  );
  const open = new Uint16Array(table.zones.length);
  for (const [member, zone] of table.zoneOf.entries()) {
    if ((loads[member] as number) < (rooms[member] as number)) {
      open[zone] = (open[zone] as number) + 1;
    }
  }
  return { spread, rooms, open, zonesOpen: open.filter((members) => members > 0).length };
}

/** Slots that span the fewest zones first; among those, bit-reversed order. */
function dealingOrder(spread: Spread): Slot[] {
  const groups: Slot[][] = Array.from({ length: spread.depth + 1 }, () => []);
  for (let rank = 0; rank < slotCount; rank++) {
    const slot = reversedBits(rank);
    groups[zonesSpanned(spread, slot)]?.push(slot);
  }
  return groups.flat();
}

function reversedBits(rank: number): Slot {
  let slot = 0;
  for (let bit = 1; bit < slotCount; bit *= 2) slot = slot * 2 + ((rank & bit) === 0 ? 0 : 1);
  return asSlot(slot);
}
