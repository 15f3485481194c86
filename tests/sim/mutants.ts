// How each broken rule is killed: the profiles that press on it, the first seed and how many runs
// it takes at most, and whether it is safety or only progress that fails. Rules marked with a
// schedule are seldom reached by random runs and have a hand-made story in schedules.ts.

import type { Mutant } from "../../shared/ring/mutant.ts";
import { profileNamed } from "./profiles.ts";
import { run, type RunReport } from "./run.ts";

/** Where to look for a mutant's first failure. */
export interface Hunt {
  readonly mutant: Mutant;
  readonly profile: string;
  /** Runs after which the mutant counts as alive. */
  readonly runs: number;
  readonly fails: "safety" | "progress";
}

/** The first failing report of a hunt, with the number of runs it took; undefined: it lives. */
export function hunt(
  { mutant, profile: name, runs, fails }: Hunt,
  seed = 1,
): { readonly report: RunReport; readonly runs: number } | undefined {
  const profile = profileNamed(name);
  if (profile === undefined) throw new Error(`Cannot hunt ${mutant}: no profile ${name}`);
  for (let count = 1; count <= runs; count++) {
    const report = run({ seed: seed + count - 1, profile, mutants: new Set([mutant]) });
    const dead = report.violations.length > 0 || (fails === "progress" && report.stuck !== null);
    if (dead) return { report, runs: count };
  }
  return undefined;
}

/** One hunt a mutant. Budgets are several times what the first kill usually takes. */
export const hunts: readonly Hunt[] = [
  { mutant: "forget-adopted-roster", profile: "crashes", runs: 40, fails: "safety" },
  { mutant: "arriving-answers", profile: "returns", runs: 40, fails: "safety" },
  { mutant: "previous-configuration-only", profile: "storm", runs: 60, fails: "safety" },
  { mutant: "one-yes-stops", profile: "rivals", runs: 80, fails: "safety" },
  { mutant: "one-owner-read", profile: "returns", runs: 60, fails: "safety" },
  { mutant: "carry-three-to-one", profile: "late", runs: 200, fails: "safety" },
  { mutant: "keep-own-rows", profile: "returns", runs: 800, fails: "safety" },
  { mutant: "former-drops-at-once", profile: "returns", runs: 40, fails: "safety" },
  { mutant: "former-drops-on-majority", profile: "exodus", runs: 40, fails: "progress" },
  { mutant: "leaver-exits-early", profile: "exodus", runs: 40, fails: "progress" },
  { mutant: "reply-before-disk", profile: "crashes", runs: 60, fails: "safety" },
  { mutant: "register-forgets-promises", profile: "tombs", runs: 40, fails: "safety" },
  { mutant: "council-forgets-promises", profile: "rivals", runs: 40, fails: "safety" },
  { mutant: "ignore-accepted-roster", profile: "rivals", runs: 150, fails: "safety" },
  { mutant: "minority-council", profile: "rivals", runs: 40, fails: "safety" },
  { mutant: "read-without-write-back", profile: "returns", runs: 150, fails: "safety" },
  { mutant: "failed-without-accept", profile: "rivals", runs: 150, fails: "safety" },
  { mutant: "retry-forgets-attempts", profile: "tombs", runs: 20, fails: "safety" },
  { mutant: "stand-ins-counted", profile: "crashes", runs: 40, fails: "safety" },
  { mutant: "wiped-keeps-identity", profile: "wipes", runs: 150, fails: "safety" },
  { mutant: "tombstone-on-majority", profile: "returns", runs: 600, fails: "safety" },
  { mutant: "tombstone-without-floor", profile: "returns", runs: 1_200, fails: "safety" },
  { mutant: "tombstone-too-young", profile: "tombs", runs: 200, fails: "safety" },
];
