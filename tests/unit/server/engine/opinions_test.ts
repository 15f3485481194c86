import assert from "node:assert/strict";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";
import { type OpinionPorts, opinionsOf } from "../../../../server/engine/opinions.ts";

const ids = ["a", "b", "c", "d", "e"].map((name) => asNodeId(name));
const self = ids[3] as NodeId;
const graceMs = 15_000;

/** The node `d` of five, at a time, with what it believes of the others. */
function judge() {
  const deadSince = new Map<NodeId, number>();
  const clock = { now: 0 };
  const netmap: OpinionPorts["netmap"] = {
    roster: () => ({ council: ids, members: ids.map((id) => ({ id })) }) as unknown as Roster,
    alive: () => ids.filter((id) => !deadSince.has(id)),
    stateOf: (id) => deadSince.has(id) ? "dead" : "alive",
    deadFor: (id) => {
      const since = deadSince.get(id);
      return since === undefined ? undefined : clock.now - since;
    },
    profileOf: () => undefined,
  };
  const opinions = opinionsOf({
    netmap,
    self,
    connected: () => ids,
    graceMs,
    now: () => clock.now,
  });
  /** Asks every half second, as the agreement does. @returns who is overdue at the end */
  const pass = (ms: number) => {
    let overdue: readonly NodeId[] = [];
    for (const end = clock.now + ms; clock.now < end;) {
      clock.now += 500;
      overdue = opinions.overdue(clock.now);
    }
    return overdue;
  };
  return { clock, deadSince, pass };
}

Deno.test("overdue() names who is dead past its grace", () => {
  const { clock, deadSince, pass } = judge();
  pass(20_000);
  deadSince.set(ids[0] as NodeId, clock.now);
  assert.deepEqual(pass(graceMs - 500), []);
  assert.deepEqual(pass(1_000), [ids[0]]);
});

Deno.test("overdue() names nobody on the small side of a cut, nor when it has just healed", () => {
  const { clock, deadSince, pass } = judge();
  pass(20_000);
  // Connections to the other side look open all the while: `connected` names everybody.
  for (const id of ids.slice(0, 3)) deadSince.set(id, clock.now);
  assert.deepEqual(pass(60_000), []);
  deadSince.delete(ids[0] as NodeId);
  deadSince.delete(ids[2] as NodeId);
  assert.deepEqual(pass(graceMs - 1_000), [], "b may answer in a moment, too");
  assert.deepEqual(pass(2_000), [ids[1]], "heard by nobody for the whole grace");
});
