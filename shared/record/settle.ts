// When a former owner may forget (ARCHITECTURE.md H4, R8): a slot is settled at an epoch when all
// of its deciders answer at it. Who does not decide a slot any more, but decided it once, asks
// them, and deletes its rows only when all said so under one epoch. A majority is not enough: its
// disk may be one of the needed majority of an older configuration. A leaver waits for the same.

import type { NodeId, Slot } from "../base/ids.ts";
import { majority } from "../ring/roster_change.ts";
import { type Core, type Lane, rosterOf } from "./agreement_core.ts";
import type { RecordBody } from "./register_message.ts";
import { everySlot } from "./slot_table.ts";

/** Slots asked about in one message: a bitmap's worth, far below the message limit. */
const slotsPerQuestion = 4_096;

export interface Settling {
  /** The roster changed: answers count under one epoch only. */
  adopted(): void;
  reply(from: NodeId, body: Extract<RecordBody, { kind: "settled" }>): void;
  tick(): void;
  /** Slots that this node no longer decides and has not seen settled. */
  unsettled(): number;
}

export interface SettlingOptions {
  readonly lane: () => Lane;
  /** Those whose word counts for a slot. */
  readonly judges: (slot: Slot) => readonly NodeId[];
  /** Slots that are this node's own business still. */
  readonly keeps: (slot: Slot) => boolean;
  /** How many of `judges` judges must say so. */
  readonly needed: (judges: number) => number;
}

/** Settles the live lane's slots: all present deciders must answer (H4). @throws never */
export function createLiveSettling(core: Core): Settling {
  const deciders = (slot: Slot) => {
    const roster = rosterOf(core.live);
    return roster === undefined ? [] : core.placement.decidersOf(roster, slot);
  };
  return createSettling(core, {
    lane: () => core.live,
    judges: deciders,
    keeps: (slot) => deciders(slot).includes(core.self),
    needed: (judges) => judges,
  });
}

/** Settles the slots of `lane()` that this node does not keep. @throws never */
export function createSettling(
  core: Core,
  options: SettlingOptions,
): Settling {
  let open: Set<Slot> | undefined;
  const said = new Map<Slot, Set<NodeId>>();
  const asks = new Set<number>();
  let askAt = 0;

  function former(): Set<Slot> {
    const lane = options.lane();
    open ??= new Set([...everySlot(core.placement)].filter((slot) => {
      const held = lane.slots.owed[slot] === 1 || (lane.slots.through[slot] ?? 0) > 0 ||
        (lane.slots.since[slot] ?? 0) > 0;
      return held && !options.keeps(slot);
    }));
    return open;
  }

  function forget(slots: readonly Slot[]): void {
    const lane = options.lane();
    for (const slot of slots) {
      former().delete(slot);
      said.delete(slot);
      lane.slots.owed[slot] = 0;
      lane.slots.through[slot] = 0;
      lane.slots.since[slot] = 0;
      core.write({ kind: "drop slot", lane: lane.lane, slot });
    }
    core.saveSlots(lane, slots);
  }

  function enough(slot: Slot): boolean {
    const judges = options.judges(slot);
    const yes = judges.filter((id) => said.get(slot)?.has(id)).length;
    if (judges.length === 0) return false;
    const broken = core.mutants.has("former-drops-on-majority");
    return yes >= (broken ? majority(judges.length) : options.needed(judges.length));
  }

  function ask(): void {
    const questions = new Map<NodeId, Slot[]>();
    for (const slot of former()) {
      for (const id of options.judges(slot)) {
        if (said.get(slot)?.has(id)) continue;
        const list = questions.get(id) ?? [];
        if (list.length < slotsPerQuestion) list.push(slot);
        questions.set(id, list);
      }
    }
    for (const [to, slots] of questions) {
      const number = core.ask();
      asks.add(number);
      core.send(to, { kind: "settled?", ask: number, slots }, { lane: options.lane() });
    }
  }

  return {
    adopted() {
      open = undefined;
      said.clear();
      asks.clear();
      askAt = core.now + core.prng.between(0, core.settings.settleMs);
      if (core.mutants.has("former-drops-at-once")) forget([...former()]);
    },
    reply(from, body) {
      if (!asks.has(body.ask)) return;
      const done: Slot[] = [];
      for (const slot of body.slots) {
        if (!former().has(slot)) continue;
        const yes = said.get(slot) ?? new Set();
        said.set(slot, yes.add(from));
        if (enough(slot)) done.push(slot);
      }
      forget(done);
    },
    tick() {
      if (core.now < askAt || rosterOf(options.lane()) === undefined) return;
      askAt = core.now + core.settings.settleMs;
      // Answers to older questions still count under this epoch, but not without end.
      if (asks.size > 256) asks.clear();
      if (former().size > 0) ask();
    },
    unsettled: () => rosterOf(options.lane()) === undefined ? 0 : former().size,
  };
}
