// All tokens of a roster in ring order, and the tokens of each zone in ring order: the two
// views that placement walks. Built once per roster.
//
// A token is packed as position * 256 + member index into one exact double (44 + 8 bits), so
// that the platform sorts them and equal positions fall in order of member id. Member indexes
// are places in the list ordered by id: the same on every node whatever order a roster has.

import { assert } from "../base/assert.ts";
import { rosterMembersMax, slotCount } from "../base/limits.ts";
import type { Member } from "./roster.ts";
import { arcLength, ringLength } from "./slot.ts";
import { tokenCount, tokenPositions } from "./token.ts";

const indexesMax = 256;

/** Tokens in ring order: `positions[i]` belongs to member `owners[i]`. */
export interface TokenRun {
  readonly positions: Float64Array;
  readonly owners: Uint8Array;
}

/** Tokens of a roster. `zoneOf[member]` is an index into `zones`; both follow canonical order. */
export interface TokenTable {
  readonly members: readonly Member[];
  readonly zones: readonly string[];
  readonly zoneOf: Uint8Array;
  readonly all: TokenRun;
  readonly ofZone: readonly TokenRun[];
  /** Index in `all` of the first token at or after each slot's start. */
  readonly slotStart: Int32Array;
}

/** Builds the table. @throws {AssertionError} on more members than a roster may have */
export function createTokenTable(roster: readonly Member[]): TokenTable {
  assert(roster.length > 0 && roster.length <= rosterMembersMax, "a roster has 1 to 256 members");
  const members = roster.slice().sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const zones = [...new Set(members.map((member) => member.zone))].sort();
  const zoneOf = Uint8Array.from(members, (member) => zones.indexOf(member.zone));
  const all = unpack(packedTokens(members));
  const ofZone = zones.length === 1 ? [all] : splitByZone(all, { zoneOf, zones: zones.length });
  return { members, zones, zoneOf, all, ofZone, slotStart: slotStarts(all.positions) };
}

/** Index of the first token at or after `position`, going round. @throws never */
export function firstFrom(run: TokenRun, position: number): number {
  let low = 0;
  let high = run.positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((run.positions[middle] as number) < position) low = middle + 1;
    else high = middle;
  }
  return low === run.positions.length ? 0 : low;
}

function packedTokens(members: readonly Member[]): Float64Array {
  const counts = members.map((member) => tokenCount(member.capacity));
  const packed = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  for (const [index, member] of members.entries()) {
    for (const position of tokenPositions(member.id, counts[index] as number)) {
      packed[at++] = position * indexesMax + index;
    }
  }
  return packed.sort();
}

function unpack(packed: Float64Array): TokenRun {
  const positions = new Float64Array(packed.length);
  const owners = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at++) {
    const token = packed[at] as number;
    const position = Math.floor(token / indexesMax);
    positions[at] = position;
    owners[at] = token - position * indexesMax;
  }
  return { positions, owners };
}

function splitByZone(
  all: TokenRun,
  shape: { readonly zoneOf: Uint8Array; readonly zones: number },
): TokenRun[] {
  const sizes = new Int32Array(shape.zones);
  for (const owner of all.owners) {
    const zone = shape.zoneOf[owner] as number;
    sizes[zone] = (sizes[zone] as number) + 1;
  }
  const runs = Array.from(sizes, (size) => ({
    positions: new Float64Array(size),
    owners: new Uint8Array(size),
  }));
  const filled = new Int32Array(shape.zones);
  for (let at = 0; at < all.positions.length; at++) {
    const owner = all.owners[at] as number;
    const zone = shape.zoneOf[owner] as number;
    const run = runs[zone] as TokenRun;
    const place = filled[zone] as number;
    run.positions[place] = all.positions[at] as number;
    run.owners[place] = owner;
    filled[zone] = place + 1;
  }
  return runs;
}

function slotStarts(positions: Float64Array): Int32Array {
  const starts = new Int32Array(slotCount);
  let at = 0;
  for (let slot = 0; slot < slotCount; slot++) {
    while (at < positions.length && (positions[at] as number) < slot * arcLength) at++;
    starts[slot] = at === positions.length ? 0 : at;
  }
  assert((positions[positions.length - 1] as number) < ringLength, "tokens lie on the ring");
  return starts;
}
