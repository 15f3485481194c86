// Who should have what: owners of each slot, computed from the roster alone, the same on every
// node of one epoch. Liveness has no say here; it only chooses stand-ins from `walk`.
//
// The rule itself is in spread.ts. Owners are found for all slots at once, the first time a
// depth is asked for, and kept as long as the roster object is: results depend on nothing else.

import { assert } from "../base/assert.ts";
import { asSlot, type NodeId, type Slot } from "../base/ids.ts";
import { decidersMax, replicasMax, slotCount } from "../base/limits.ts";
import type { Member, Roster } from "./roster.ts";
import type { Spread } from "./dealing.ts";
import { createSpread, deepen } from "./spread.ts";
import { createTokenTable, type TokenTable } from "./token_table.ts";
import { tokenCount, tokenPositions } from "./token.ts";

/** Owners under one roster. Arrays are kept and handed out again: callers may not change them. */
export interface Placement {
  /** All members, in order of id. */
  readonly members: readonly Member[];
  /**
   * Owners of a slot, first owner first; those of fewer replicas are a prefix.
   * @param replicas 1 to replicasMax
   * @returns NodeId[min(replicas, members)], distinct. @throws {AssertionError} on other replicas
   */
  ownersOf(slot: Slot, replicas: number): readonly NodeId[];
  /** Whether a member is among the slot's owners; allocates nothing. */
  isOwner(id: NodeId, place: { readonly slot: Slot; readonly replicas: number }): boolean;
  /** All members, each once: the owners, then who stands in for them, nearest first. */
  walk(slot: Slot): Iterable<NodeId>;
  /** Each member's share of all owned slots, copies counted: they sum to 1. */
  shares(replicas: number): ReadonlyMap<NodeId, number>;
  /** Slots that a member owns, ascending. */
  slotsOf(id: NodeId, replicas: number): readonly Slot[];
  /** Number of a member's tokens. */
  tokenCountOf(id: NodeId): number;
  /** Positions of a member's tokens, ascending, in [0, ringLength). */
  tokensOf(id: NodeId): readonly number[];
}

const placements = new WeakMap<readonly Member[], Placement>();

/** Placement under a roster; made once for each members list. @throws {AssertionError} on none */
export function placement(roster: Pick<Roster, "members">): Placement {
  const known = placements.get(roster.members);
  if (known !== undefined) return known;
  const made = createPlacement(roster.members);
  placements.set(roster.members, made);
  return made;
}

/**
 * Deciders of a slot's registers: its owners at three copies; in a roster of one or two the
 * longest-standing member alone. @returns 1 or 3 ids. Source: ARCHITECTURE.md, "Agreement"
 */
export function decidersOf(roster: Pick<Roster, "members">, slot: Slot): readonly NodeId[] {
  if (roster.members.length >= decidersMax) return placement(roster).ownersOf(slot, decidersMax);
  const [eldest] = roster.members.slice().sort(byStanding);
  assert(eldest !== undefined, "a roster has at least one member");
  return [eldest.id];
}

function byStanding(one: Member, other: Member): number {
  if (one.since !== other.since) return one.since - other.since;
  return one.id < other.id ? -1 : 1;
}

function createPlacement(members: readonly Member[]): Placement {
  const table = createTokenTable(members);
  const spread = createSpread(table);
  const indexOf = new Map(table.members.map((member, index) => [member.id, index]));
  const idAt = (index: number) => (table.members[index] as Member).id;
  const owners: (readonly NodeId[] | undefined)[][] = [];
  const shares = new Map<number, ReadonlyMap<NodeId, number>>();
  const copiesOf = (replicas: number) => {
    assert(Number.isInteger(replicas) && replicas >= 1 && replicas <= replicasMax, "1 to 9 copies");
    deepen(spread, replicas);
    return Math.min(replicas, table.members.length);
  };
  const owns = (index: number, place: { readonly slot: Slot; readonly copies: number }) => {
    const first = place.slot * replicasMax;
    return spread.chosen.subarray(first, first + place.copies).includes(index);
  };
  return {
    members: table.members,
    ownersOf: (slot, replicas) => {
      const copies = copiesOf(replicas);
      const kept = owners[copies] ??= new Array(slotCount);
      return kept[slot] ??= ownerIndexes(spread, { slot, copies }).map(idAt);
    },
    isOwner: (id, { slot, replicas }) => {
      const index = indexOf.get(id);
      return index !== undefined && owns(index, { slot, copies: copiesOf(replicas) });
    },
    walk: (slot) => {
      const copies = copiesOf(replicasMax);
      return walkIds(table, { slot, first: ownerIndexes(spread, { slot, copies }) });
    },
    shares: (replicas) => {
      const copies = copiesOf(replicas);
      const made = shares.get(copies) ?? sharesOf(spread, copies);
      shares.set(copies, made);
      return made;
    },
    slotsOf: (id, replicas) => {
      const index = indexOf.get(id);
      const copies = copiesOf(replicas);
      if (index === undefined) return [];
      return allSlots().filter((slot) => owns(index, { slot, copies }));
    },
    tokenCountOf: (id) => {
      const index = indexOf.get(id);
      return index === undefined ? 0 : tokenCount((table.members[index] as Member).capacity);
    },
    tokensOf: (id) => {
      const index = indexOf.get(id);
      if (index === undefined) return [];
      const count = tokenCount((table.members[index] as Member).capacity);
      return Array.from(tokenPositions(id, count).sort());
    },
  };
}

/** Every slot, ascending. @throws never */
export function allSlots(): Slot[] {
  return Array.from({ length: slotCount }, (_, index) => asSlot(index));
}

function ownerIndexes(
  spread: Spread,
  place: { readonly slot: Slot; readonly copies: number },
): number[] {
  const first = place.slot * replicasMax;
  return Array.from(spread.chosen.subarray(first, first + place.copies));
}

function sharesOf(spread: Spread, copies: number): ReadonlyMap<NodeId, number> {
  const counts = new Uint32Array(spread.table.members.length);
  for (let slot = 0; slot < slotCount; slot++) {
    for (let copy = 0; copy < copies; copy++) {
      const member = spread.chosen[slot * replicasMax + copy] as number;
      counts[member] = (counts[member] as number) + 1;
    }
  }
  const total = slotCount * copies;
  return new Map(
    spread.table.members.map((member, index) => [member.id, (counts[index] as number) / total]),
  );
}

/** The owners, then all others clockwise. */
function* walkIds(
  table: TokenTable,
  place: { readonly slot: Slot; readonly first: readonly number[] },
): Generator<NodeId> {
  const seen = new Uint8Array(table.members.length);
  let left = table.members.length;
  for (const index of place.first) {
    seen[index] = 1;
    left -= 1;
    yield (table.members[index] as Member).id;
  }
  let at = table.slotStart[place.slot] as number;
  while (left > 0) {
    const index = table.all.owners[at] as number;
    if (seen[index] === 0) {
      seen[index] = 1;
      left -= 1;
      yield (table.members[index] as Member).id;
    }
    at = at + 1 === table.all.owners.length ? 0 : at + 1;
  }
}
