// The rules as written, over random runs of every fault profile and story: no run may break a
// safety rule, and each pool must be whole and serve again after the faults. A failure names the
// seed; `deno task sim` with it and `--trace` shows the whole run.

import assert from "node:assert/strict";
import { stories, tell } from "./meeting.ts";
import { profiles } from "./profiles.ts";
import { run, type RunReport } from "./run.ts";

/** Seeds of a profile in the gate; `deno task sim --runs N` takes as many as wanted. */
const runs = 200;

function check(report: RunReport, flag: string): void {
  const replay = `replay: deno task sim ${flag} --seed ${report.seed} --trace`;
  assert.deepEqual(report.violations, [], replay);
  assert.equal(report.stuck, null, replay);
}

for (const profile of profiles) {
  Deno.test(`${runs} runs of ${profile.name} are linearizable and live`, () => {
    let operations = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const report = run({ seed, profile });
      check(report, `--profile ${profile.name}`);
      operations += report.counts.operations;
    }
    assert.ok(operations > runs * 20, `only ${operations} operations: the runs test nothing`);
  });
}

for (const story of stories) {
  Deno.test(`${runs} runs of the story "${story}" lose no acknowledged record`, () => {
    for (let seed = 1; seed <= runs; seed++) check(tell({ seed, story }), `--story "${story}"`);
  });
}
