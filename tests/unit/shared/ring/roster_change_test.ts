// The next roster: conditional changes (R4), standing and council (R3), deciders (section 1).

import assert from "node:assert/strict";
import { asLineage, asNodeId, asSlot, type NodeId } from "../../../../shared/base/ids.ts";
import { decidersOf } from "../../../../shared/ring/placement.ts";
import {
  councilOf,
  foundingRoster,
  isVoid,
  majority,
  nextRoster,
} from "../../../../shared/ring/roster_change.ts";
import type { Member, Roster } from "../../../../shared/ring/roster.ts";
import type { RosterChange } from "../../../../shared/ring/roster_message.ts";

const id = (name: string) => asNodeId(name);
const everyone = new Set("ABCDEFGHI".split("").map(id));

function member(name: string, since: number): Member {
  return { id: id(name), since, capacity: 10 * 2 ** 30, zone: name };
}

const join = (name: string, at: number): RosterChange => ({
  ...{ kind: "join", id: id(name), at, capacity: 10 * 2 ** 30, zone: name },
});

/** The chain after each of the changes, one roster a change. */
function chain(...changes: readonly RosterChange[]): Roster[] {
  const founding = { founder: id("A"), foundedAt: 1, salt: "0".repeat(32), capacity: 1, zone: "" };
  const history = [foundingRoster(founding)];
  for (const change of changes) {
    const next = nextRoster([change], { history, alive: everyone });
    if (next !== undefined) history.push(next);
  }
  return history;
}

Deno.test("majority() is more than half", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 7].map(majority), [1, 2, 2, 3, 3, 4]);
});

Deno.test("councilOf() takes the longest-standing live members, always an odd number", () => {
  const members = ["A", "B", "C", "D", "E", "F", "G", "H"].map((name, n) => member(name, n + 1));
  const sizes = members.map((_, n) => councilOf(members.slice(0, n + 1), everyone).length);
  assert.deepEqual(sizes, [1, 1, 3, 3, 5, 5, 7, 7]);
  const alive = new Set(["B", "D", "E"].map(id));
  assert.deepEqual(councilOf(members.slice(0, 5), alive), ["B", "D", "E", "A", "C"]);
  assert.deepEqual(councilOf(members.slice(0, 4), alive), ["B", "D", "A"]);
});

Deno.test("decidersOf() is the eldest alone in a roster of one or two, else three owners", () => {
  const members = ["A", "B", "C", "D"].map((name, n) => member(name, 4 - n));
  const slot = asSlot(7);
  const deciders = [1, 2, 3, 4].map((count) =>
    decidersOf({ members: members.slice(0, count) }, slot)
  );
  assert.deepEqual(deciders[0], ["A"]);
  assert.deepEqual(deciders[1], ["B"]);
  assert.deepEqual([...deciders[2] ?? []].sort(), ["A", "B", "C"]);
  assert.equal(new Set(deciders[3]).size, 3);
});

Deno.test("nextRoster() gives each joiner the epoch in which it entered", () => {
  const history = chain(join("B", 1), join("C", 2));
  const last = history[history.length - 1];
  assert.deepEqual(last?.members.map((one) => [one.id, one.since]), [["A", 1], ["B", 2], ["C", 3]]);
  assert.deepEqual(last?.council, ["A", "B", "C"]);
});

Deno.test("isVoid() voids a join when a later roster had the joiner", () => {
  const late = join("B", 1);
  const left: RosterChange = { kind: "leave", id: id("B"), since: 2 };
  const history = chain(late, left);
  assert.equal(history.length, 3);
  assert.equal(isVoid(late, history), true);
  assert.equal(isVoid(join("B", 3), history), false);
});

Deno.test("isVoid() voids a leave, expel or resize of another stay", () => {
  const left: RosterChange = { kind: "leave", id: id("B"), since: 2 };
  const history = chain(join("B", 1), left, join("B", 3));
  assert.equal(history.length, 4);
  assert.equal(isVoid(left, history), true);
  assert.equal(isVoid({ kind: "expel", id: id("B"), since: 4 }, history), false);
  const resize = { kind: "resize", id: id("B"), since: 2, capacity: 1 } as const;
  assert.equal(isVoid(resize, history), true);
});

Deno.test("isVoid() voids a join whose time is older than the kept history", () => {
  const history = chain(join("B", 1), join("C", 2), join("D", 3)).slice(2);
  assert.equal(isVoid(join("E", 1), history), true);
  assert.equal(isVoid(join("E", 2), history), false);
});

Deno.test("nextRoster() never removes the last member, nor readmits a lost one", () => {
  const alone = chain();
  const leave: RosterChange = { kind: "leave", id: id("A"), since: 1 };
  assert.equal(nextRoster([leave], { history: alone, alive: everyone }), undefined);
  const history = chain(join("B", 1), { kind: "lost", id: id("B") });
  assert.deepEqual(history[history.length - 1]?.lost, ["B"]);
  assert.equal(isVoid(join("B", 3), history), true);
});

Deno.test("nextRoster() ends the chain when it dissolves", () => {
  const into = asLineage("f".repeat(64));
  const history = chain(join("B", 1), { kind: "dissolve", into });
  const last = history[history.length - 1];
  assert.equal(last?.into, into);
  assert.equal(nextRoster([join("C", 3)], { history, alive: new Set<NodeId>() }), undefined);
});
