// Order of register ballots.

import assert from "node:assert/strict";
import fc from "fast-check";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { compareBallots, sameBallot } from "../../../../shared/record/ballot.ts";
import type { Ballot } from "../../../../shared/record/value.ts";
import { ballotBytes, ballotOf } from "../../../../server/disk/register_rows.ts";

const ballot = (
  epoch: number,
  round: number,
  node: string,
  boot: number,
): Ballot => [epoch, round, asNodeId(node), boot];

const ascending: readonly (Ballot | null)[] = [
  null,
  ballot(1, 1, "A", 1),
  ballot(1, 1, "A", 2),
  ballot(1, 1, "AB", 1),
  ballot(1, 1, "B", 1),
  ballot(1, 2, "A", 1),
  ballot(1, 300, "A", 1),
  ballot(2, 1, "A", 1),
  ballot(256, 1, "A", 1),
];

const anyBallot = fc.tuple(
  fc.nat(300),
  fc.nat(300),
  fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom("A", "B", "a", "1") }),
  fc.nat(300),
).map(([epoch, round, node, boot]) => ballot(epoch, round, node, boot));

Deno.test("compareBallots() orders by epoch, round, node, boot when they are compared", () => {
  for (const [left, one] of ascending.entries()) {
    for (const [right, other] of ascending.entries()) {
      assert.equal(Math.sign(compareBallots(one, other)), Math.sign(left - right));
    }
  }
});

Deno.test("ballotBytes() orders as compareBallots() does, and reads back", () => {
  fc.assert(fc.property(anyBallot, anyBallot, (left, right) => {
    const [one, other] = [ballotBytes(left), ballotBytes(right)];
    assert.deepEqual(ballotOf(one), left);
    const order = Math.sign(compareBallots(left, right));
    assert.equal(compareBytes(one, other), order);
    assert.equal(sameBallot(left, right), order === 0);
  }));
});

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? -1) - (right[at] ?? -1);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}
