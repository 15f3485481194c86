// When a deleted key may go for good (ARCHITECTURE.md T2): all deciders, not a majority, answer and
// show exactly this tombstone under one epoch. Its slot then keeps a floor, below which a key
// without a row promises nothing: without it a late accept would bring the old value back.

import type { NodeId, Slot } from "../base/ids.ts";
import { tombstonesAtOnceMax } from "../base/limits.ts";
import { majority } from "../ring/roster_change.ts";
import { answers, ballotOrder } from "./acceptor.ts";
import { type Core, rosterOf } from "./agreement_core.ts";
import { sameBallot } from "./ballot.ts";
import type { RecordBody } from "./register_message.ts";
import type { Ballot } from "./value.ts";

interface Asked {
  readonly slot: Slot;
  readonly ballot: Ballot;
  readonly deciders: readonly NodeId[];
  readonly yes: Set<NodeId>;
}

export interface Tombstones {
  adopted(): void;
  message(
    from: NodeId,
    body: Extract<RecordBody, { kind: "tomb?" | "tomb" | "drop" }>,
  ): void;
  tick(): void;
}

/** Drops old tombstones of the live lane. @throws never */
export function createTombstones(core: Core): Tombstones {
  const asked = new Map<string, Asked>();
  let scanAt = 0;

  function accepted(key: string): { slot: Slot; ballot: Ballot; promised: Ballot } | undefined {
    const slot = core.placement.slotOf(key);
    if (!answers(core, slot)) return undefined;
    const row = core.live.rows.get(slot, key);
    if (row === undefined || row.accepted === null || row.value?.deleted !== true) return undefined;
    return { slot, ballot: row.accepted, promised: row.promised ?? row.accepted };
  }

  function scan(): void {
    const roster = rosterOf(core.live);
    if (roster === undefined) return;
    asked.clear();
    const age = core.mutants.has("tombstone-too-young") ? 0 : core.settings.tombstoneAgeMs;
    const found = core.live.rows.tombstones({
      beforeMs: core.now - age,
      limit: tombstonesAtOnceMax,
    });
    for (const { slot, key } of found) {
      const row = accepted(key);
      if (row === undefined) continue;
      const deciders = core.placement.decidersOf(roster, slot);
      asked.set(key, { slot, ballot: row.ballot, deciders, yes: new Set() });
      for (const to of deciders) core.send(to, { kind: "tomb?", key, ballot: row.ballot });
    }
  }

  function drop(key: string, ballot: Ballot): void {
    const row = accepted(key);
    if (row === undefined || !sameBallot(row.ballot, ballot)) return;
    const { slot, promised } = row;
    const { lane, rows } = core.live;
    const floor = rows.floor(slot);
    if (ballotOrder(core)(promised, floor) > 0 && !core.mutants.has("tombstone-without-floor")) {
      core.write({ kind: "floor", lane, slot, floor: promised });
    }
    core.write({ kind: "drop row", lane, slot, key });
  }

  return {
    adopted: () => asked.clear(),
    message(from, body) {
      const { key, ballot } = body;
      if (body.kind === "drop") return drop(key, ballot);
      if (body.kind === "tomb?") {
        const row = accepted(key);
        if (row !== undefined && sameBallot(row.ballot, ballot)) {
          core.send(from, { kind: "tomb", key, ballot });
        }
        return;
      }
      const question = asked.get(key);
      if (question === undefined || !sameBallot(question.ballot, ballot)) return;
      if (!question.deciders.includes(from)) return;
      question.yes.add(from);
      const all = question.deciders.length;
      if (question.yes.size < (core.mutants.has("tombstone-on-majority") ? majority(all) : all)) {
        return;
      }
      asked.delete(key);
      for (const to of question.deciders) core.send(to, { kind: "drop", key, ballot });
    },
    tick() {
      if (core.now < scanAt) return;
      scanAt = core.now + core.settings.tombstoneScanMs;
      scan();
    },
  };
}
