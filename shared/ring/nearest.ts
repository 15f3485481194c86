// The search inside spread.ts: the clockwise nearest member for one more copy of a slot.
//
// The common case (some zone with room is not used by the slot yet) is a short scan of the
// ring. When no such zone is left, or a large zone hides a tiny one for too long, each zone
// that the slot uses least is searched in its own run of tokens; both give the same answer.

import { assert } from "../base/assert.ts";
import type { Slot } from "../base/ids.ts";
import { replicasMax } from "../base/limits.ts";
import type { Round, Spread } from "./dealing.ts";
import { clockwise, startOf } from "./slot.ts";

import { firstFrom, type TokenRun } from "./token_table.ts";

/** Tokens looked at on the common path before the search goes zone by zone. */
const scanTokensMax = 128;

interface Found {
  readonly member: number;
  readonly distance: number;
}

/** Distinct zones among the copies of a slot dealt so far. @throws never */
export function zonesSpanned(spread: Spread, slot: Slot): number {
  let zones = 0;
  for (let copy = 0; copy < spread.depth; copy++) {
    const zone = zoneOfCopy(spread, slot * replicasMax + copy);
    if (copiesBefore(spread, { slot, zone, depth: copy }) === 0) zones += 1;
  }
  return zones;
}

/**
 * The nearest member with room that does not have the slot yet, in a zone that the slot uses
 * least. @returns its index, or undefined when none has room
 */
export function nearestWithRoom(round: Round, slot: Slot): number | undefined {
  if (hasFreshZone(round, slot)) {
    const member = scanFreshZone(round, slot);
    if (member !== undefined) return member;
  }
  return searchZones(round, slot);
}

/** The nearest member that does not have the slot yet, whatever its room and zone. */
export function nearestMember(spread: Spread, slot: Slot): number {
  const { owners } = spread.table.all;
  let at = spread.table.slotStart[slot] as number;
  for (let seen = 0; seen < owners.length; seen++) {
    const member = owners[at] as number;
    if (!hasSlot(spread, { slot, member })) return member;
    at = at + 1 === owners.length ? 0 : at + 1;
  }
  assert(false, "copies are never more than members");
}

/** Whether a zone with room is not used by the slot: such a zone surely has a free member. */
function hasFreshZone(round: Round, slot: Slot): boolean {
  const { spread } = round;
  let fresh = round.zonesOpen;
  for (let copy = 0; copy < spread.depth && fresh > 0; copy++) {
    const zone = zoneOfCopy(spread, slot * replicasMax + copy);
    if ((round.open[zone] as number) === 0) continue;
    if (copiesBefore(spread, { slot, zone, depth: copy }) === 0) fresh -= 1;
  }
  return fresh > 0;
}

function scanFreshZone(round: Round, slot: Slot): number | undefined {
  const { spread } = round;
  const { all, slotStart, zoneOf } = spread.table;
  let at = slotStart[slot] as number;
  for (let seen = 0; seen < scanTokensMax; seen++) {
    const member = all.owners[at] as number;
    const zone = zoneOf[member] as number;
    if (hasRoom(round, member) && copiesBefore(spread, { slot, zone, depth: spread.depth }) === 0) {
      return member;
    }
    at = at + 1 === all.owners.length ? 0 : at + 1;
  }
  return undefined;
}

function searchZones(round: Round, slot: Slot): number | undefined {
  const { spread } = round;
  const least = leastUse(round, slot);
  let best: Found | undefined;
  for (const [zone, run] of spread.table.ofZone.entries()) {
    if (freeMembers(round, { slot, zone }) === 0) continue;
    if (copiesBefore(spread, { slot, zone, depth: spread.depth }) > least) continue;
    const found = searchRun(round, { slot, run });
    if (found === undefined) continue;
    if (best === undefined || nearer(found, best)) best = found;
  }
  return best?.member;
}

/** Copies of the slot in the zone that has fewest of them and a member free to take one. */
function leastUse(round: Round, slot: Slot): number {
  let least = Infinity;
  for (let zone = 0; zone < round.open.length; zone++) {
    if (freeMembers(round, { slot, zone }) === 0) continue;
    least = Math.min(least, copiesBefore(round.spread, { slot, zone, depth: round.spread.depth }));
  }
  return least;
}

function searchRun(
  round: Round,
  query: { readonly slot: Slot; readonly run: TokenRun },
): Found | undefined {
  const { run, slot } = query;
  const from = startOf(slot);
  let at = firstFrom(run, from);
  for (let seen = 0; seen < run.owners.length; seen++) {
    const member = run.owners[at] as number;
    if (hasRoom(round, member) && !hasSlot(round.spread, { slot, member })) {
      return { member, distance: clockwise({ from, to: run.positions[at] as number }) };
    }
    at = at + 1 === run.owners.length ? 0 : at + 1;
  }
  return undefined;
}

function nearer(found: Found, best: Found): boolean {
  if (found.distance !== best.distance) return found.distance < best.distance;
  return found.member < best.member;
}

/** Members of a zone that have room and not this slot. */
function freeMembers(round: Round, place: { readonly slot: Slot; readonly zone: number }): number {
  const { spread } = round;
  let free = round.open[place.zone] as number;
  for (let copy = 0; copy < spread.depth && free > 0; copy++) {
    const member = spread.chosen[place.slot * replicasMax + copy] as number;
    if (spread.table.zoneOf[member] === place.zone && hasRoom(round, member)) free -= 1;
  }
  return free;
}

function hasRoom(round: Round, member: number): boolean {
  return (round.spread.loads[member] as number) < (round.rooms[member] as number);
}

function hasSlot(
  spread: Spread,
  pair: { readonly slot: Slot; readonly member: number },
): boolean {
  const first = pair.slot * replicasMax;
  for (let copy = 0; copy < spread.depth; copy++) {
    if (spread.chosen[first + copy] === pair.member) return true;
  }
  return false;
}

function copiesBefore(
  spread: Spread,
  place: { readonly slot: Slot; readonly zone: number; readonly depth: number },
): number {
  let copies = 0;
  for (let copy = 0; copy < place.depth; copy++) {
    if (zoneOfCopy(spread, place.slot * replicasMax + copy) === place.zone) copies += 1;
  }
  return copies;
}

function zoneOfCopy(spread: Spread, at: number): number {
  return spread.table.zoneOf[spread.chosen[at] as number] as number;
}
