// What becomes of the records of a lineage that dissolved into another (ARCHITECTURE.md F2). Its
// rows stay in their own lane. For each slot the lowest living decider of its last roster reads
// the slot as an arriving owner would, and offers each record to the new lineage as "absent, or
// older stamp". Who offered all says so; the others then drop what they set aside.

import type { NodeId, Slot } from "../base/ids.ts";
import { operationDeadlineMs } from "../base/limits.ts";
import { type Core, isMember, type Lane, rosterOf } from "./agreement_core.ts";
import type { Change, Outcome } from "./agreement_port.ts";
import { createHandover } from "./handover.ts";
import { holds } from "./operation.ts";
import type { AcceptedRow, RecordBody } from "./register_message.ts";
import { createSettling } from "./settle.ts";
import { everySlot } from "./slot_table.ts";
import type { Value } from "./value.ts";

/** Records offered at once: a background job beside the node's own operations. */
const offersAtOnce = 32;

/** Slots begun in one step: most slots of a small pool hold nothing. */
const slotsAtOnce = 256;

interface Job {
  readonly slot: Slot;
  after: string;
  failed: boolean;
  ended: boolean;
  inFlight: number;
}

export type Submit = (
  request: { readonly key: string; readonly change: Change; readonly deadlineAt: number },
  done: (outcome: Outcome) => void,
) => void;

export interface Dissolved {
  readonly lane: Lane;
  message(from: NodeId, body: RecordBody): void;
  installed(body: { readonly ask: number; readonly slots: readonly Slot[] }): void;
  tick(): void;
  unsettled(): number;
}

/** Offers one dissolved lane's records through `submit`. @throws never */
export function createDissolved(core: Core, lane: Lane, submit: Submit): Dissolved {
  const roster = rosterOf(lane);
  const last = roster?.epoch ?? 0;
  const decidersOf = (slot: Slot) =>
    roster === undefined ? [] : core.placement.decidersOf(roster, slot);
  const offering: Slot[] = [];
  const reading = new Set<Slot>();
  const jobs = new Map<Slot, Job>();
  let inFlight = 0;
  let checkAt = 0;

  const held = (slot: Slot) =>
    lane.slots.owed[slot] === 1 || (lane.slots.through[slot] ?? 0) > 0 ||
    (lane.slots.since[slot] ?? 0) > 0;
  const offerer = (slot: Slot) =>
    [...decidersOf(slot)].sort().find((id) => id === core.self || core.alive.has(id));

  const handover = createHandover(core, {
    lane: () => lane,
    arrived(slots) {
      for (const slot of slots) lane.slots.since[slot] = last;
      core.install(lane, slots);
    },
  });
  const settling = createSettling(core, {
    lane: () => lane,
    judges: (slot) => decidersOf(slot).filter((id) => id !== core.self),
    keeps: (slot) => reading.has(slot),
    needed: () => 1,
  });

  function assign(): void {
    const mine = [...everySlot(core.placement)].filter((slot) =>
      held(slot) && offerer(slot) === core.self
    );
    if (mine.every((slot) => reading.has(slot))) return;
    const fresh = mine.filter((slot) => !reading.has(slot));
    for (const slot of mine) reading.add(slot);
    // Slots read already wait in `offering`; those under way start again with the new ones.
    const open = new Set([
      ...offering,
      ...lane.slots.unready.keys(),
      ...jobs.keys(),
    ]);
    const again = mine.filter((slot) => fresh.includes(slot) || !open.has(slot));
    handover.begin(again, () => last);
    settling.adopted();
  }

  function finish(slots: readonly Slot[]): void {
    for (const slot of slots) {
      lane.slots.since[slot] = 0;
      lane.slots.through[slot] = 0;
      lane.slots.owed[slot] = 0;
      core.write({ kind: "drop slot", lane: lane.lane, slot });
      reading.delete(slot);
    }
    core.saveSlots(lane, slots);
  }

  function offer(job: Job, row: AcceptedRow & { readonly value: Value }): void {
    const { stamp, deleted, body } = row.value;
    const condition = { kind: "older", stamp } as const;
    const change: Change = {
      kind: "edit",
      edit: (present) => holds(condition, present) ? { stamp, deleted, body } : undefined,
    };
    inFlight += 1;
    job.inFlight += 1;
    submit({ key: row.key, change, deadlineAt: core.now + operationDeadlineMs }, (outcome) => {
      inFlight -= 1;
      job.inFlight -= 1;
      if (outcome.kind !== "ok" && outcome.kind !== "failed") job.failed = true;
    });
  }

  /** Offers the next rows of a slot, as many as may be in flight. */
  function advance(job: Job): void {
    const limit = offersAtOnce - inFlight;
    if (job.ended || limit <= 0) return;
    const rows = lane.rows.scan(job.slot, { after: job.after, limit });
    job.after = rows[rows.length - 1]?.key ?? job.after;
    job.ended = rows.length < limit;
    for (const { key, accepted, value } of rows) {
      if (accepted !== null && value !== null) offer(job, { key, accepted, value });
    }
  }

  function pump(): void {
    for (let begun = 0; begun < slotsAtOnce && inFlight < offersAtOnce; begun++) {
      const slot = offering.shift();
      if (slot === undefined) break;
      const job = { slot, after: "", failed: false, ended: false, inFlight: 0 };
      jobs.set(slot, job);
      advance(job);
    }
    for (const job of jobs.values()) advance(job);
    const done = [...jobs.values()].filter((job) => job.ended && job.inFlight === 0);
    for (const { slot } of done) jobs.delete(slot);
    // What could not be offered is offered again: the condition makes that harmless.
    offering.push(...done.filter((job) => job.failed).map((job) => job.slot));
    const offered = done.filter((job) => !job.failed).map((job) => job.slot);
    if (offered.length > 0) finish(offered);
  }

  return {
    lane,
    message(from, body) {
      if (body.kind === "slot-rows") handover.rows(from, body);
      else if (body.kind === "settled") settling.reply(from, body);
      else if (body.kind === "settled?") {
        const slots = body.slots.filter((slot) =>
          !held(slot) && decidersOf(slot).includes(core.self)
        );
        if (slots.length > 0) {
          core.send(from, { kind: "settled", ask: body.ask, slots }, { lane });
        }
      }
    },
    installed(body) {
      offering.push(...core.installed(lane, body));
    },
    tick() {
      if (core.now >= checkAt) {
        checkAt = core.now + core.settings.settleMs;
        assign();
      }
      handover.tick();
      settling.tick();
      if (isMember(core) && !core.stopped) pump();
    },
    unsettled: () => [...everySlot(core.placement)].filter(held).length,
  };
}
