// The decider's half of a register (ARCHITECTURE.md A1): promises, accepts, answers reads. Only a
// decider that is *answering* for the key's slot takes part; the state goes to disk with the
// step, before its reply. A missing row promised the slot's floor, which a dropped tombstone left.
// Source: Rystsov, CASPaxos: Replicated State Machines without Logs (2018).

import { asSlot, type NodeId, type Slot } from "../base/ids.ts";
import type { RegisterRow } from "./agreement_port.ts";
import { type Core, rosterOf } from "./agreement_core.ts";
import { compareBallots, compareWithoutEpoch } from "./ballot.ts";
import type { RecordBody } from "./register_message.ts";
import type { Ballot } from "./value.ts";

/** Order of ballots in this build. */
export function ballotOrder(core: Core): (left: Ballot | null, right: Ballot | null) => number {
  return core.mutants.has("ballot-without-epoch") ? compareWithoutEpoch : compareBallots;
}

/** Whether this node answers for a slot at its present epoch, from durable rows. @throws never */
export function answers(core: Core, slot: Slot): boolean {
  const { slots } = core.live;
  const roster = rosterOf(core.live);
  if (roster === undefined) return false;
  if (core.mutants.has("stand-ins-counted")) return true;
  if (slots.unready.has(slot)) return false;
  if (core.mutants.has("arriving-answers")) {
    return core.placement.decidersOf(roster, slot).includes(core.self);
  }
  return (slots.since[slot] ?? 0) > 0;
}

/** How many slots this node answers for: asked often, so that it must cost little. @throws never */
export function answeringCount(core: Core): number {
  const { since } = core.live.slots;
  let count = 0;
  for (let slot = 0; slot < since.length; slot++) {
    const may = core.mutants.size > 0 || (since[slot] ?? 0) > 0;
    if (may && answers(core, asSlot(slot))) count++;
  }
  return count;
}

/** The register as this decider sees it, also when no row is there. */
export function rowOf(core: Core, at: { readonly slot: Slot; readonly key: string }): RegisterRow {
  return core.live.rows.get(at.slot, at.key) ??
    { key: at.key, promised: core.live.rows.floor(at.slot), accepted: null, value: null };
}

/** Handles `get`, `prepare` and `accept`; `epoch` is the request's, echoed by the reply. */
export function decide(
  core: Core,
  body: Extract<RecordBody, { kind: "get" | "prepare" | "accept" }>,
  { from, epoch }: { readonly from: NodeId; readonly epoch: number },
): void {
  const slot = core.placement.slotOf(body.key);
  const reply = (answer: RecordBody) => core.send(from, answer, { epoch });
  if (!answers(core, slot)) return reply({ kind: "arriving", key: body.key });
  const row = rowOf(core, { slot, key: body.key });
  if (body.kind === "get") {
    const { accepted, value } = row;
    return reply({ kind: "have", ask: body.ask, key: body.key, accepted, value });
  }
  const { key, ballot } = body;
  const order = ballotOrder(core)(ballot, row.promised);
  const refused = body.kind === "prepare" ? order <= 0 : order < 0;
  if (refused && row.promised !== null) {
    return reply({ kind: "no", key, ballot, promised: row.promised });
  }
  const { lane } = core.live;
  if (body.kind === "prepare") {
    if (!core.mutants.has("register-forgets-promises")) {
      core.write({ kind: "row", lane, slot, row: { ...row, promised: ballot } });
    }
    return reply({ kind: "promise", key, ballot, accepted: row.accepted, value: row.value });
  }
  const accepted: RegisterRow = { key, promised: ballot, accepted: ballot, value: body.value };
  core.write({ kind: "row", lane, slot, row: accepted });
  reply({ kind: "accepted", key, ballot });
}
