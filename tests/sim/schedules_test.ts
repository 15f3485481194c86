// The hand-made schedules: each is played by the rules as written, which must stay safe, and by
// its mutant, which the checkers must catch.

import assert from "node:assert/strict";
import { schedules } from "./schedules.ts";
import { createStage } from "./stage.ts";

for (const { mutant, nodes, play } of schedules) {
  Deno.test(`the schedule against ${mutant} is safe by the rules as written`, () => {
    const stage = createStage(nodes);
    play(stage);
    assert.deepEqual(stage.violations(), []);
  });

  Deno.test(`the schedule against ${mutant} kills it`, () => {
    const stage = createStage(nodes, { mutant });
    play(stage);
    assert.notDeepEqual(stage.violations(), []);
  });
}
