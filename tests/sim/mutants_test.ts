// Every rule of the agreement, broken on purpose, must be caught: by random runs of a profile
// that presses on it, or by its hand-made schedule (schedules_test.ts).

import assert from "node:assert/strict";
import type { Mutant } from "../../shared/ring/mutant.ts";
import { hunt, hunts } from "./mutants.ts";
import { schedules } from "./schedules.ts";

/** Every name of the union, checked by the compiler: a new mutant must be hunted somewhere. */
const all: Record<Mutant, true> = {
  "serve-older-epoch": true,
  "handover-before-roster": true,
  "forget-adopted-roster": true,
  "arriving-answers": true,
  "previous-configuration-only": true,
  "one-yes-stops": true,
  "one-owner-read": true,
  "carry-three-to-one": true,
  "keep-own-rows": true,
  "former-drops-at-once": true,
  "former-drops-on-majority": true,
  "leaver-exits-early": true,
  "reply-before-disk": true,
  "register-forgets-promises": true,
  "council-forgets-promises": true,
  "ignore-accepted-roster": true,
  "minority-council": true,
  "ballot-reused": true,
  "ballot-without-epoch": true,
  "fast-read-inherited": true,
  "read-without-write-back": true,
  "failed-without-accept": true,
  "retry-forgets-attempts": true,
  "stand-ins-counted": true,
  "wiped-keeps-identity": true,
  "tombstone-on-majority": true,
  "tombstone-without-floor": true,
  "tombstone-too-young": true,
};

Deno.test("hunts and schedules cover every mutant", () => {
  const covered = [...hunts, ...schedules].map(({ mutant }) => mutant).sort();
  assert.deepEqual(covered, Object.keys(all).sort());
});

for (const one of hunts) {
  Deno.test(`random runs of ${one.profile} kill ${one.mutant}`, () => {
    const killed = hunt(one);
    assert.ok(killed, `${one.mutant} lived through ${one.runs} runs of ${one.profile}`);
  });
}
