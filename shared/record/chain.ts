// The roster chain as one node follows it (ARCHITECTURE.md M1, R5, H1): adopting rosters one by
// one, telling others what they miss, trimming what nobody needs. Adopting advances every slot in
// the same transaction: deciders that go on answering, new owners that must read first, former
// owners that keep their rows.

import type { NodeId, Slot } from "../base/ids.ts";
import { rostersPerMessageMax } from "../base/limits.ts";
import type { Roster } from "../ring/roster.ts";
import { type Core, type Lane, rosterOf } from "./agreement_core.ts";
import { everySlot, sameDeciders } from "./slot_table.ts";

/**
 * Whether a roster may follow a lane's present one: the next, a trimmed jump, a forced child. Who
 * is declared lost by a force stays with the old lineage, which may be alive after all (F3).
 */
export function follows(
  lane: Lane,
  { roster, oldest, self }: {
    readonly roster: Roster;
    readonly oldest: number;
    readonly self: NodeId;
  },
): boolean {
  const present = rosterOf(lane);
  if (present === undefined) return roster.epoch === oldest;
  if (present.into !== undefined) return false;
  const { parent } = roster;
  const forced = parent?.lineage === present.lineage && present.epoch <= parent.epoch &&
    !roster.lost.includes(self);
  if (roster.lineage !== present.lineage && !forced) return false;
  return roster.epoch === present.epoch + 1 ||
    (roster.epoch > present.epoch && roster.epoch === oldest);
}

/** H1: whether an owner that answers for a slot goes on at once under the next roster. */
export function carries(
  { before, after, self }: {
    readonly before: readonly NodeId[];
    readonly after: readonly NodeId[];
    readonly self: NodeId;
  },
  carryThreeToOne = false,
): boolean {
  return after.includes(self) && (after.length >= before.length || carryThreeToOne);
}

/** Takes `roster` as the lane's present one; `follows` held. Writes history, px and slots. */
export function adopt(core: Core, lane: Lane, roster: Roster): void {
  const { placement, mutants } = core;
  const present = rosterOf(lane);
  const next = present !== undefined && roster.epoch === present.epoch + 1;
  const changed: Slot[] = [];
  for (const slot of everySlot(placement)) {
    const before = present === undefined ? [] : placement.decidersOf(present, slot);
    const after = placement.decidersOf(roster, slot);
    if (!next || !sameDeciders(before, after)) lane.slots.config[slot] = roster.epoch;
    const answered = (lane.slots.since[slot] ?? 0) > 0;
    const carried = next &&
      carries({ before, after, self: core.self }, mutants.has("carry-three-to-one"));
    const begins = after.includes(core.self) && lane.slots.owed[slot] === 0;
    if (answered && !carried) {
      lane.slots.since[slot] = 0;
      lane.slots.through[slot] = present?.epoch ?? 0;
    }
    if (begins) lane.slots.owed[slot] = 1;
    if (begins || (answered && !carried)) changed.push(slot);
  }
  if (!next) {
    lane.history.length = 0;
    core.write({ kind: "trim", lane: lane.lane, before: roster.epoch });
  }
  lane.history.push(roster);
  if (!mutants.has("forget-adopted-roster")) {
    core.write({ kind: "roster", lane: lane.lane, roster });
  }
  core.write({ kind: "council", state: null });
  core.saveSlots(lane, changed);
}

/** F1: roster 1, and every slot answering, in one transaction. */
export function found(core: Core, roster: Roster): void {
  const { live } = core;
  live.history.push(roster);
  const slots = [...everySlot(core.placement)];
  for (const slot of slots) {
    live.slots.since[slot] = roster.epoch;
    live.slots.config[slot] = roster.epoch;
    live.slots.owed[slot] = 1;
  }
  core.write({ kind: "node", lane: live.lane, leaving: false });
  core.write({ kind: "roster", lane: live.lane, roster });
  core.saveSlots(live, slots);
}

/** Slots that this node decides now and does not answer for yet. */
export function arrivingSlots(core: Core, lane: Lane): Slot[] {
  const roster = rosterOf(lane);
  if (roster === undefined) return [];
  return [...everySlot(core.placement)].filter((slot) =>
    lane.slots.since[slot] === 0 && core.placement.decidersOf(roster, slot).includes(core.self)
  );
}

/** Sends the rosters after an epoch, as many as fit a message; nothing when there are none. */
export function sendRosters(
  core: Core,
  lane: Lane,
  { to, after }: { readonly to: NodeId; readonly after: number },
): void {
  const oldest = lane.history[0]?.epoch ?? 0;
  let members = 0;
  const rosters: Roster[] = [];
  for (const roster of lane.history) {
    if (roster.epoch <= after) continue;
    members += roster.members.length;
    if (rosters.length > 0 && members > rostersPerMessageMax) break;
    rosters.push(roster);
  }
  if (rosters.length > 0) core.send(to, { kind: "rosters", rosters, oldest }, { lane });
}

/** Lane that a message of this lineage and epoch belongs to, also from before a force. */
export function laneOf(
  core: Core,
  at: { readonly lineage: string; readonly epoch: number },
): Lane | undefined {
  const lanes = [core.live, ...core.aside];
  const present = lanes.find((lane) => rosterOf(lane)?.lineage === at.lineage);
  if (present !== undefined) return present;
  return lanes.find((lane) => {
    const parent = rosterOf(lane)?.parent;
    return parent?.lineage === at.lineage && at.epoch <= parent.epoch;
  });
}

/**
 * Drops history behind the present roster once every member reported that all its slots answer
 * at it (section 9), but for some that spare a laggard the jump.
 */
export function trim(
  core: Core,
  reports: readonly { readonly id: NodeId; readonly epoch: number; readonly arriving: number }[],
): void {
  const roster = rosterOf(core.live);
  if (roster === undefined || roster.members.length === 0) return;
  const settled = roster.members.every(({ id }) =>
    reports.some((report) =>
      report.id === id && report.epoch === roster.epoch && report.arriving === 0
    )
  );
  const before = roster.epoch - core.settings.historyKeep;
  const { history, lane } = core.live;
  if (!settled || (history[0]?.epoch ?? before) >= before) return;
  while ((history[0]?.epoch ?? before) < before) history.shift();
  core.write({ kind: "trim", lane, before });
}
