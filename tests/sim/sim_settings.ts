// Timers and sizes of simulated nodes: those of production where they only pace, shorter where a
// run of seconds would never reach the rule (tombstones, hellos), and tiny pages and histories so
// that paged reads, trimmed history and jumps happen in every run.

import type { Prng } from "../../shared/base/prng.ts";
import { agreementSettings } from "../../shared/record/agreement.ts";
import type { AgreementSettings } from "../../shared/record/agreement_port.ts";
import type { Profile } from "./profiles.ts";

/** Deadline of an operation in the simulator: short, to press on the deadline's rules. */
export const simDeadlineMs = 3_000;

/** Settings for one run. @throws never */
export function simSettings(prng: Prng, profile: Profile): AgreementSettings {
  const noticesPauses = prng.chance(0.7);
  return {
    ...agreementSettings,
    helloMs: prng.between(100, 200),
    settleMs: 300,
    tombstoneAgeMs: profile.tombstoneMs,
    tombstoneScanMs: 400,
    pauseMs: noticesPauses ? agreementSettings.pauseMs : Number.MAX_SAFE_INTEGER,
    handoverSlots: prng.pick([1, 2, 512]) ?? 1,
    slotsPerMessage: prng.pick([1, 2, 256]) ?? 1,
    rowsPerPage: prng.pick([1, 2, 256]) ?? 1,
    historyKeep: prng.pick([1, 4, 64]) ?? 1,
  };
}
