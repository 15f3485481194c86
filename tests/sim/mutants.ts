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
