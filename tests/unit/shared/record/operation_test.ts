// P3, steps 1 to 5: what an attempt makes of the value it found.

import assert from "node:assert/strict";
import { asNodeId } from "../../../../shared/base/ids.ts";
import type { Change, Condition } from "../../../../shared/record/agreement_port.ts";
import { judge } from "../../../../shared/record/operation.ts";
import type { Ballot, Value } from "../../../../shared/record/value.ts";

const ballot = (round: number): Ballot => [1, round, asNodeId("A"), 1];
const body = new Uint8Array([1]);
const fresh = { mine: [], least: undefined, ballot: ballot(50) };

function value(n: number, deleted = false): Value {
  const versions = Array.from({ length: n }, (_, at) => ballot(at + 1));
  const recent = versions.slice(-8);
  return { version: ballot(n), n, stamp: [n, 0], deleted, recent, body };
}

function put(condition: Condition = { kind: "any" }): Change {
  return { kind: "put", body, stamp: [99, 0], condition };
}

Deno.test("judge() makes a new value with its own ballot as version when a put holds", () => {
  const verdict = judge(put(), value(9), fresh);
  assert(verdict.kind === "accept" && verdict.made && verdict.next !== null);
  assert.deepEqual(verdict.next.version, ballot(50));
  assert.equal(verdict.next.n, 10);
  assert.equal(verdict.next.recent.length, 8);
  assert.deepEqual(verdict.next.recent[7], ballot(50));
});

Deno.test("judge() recognises its own earlier attempt and applies it only once", () => {
  const verdict = judge(put(), value(9), { mine: [ballot(5)], least: 4, ballot: ballot(50) });
  assert(verdict.kind === "accept" && verdict.outcome.kind === "ok");
  assert.equal(verdict.made, false);
  assert.deepEqual(verdict.outcome.version, ballot(5));
});

Deno.test("judge() is unknown when it cannot be told whether an attempt was applied", () => {
  const tried = { mine: [ballot(40)], ballot: ballot(50) };
  assert.equal(judge(put(), value(9), { ...tried, least: 0 }).kind, "unknown");
  assert.equal(judge(put(), value(8), { ...tried, least: 0 }).kind, "accept");
  assert.equal(judge(put(), null, { ...tried, least: 1 }).kind, "unknown");
  assert.equal(judge(put(), null, { ...tried, least: 0 }).kind, "accept");
});

Deno.test("judge() treats absent and tombstone alike, and compares versions", () => {
  const outcome = (condition: Condition, found: Value | null) => {
    const verdict = judge(put(condition), found, fresh);
    return verdict.kind === "accept" ? verdict.outcome.kind : verdict.kind;
  };
  for (const gone of [null, value(3, true)]) {
    assert.equal(outcome({ kind: "absent" }, gone), "ok");
    assert.equal(outcome({ kind: "present" }, gone), "failed");
    assert.equal(outcome({ kind: "version", version: ballot(3) }, gone), "failed");
  }
  assert.equal(outcome({ kind: "absent" }, value(3)), "failed");
  assert.equal(outcome({ kind: "version", version: ballot(3) }, value(3)), "ok");
  assert.equal(outcome({ kind: "version", version: ballot(2) }, value(3)), "failed");
  assert.equal(outcome({ kind: "older", stamp: [3, 1] }, value(3)), "ok");
  assert.equal(outcome({ kind: "older", stamp: [3, 0] }, value(3, true)), "failed");
});

Deno.test("judge() keeps the value that it read when the operation is a get", () => {
  const found = value(2);
  const verdict = judge({ kind: "get" }, found, fresh);
  assert(verdict.kind === "accept");
  assert.equal(verdict.next, found);
  assert.equal(verdict.made, false);
});
