// The budget of repair: over any time no more passes than the rate allows, and it is used up.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Budget } from "../../../../shared/repair/budget.ts";

/** Passes blocks as fast as the budget lets, for `ms`. @returns bytes passed */
function run(
  budget: Budget,
  { block, ms, busy, from = 0 }: {
    readonly block: number;
    readonly ms: number;
    readonly busy: boolean;
    readonly from?: number;
  },
): number {
  let passed = 0;
  for (let now = from; now < from + ms;) {
    const wait = budget.waitMs(now, busy);
    if (wait > 0) now += wait;
    else {
      budget.take(block);
      passed += block;
    }
  }
  return passed;
}

Deno.test("Budget passes its rate, however large the blocks are", () => {
  const cases = fc.record({
    rate: fc.integer({ min: 65_536, max: 50_000_000 }),
    block: fc.integer({ min: 1_000, max: 1_048_576 }),
  });
  fc.assert(
    fc.property(cases, ({ rate, block }) => {
      const budget = new Budget({ bytesPerSecond: rate, busyBytesPerSecond: Infinity });
      const ms = 60_000;
      const passed = run(budget, { block, ms, busy: false });
      const allowed = rate * ms / 1_000;
      assert.ok(passed <= allowed + rate * 0.1 + block, `${passed} of ${allowed}`);
      assert.ok(passed >= allowed * 0.9 - block, `${passed} of ${allowed}`);
    }),
    { numRuns: 60 },
  );
});

Deno.test("Budget slows down for the foreground, and goes on at full speed without old debt", () => {
  const budget = new Budget({ bytesPerSecond: Infinity, busyBytesPerSecond: 1_000_000 });
  budget.take(1e12);
  assert.equal(budget.waitMs(0, false), 0);
  const passed = run(budget, { block: 100_000, ms: 10_000, busy: true, from: 1 });
  assert.ok(passed >= 9_000_000 && passed <= 10_300_000, String(passed));
  assert.equal(budget.waitMs(20_000, false), 0);
});

Deno.test("Budget gives nothing for a clock that jumps back", () => {
  const budget = new Budget({ bytesPerSecond: 1_000, busyBytesPerSecond: 1_000 });
  assert.equal(budget.waitMs(10_000, false), 0);
  budget.take(1_100);
  assert.ok(budget.waitMs(5_000, false) >= 1_000);
});
