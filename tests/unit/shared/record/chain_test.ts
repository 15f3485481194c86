// H1: who goes on answering when the deciders change.

import assert from "node:assert/strict";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { carries } from "../../../../shared/record/chain.ts";

const ids = (names: string) => names.split("").map(asNodeId);

function carried(before: string, after: string, self: string): boolean {
  return carries({ before: ids(before), after: ids(after), self: asNodeId(self) });
}

Deno.test("carries() goes on when one decider becomes three", () => {
  assert.equal(carried("A", "ABC", "A"), true);
});

Deno.test("carries() goes on when two of three stay", () => {
  assert.equal(carried("ABC", "ABD", "A"), true);
  assert.equal(carried("ABC", "CBA", "B"), true);
});

Deno.test("carries() makes the last one read when three become one", () => {
  assert.equal(carried("ABC", "A", "A"), false);
});

Deno.test("carries() ends for who does not decide any more", () => {
  assert.equal(carried("ABC", "BCD", "A"), false);
  assert.equal(carried("A", "B", "A"), false);
});
