// How an arriving owner gets its slot (ARCHITECTURE.md H2, H3, H5): it reads the earlier
// configurations of the slot, newest first, until one of them answered yes by majority. Each is
// sealed, because its members answer only at the reader's own epoch, and so have persisted it.
// Rows go to the disk's stage page by page, never into memory; arrival installs them at once.
//
// Slots are read a bounded number at a time, all questions to one peer in one message. A slot
// whose answers do not come starts again from its newest configuration, after the others.

import type { NodeId, Slot } from "../base/ids.ts";
import { majority } from "../ring/roster_change.ts";
import { type Core, type Lane, rosterOf } from "./agreement_core.ts";
import { type Configuration, configurationAt, olderThan } from "./configuration.ts";
import type { RecordBody, SlotQuestion } from "./register_message.ts";

/** What one configuration said so far. */
interface Level {
  readonly configuration: Configuration;
  readonly since: number;
  /** Complete answers: all pages of a yes, or a no. */
  readonly answers: Map<NodeId, boolean>;
  /** Where the next page of a yes begins. */
  readonly cursors: Map<NodeId, string>;
}

interface Walk {
  readonly slot: Slot;
  levels: Level[];
  retryAt: number;
  restarted: number;
}

export interface Handover {
  /** Slots to read, from the configuration that ended with `last`; replaces all before. */
  begin(slots: readonly Slot[], lastOf: (slot: Slot) => number): void;
  rows(from: NodeId, body: Extract<RecordBody, { kind: "slot-rows" }>): void;
  tick(): void;
  /** Slots not read yet, with those whose answers are awaited, the first `limit`. */
  waiting(limit: number): { readonly slot: Slot; readonly for: readonly NodeId[] }[];
  remaining(): number;
}

/** Patience and retries are counted in hundreds of milliseconds; looking at all costs some. */
const lookEveryMs = 100;

/** Waits of a handover grow to four times their first length. */
const doublingsMax = 2;

/** A reader of `lane()`; `arrived` gets each slot whose staged rows are complete, once. */
export function createHandover(
  core: Core,
  options: { readonly lane: () => Lane; readonly arrived: (slots: readonly Slot[]) => void },
): Handover {
  const walks = new Map<Slot, Walk>();
  const outstanding = new Map<NodeId, { readonly ask: number; readonly until: number }>();
  let queue: Slot[] = [];
  let lookedAt = 0;
  let lastOf: (slot: Slot) => number = () => 0;
  const lost = () => rosterOf(core.live)?.lost ?? [];
  /** Questions to a peer in a row that it did not answer in time. */
  const unanswered = new Map<NodeId, number>();
  /** Later with each failure: on a busy machine every walk would start anew before its answers. */
  const retryIn = (failures: number) =>
    core.now +
    core.prng.between(...core.settings.handoverRetryMs) * 2 ** Math.min(failures, doublingsMax);

  function open(slot: Slot): void {
    const walk: Walk = { slot, levels: [], retryAt: retryIn(0), restarted: 0 };
    walks.set(slot, walk);
    core.write({ kind: "unstage", lane: options.lane().lane, slot });
    addLevel(walk, lastOf(slot));
  }

  function addLevel(walk: Walk, last: number): void {
    const { history } = options.lane();
    const at = { slot: walk.slot, last, placement: core.placement };
    const configuration = configurationAt(history, at);
    if (configuration === undefined) return;
    walk.levels.push({
      configuration: readOne(configuration),
      since: core.now,
      answers: new Map(),
      cursors: new Map(),
    });
  }

  function readOne(configuration: Configuration): Configuration {
    if (!core.mutants.has("one-owner-read")) return configuration;
    return { ...configuration, deciders: configuration.deciders.slice(0, 1) };
  }

  /** Goes on as far as the answers carry. @returns whether the slot's rows are complete */
  function advance(walk: Walk): boolean {
    for (;;) {
      const level = walk.levels[walk.levels.length - 1];
      if (level === undefined) return false;
      const { deciders } = level.configuration;
      const needed = core.mutants.has("one-yes-stops") ? 1 : majority(deciders.length);
      if ([...level.answers.values()].filter((yes) => yes).length >= needed) return true;
      const rest = deciders.filter((id) => !lost().includes(id));
      const heard = rest.filter((id) => level.answers.has(id)).length;
      if (heard < Math.min(majority(deciders.length), rest.length)) return false;
      const patient = core.now - level.since < core.settings.handoverPatienceMs;
      if (heard < rest.length && patient) return false;
      if (core.mutants.has("previous-configuration-only")) return true;
      const from = level.configuration;
      const at = { slot: walk.slot, from, placement: core.placement };
      const older = olderThan(options.lane().history, at);
      if (older.kind === "founding") return true;
      // All were answering when older rosters were trimmed. The walk comes here only past disks
      // that an operator gave up (H5), or members that came back from a force and kept nothing
      // here (F3); once all have answered, nothing older is held by anyone.
      if (older.kind === "trimmed") {
        return heard === deciders.length || walk.levels.some(isGivenUp);
      }
      addLevel(walk, older.configuration.last);
    }
  }

  function isGivenUp({ configuration: { deciders } }: Level): boolean {
    return deciders.filter((id) => !lost().includes(id)).length < majority(deciders.length);
  }

  /** Starts again from the newest configuration; a yes stays true, a no may have changed. */
  function restart(walk: Walk): void {
    const [newest] = walk.levels;
    walk.restarted += 1;
    walk.retryAt = retryIn(walk.restarted);
    if (newest === undefined) return addLevel(walk, lastOf(walk.slot));
    for (const [id, yes] of newest.answers) if (!yes) newest.answers.delete(id);
    walk.levels = [{ ...newest, since: core.now }];
    if (queue.length > 0 && walk.restarted > 2) {
      walks.delete(walk.slot);
      queue.push(walk.slot);
    }
  }

  function fill(): void {
    while (walks.size < core.settings.handoverSlots) {
      const slot = queue.shift();
      if (slot === undefined) return;
      open(slot);
    }
  }

  function isBusy(id: NodeId): boolean {
    const asked = outstanding.get(id);
    return asked !== undefined && core.now < asked.until;
  }

  function ask(): void {
    const questions = new Map<NodeId, SlotQuestion[]>();
    for (const { slot, levels } of walks.values()) {
      const level = levels[levels.length - 1];
      if (level === undefined) continue;
      for (const id of level.configuration.deciders) {
        if (isBusy(id) || level.answers.has(id) || lost().includes(id)) continue;
        const list = questions.get(id) ?? [];
        if (list.length >= core.settings.slotsPerMessage) continue;
        const { last } = level.configuration;
        list.push({ slot, last, after: level.cursors.get(id) ?? "" });
        questions.set(id, list);
      }
    }
    for (const [to, slots] of questions) {
      const number = core.ask();
      const failures = outstanding.has(to) ? (unanswered.get(to) ?? 0) + 1 : 0;
      unanswered.set(to, failures);
      outstanding.set(to, { ask: number, until: retryIn(failures) });
      core.send(to, { kind: "slot-read", ask: number, slots }, { lane: options.lane() });
    }
  }

  /** Only these walks can have got further: there are thousands, and a message tells of some. */
  function settle(changed: Iterable<Walk>): void {
    const complete = [...changed].filter(advance);
    for (const walk of complete) walks.delete(walk.slot);
    if (complete.length > 0) options.arrived(complete.map((walk) => walk.slot));
    fill();
    ask();
  }

  return {
    begin(slots, last) {
      walks.clear();
      outstanding.clear();
      unanswered.clear();
      queue = [...slots];
      lastOf = last;
      settle(walks.values());
    },
    rows(from, body) {
      if (outstanding.get(from)?.ask === body.ask) outstanding.delete(from);
      const changed = new Set<Walk>();
      for (const { slot, last, after, yes, rows, next } of body.slots) {
        const walk = walks.get(slot);
        const level = walk?.levels.find((one) => one.configuration.last === last);
        if (walk === undefined || level === undefined || level.answers.has(from)) continue;
        if (!level.configuration.deciders.includes(from)) continue;
        // A doubled or late page: its successor was asked for already.
        if ((level.cursors.get(from) ?? "") !== after) continue;
        if (rows.length > 0) core.write({ kind: "stage", lane: options.lane().lane, slot, rows });
        if (yes && next !== null) level.cursors.set(from, next);
        else level.answers.set(from, yes);
        changed.add(walk);
      }
      settle(changed);
    },
    tick() {
      const looked = core.now >= lookedAt && core.now - lookedAt < lookEveryMs;
      if (walks.size === 0 || looked) return;
      lookedAt = core.now;
      for (const walk of [...walks.values()]) if (core.now >= walk.retryAt) restart(walk);
      settle(walks.values());
    },
    waiting(limit) {
      return [...walks.values()].slice(0, limit).map(({ slot, levels }) => {
        const level = levels[levels.length - 1];
        const deciders = level?.configuration.deciders ?? [];
        return { slot, for: deciders.filter((id) => !level?.answers.has(id)) };
      });
    },
    remaining: () => walks.size + queue.length,
  };
}
