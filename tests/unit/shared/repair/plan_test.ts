// What to do about a block, and from whom to fetch it, against plain oracles.

import assert from "node:assert/strict";
import fc from "fast-check";
import { fastestSource, judgeBlock, rarestFirst } from "../../../../shared/repair/plan.ts";

Deno.test("judgeBlock() agrees with the table of its header in every case", () => {
  for (const kind of ["leaf", "inner"] as const) {
    for (const held of [true, false]) {
      for (const owned of [true, false]) {
        for (const replicas of [0, 1, 3]) {
          const verdict = judgeBlock({ kind, held, owned, replicas });
          const referenced = replicas > 0;
          const should = referenced && (owned || kind === "inner");
          // It is fetched if and only if it should be here and is not; it may go if and only if
          // it is here and should not be.
          assert.equal(verdict === "fetch", should && !held);
          assert.equal(verdict === "keep", should && held);
          assert.equal(verdict === "surplus" || verdict === "unreferenced", held && !should);
          assert.equal(verdict === "surplus", held && !should && referenced);
        }
      }
    }
  }
});

Deno.test("rarestFirst() orders by copies, keeps the order of equals, leaves out what nobody has", () => {
  const jobs = fc.array(fc.array(fc.nat(9), { maxLength: 5 }), { maxLength: 60 });
  fc.assert(fc.property(jobs, (lists) => {
    const given = lists.map((holders, block) => ({ block, holders }));
    const ordered = rarestFirst(given);
    assert.equal(ordered.length, lists.filter((holders) => holders.length > 0).length);
    for (let at = 1; at < ordered.length; at++) {
      const [one, two] = [ordered[at - 1], ordered[at]];
      assert.ok(one !== undefined && two !== undefined);
      const [few, many] = [one.holders.length, two.holders.length];
      assert.ok(few < many || (few === many && one.block < two.block));
    }
  }));
});

Deno.test("fastestSource() spreads over holders by their speed, and never over a cap", () => {
  const speeds = new Map([["fast", 300], ["slow", 100], ["off", 50]]);
  const inFlight = new Map<string, number>();
  const stateOf = (peer: string) => ({
    bytesPerSecond: speeds.get(peer) ?? 0,
    inFlight: inFlight.get(peer) ?? 0,
  });
  for (let turn = 0; turn < 8; turn++) {
    const peer = fastestSource(["slow", "fast"], { stateOf, perPeerMax: 6 });
    assert.ok(peer !== undefined);
    inFlight.set(peer, (inFlight.get(peer) ?? 0) + 1);
  }
  assert.deepEqual([inFlight.get("fast"), inFlight.get("slow"), inFlight.get("off")], [
    6,
    2,
    undefined,
  ]);
  const full = { stateOf: () => ({ bytesPerSecond: 1, inFlight: 6 }), perPeerMax: 6 };
  assert.equal(fastestSource(["slow", "fast"], full), undefined);
});
