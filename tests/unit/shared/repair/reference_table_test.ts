// The table of references against a map, over random notes and walks.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Cid } from "../../../../shared/base/ids.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { ReferenceTable } from "../../../../shared/repair/reference_table.ts";

function cidOf(seed: number): Cid {
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  // Few different low words, so that rows collide and probe.
  view.setUint32(24, seed);
  view.setUint32(28, seed % 7);
  return cidOfDigest(digest, "raw");
}

const step = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(fc.nat(3_000), fc.integer({ min: 1, max: 9 })) },
  { weight: 1, arbitrary: fc.constantFrom("begin" as const, "end" as const) },
);

Deno.test("ReferenceTable knows the copies of the last whole walk and of what came since", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 4_000, size: "max" }), (steps) => {
      const table = new ReferenceTable();
      let present = new Map<number, number>();
      let next = new Map<number, number>();
      for (const one of steps) {
        if (one === "begin") {
          table.beginWalk();
          next = new Map();
        } else if (one === "end") {
          table.endWalk();
          present = new Map(next);
        } else {
          const [seed, copies] = one;
          table.note(cidOf(seed), copies);
          present.set(seed, Math.max(present.get(seed) ?? 0, copies));
          next.set(seed, Math.max(next.get(seed) ?? 0, copies));
        }
      }
      for (let seed = 0; seed <= 3_000; seed += 7) {
        assert.equal(table.replicasOf(cidOf(seed)), present.get(seed) ?? 0);
      }
      for (const [seed, copies] of present) assert.equal(table.replicasOf(cidOf(seed)), copies);
      assert.ok(table.size >= present.size);
    }),
    { numRuns: 30 },
  );
});

Deno.test("ReferenceTable shrinks to what a walk found", () => {
  const table = new ReferenceTable();
  for (let seed = 0; seed < 20_000; seed++) table.note(cidOf(seed), 3);
  table.beginWalk();
  for (let seed = 0; seed < 100; seed++) table.note(cidOf(seed), 2);
  assert.equal(table.replicasOf(cidOf(5)), 3, "the last walk holds until this one ends");
  table.endWalk();
  assert.equal(table.size, 100);
  assert.equal(table.replicasOf(cidOf(5)), 2);
  assert.equal(table.replicasOf(cidOf(500)), 0);
});
