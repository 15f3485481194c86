// A write of unknown outcome, left at one decider, may be decided by a read much later. Until then
// nothing that it may need is settled; the checker of random runs sees who says otherwise.

import assert from "node:assert/strict";
import { historyOf } from "./history.ts";
import { checkSettlements, startSettlement } from "./settlements.ts";
import { createStage, stageKey } from "./stage.ts";

const seeds = [1, 2, 3, 4, 5];

Deno.test("nothing is settled while a write of unknown outcome lies at one decider", () => {
  for (const seed of seeds) {
    const stage = createStage(4, { seed });
    const { world } = stage;
    const history = historyOf(world.history, stageKey);
    const found = startSettlement(world, world.queue.now + 200_000);
    const settledBefore = () =>
      Math.max(0, ...found.filter(({ key }) => key === stageKey).map(({ before }) => before));
    stage.answered(2);
    const firstAt = world.queue.now;
    stage.pass(20_000);
    assert.ok(settledBefore() > firstAt, "a decided write is settled after a while");
    // Its last proposer reaches one decider and starts again.
    const lift = stage.drop((letter) =>
      letter.from === stage.id(4) && letter.to !== stage.id(1) && letter.body.kind === "accept"
    );
    stage.ask(4);
    stage.pass(2_000);
    stage.restart(4);
    lift();
    const madeAt = Math.max(...[...history.attempts.values()].map(({ at }) => at));
    stage.pass(60_000);
    assert.ok(settledBefore() < madeAt, "not as long as a read may still decide it");
    // A read that takes no short way decides it, whichever deciders answer first.
    const read = stage.answered(1, { kind: "get", settle: true });
    stage.pass(20_000);
    assert.ok(settledBefore() > madeAt, "it was decided, or is gone");
    assert.deepEqual(checkSettlements(stageKey, history, found), []);
    assert.deepEqual(stage.violations(), []);
    const attempt = history.attempts.get(read.version ?? "");
    if (attempt === undefined || attempt.at < firstAt) continue;
    const hasty = [{ key: stageKey, before: attempt.at + 1, last: null }];
    assert.notDeepEqual(checkSettlements(stageKey, history, hasty), [], "the checker sees it");
  }
});
