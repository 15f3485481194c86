import assert from "node:assert/strict";
import fc from "fast-check";
import { AskPace } from "../../../../web/peer/ask_pace.ts";

Deno.test("take() lets a burst through, then as many as the rate", () => {
  const pace = new AskPace({ perSecond: 100, burst: 50, now: 0 });
  assert.equal(pace.take(50, 0), 0);
  assert.equal(pace.take(10, 0), 100);
  assert.equal(pace.take(0, 100), 0);
  assert.equal(pace.take(1, 100), 10);
  assert.equal(pace.take(50, 60_000), 0, "no more than the burst is saved up");
  assert.equal(pace.take(1, 60_000), 10);
});

Deno.test("take() never admits more than burst and rate, for who waits as told", () => {
  const asks = fc.array(fc.tuple(fc.integer({ min: 1, max: 1_024 }), fc.nat({ max: 2_000 })));
  fc.assert(fc.property(asks, (steps) => {
    const pace = new AskPace({ perSecond: 500, burst: 1_024, now: 0 });
    let now = 0;
    let taken = 0;
    for (const [count, idleMs] of steps) {
      now += idleMs;
      taken += count;
      now += pace.take(count, now);
      assert.ok(taken <= 1_024 + now / 2 + 1e-6, `${taken} asks after ${now} ms`);
    }
  }));
});
