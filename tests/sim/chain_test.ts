// The checker against histories with one planted fault each: a checker that finds nothing in
// them would make every run of the simulator worthless.

import assert from "node:assert/strict";
import { asNodeId } from "../../shared/base/ids.ts";
import type { Ballot } from "../../shared/record/value.ts";
import { checkKey } from "./chain.ts";
import { type Attempt, type KeyHistory, type Operation, versionText } from "./history.ts";

const ballot = (round: number): Ballot => [1, round, asNodeId("a"), 1];
const version = (round: number) => versionText(ballot(round));

function attempt(round: number, parent: number | null, more: Partial<Attempt> = {}): Attempt {
  return {
    version: version(round),
    ballot: ballot(round),
    parent: parent === null ? null : version(parent),
    n: round,
    deleted: false,
    body: `body-${round}`,
    operation: round,
    at: round,
    ...more,
  };
}

function operation(id: number, more: Partial<Operation> = {}): Operation {
  return {
    id,
    key: "k",
    kind: "put",
    condition: { kind: "none" },
    body: `body-${id}`,
    invoked: id * 10,
    responded: id * 10 + 5,
    outcome: "ok",
    version: version(id),
    seen: null,
    final: false,
    ...more,
  };
}

function read(id: number, seen: number | null, more: Partial<Operation> = {}): Operation {
  return operation(id, {
    kind: "get",
    version: seen === null ? null : version(seen),
    seen: seen === null ? null : `body-${seen}`,
    ...more,
  });
}

function history(operations: Operation[], attempts: Attempt[], dropped: number[] = []): KeyHistory {
  return {
    operations,
    attempts: new Map(attempts.map((one) => [one.version, one])),
    decided: new Set(),
    dropped: new Set(dropped.map(version)),
  };
}

const two = [attempt(1, null), attempt(2, 1)];

Deno.test("checkKey() accepts writes in a row and a read of the last", () => {
  assert.deepEqual(checkKey("k", history([operation(1), operation(2), read(3, 2)], two)), []);
});

Deno.test("checkKey() accepts a read of either value while a write is under way", () => {
  const slow = operation(2, { responded: 99 });
  assert.deepEqual(checkKey("k", history([operation(1), slow, read(3, 1)], two)), []);
});

Deno.test("checkKey() finds a stale read", () => {
  const found = checkKey("k", history([operation(1), operation(2), read(3, 1)], two));
  assert.match(found.join(), /stands before operation 2/);
});

Deno.test("checkKey() finds a lost acknowledged write", () => {
  const found = checkKey("k", history([operation(1), read(2, null)], [attempt(1, null)]));
  assert.match(found.join(), /stands before operation 1/);
});

Deno.test("checkKey() finds a fork of two acknowledged writes", () => {
  const fork = [attempt(1, null), attempt(2, 1), attempt(3, 1, { n: 2 })];
  const found = checkKey("k", history([operation(1), operation(2), operation(3)], fork));
  assert.match(found.join(), /fork/);
});

Deno.test("checkKey() finds an operation applied twice", () => {
  const twice = [attempt(1, null), attempt(2, 1, { operation: 1 })];
  const unknown = operation(1, { outcome: "unknown", version: null });
  assert.match(checkKey("k", history([unknown, read(3, 2)], twice)).join(), /applied twice/);
});

Deno.test("checkKey() finds a failed write that is read afterwards", () => {
  const failed = operation(2, { outcome: "unsent", version: null });
  const found = checkKey("k", history([operation(1), failed, read(3, 2)], two));
  assert.match(found.join(), /was told unsent/);
});

Deno.test("checkKey() finds a condition that did not hold where it was applied", () => {
  const wrong = operation(2, { condition: { kind: "absent" } });
  assert.match(checkKey("k", history([operation(1), wrong], two)).join(), /condition fails/);
});

Deno.test("checkKey() finds a condition refused where it holds", () => {
  const refused = operation(2, {
    condition: { kind: "version", version: version(1) },
    outcome: "failed",
    version: version(1),
  });
  const found = checkKey("k", history([operation(1), refused], [attempt(1, null)]));
  assert.match(found.join(), /where it holds/);
});

Deno.test("checkKey() accepts a new start after a dropped tombstone, and only then", () => {
  const attempts = [
    attempt(1, null),
    attempt(2, 1, { deleted: true, body: "" }),
    attempt(4, null, { n: 1 }),
  ];
  const operations = [
    operation(1),
    operation(2, { kind: "delete" }),
    read(3, null),
    operation(4),
    read(5, 4),
  ];
  assert.deepEqual(checkKey("k", history(operations, attempts, [2])), []);
  assert.match(checkKey("k", history(operations, attempts)).join(), /fork/);
});

Deno.test("checkKey() finds a value that comes back after its tombstone was dropped", () => {
  const attempts = [attempt(1, null), attempt(2, 1, { deleted: true, body: "" })];
  const operations = [operation(1), operation(2, { kind: "delete" }), read(3, 1)];
  assert.match(checkKey("k", history(operations, attempts, [2])).join(), /stands before/);
});
