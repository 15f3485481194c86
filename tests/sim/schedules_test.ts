// The hand-made schedules: each is played by the rules as written, which must stay safe, and by
// its mutant, which the checkers must catch.

import assert from "node:assert/strict";
import { schedules } from "./schedules.ts";
import { createStage } from "./stage.ts";

/** Delays on the calm network differ by seed; a schedule must not hang on them. */
const seeds = [1, 2, 3, 4, 5];

for (const { mutant, nodes, play } of schedules) {
  Deno.test(`the schedule against ${mutant} is safe by the rules as written`, () => {
    for (const seed of seeds) {
      const stage = createStage(nodes, { seed });
      play(stage);
      assert.deepEqual(stage.violations(), []);
    }
  });

  Deno.test(`the schedule against ${mutant} kills it`, () => {
    for (const seed of seeds) {
      const stage = createStage(nodes, { seed, mutant });
      play(stage);
      assert.notDeepEqual(stage.violations(), [], `alive with seed ${seed}`);
    }
  });
}
