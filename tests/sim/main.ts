// `deno task sim [--seed N] [--profile P] [--runs N] [--mutant M] [--trace]`: runs the simulator
// from the command line. Without options: 200 seeds of every profile. A failing seed is printed
// with the line that replays it; `--trace` prints every message, crash and answer of one seed.

import type { Mutant } from "../../shared/ring/mutant.ts";
import { type Profile, profileNamed, profiles } from "./profiles.ts";
import { run, type RunReport } from "./run.ts";

interface Options {
  readonly seed: number;
  readonly runs: number;
  readonly chosen: readonly Profile[];
  readonly mutants: ReadonlySet<Mutant>;
  readonly trace: boolean;
}

function parseOptions(args: readonly string[]): Options {
  const valueOf = (flag: string) => {
    const at = args.indexOf(flag);
    return at < 0 ? undefined : args[at + 1];
  };
  const numberOf = (flag: string, otherwise: number) => {
    const value = Number(valueOf(flag) ?? otherwise);
    if (!Number.isSafeInteger(value)) throw new Error(`Cannot read ${flag}: not an integer`);
    return value;
  };
  const name = valueOf("--profile");
  const profile = name === undefined ? undefined : profileNamed(name);
  if (name !== undefined && profile === undefined) {
    const known = profiles.map((one) => one.name).join(", ");
    throw new Error(`Cannot run profile ${name}: known are ${known}`);
  }
  const mutant = valueOf("--mutant");
  return {
    seed: numberOf("--seed", 1),
    runs: numberOf("--runs", valueOf("--seed") === undefined ? 200 : 1),
    chosen: profile === undefined ? profiles : [profile],
    mutants: new Set(mutant === undefined ? [] : [mutant as Mutant]),
    trace: args.includes("--trace"),
  };
}

function printFailure(report: RunReport, options: { profile: Profile; mutants: string }): void {
  const { profile, mutants } = options;
  console.log(`  seed ${report.seed}: ${report.stuck ?? ""}`);
  for (const violation of report.violations.slice(0, 5)) console.log(`    ${violation}`);
  console.log(
    `    replay: deno task sim --profile ${profile.name} --seed ${report.seed}${mutants}`,
  );
}

function runProfile(profile: Profile, options: Options): { unsafe: number; stuck: number } {
  const started = performance.now();
  const sum = { unsafe: 0, stuck: 0, gaveUp: 0, settledMs: 0 };
  const totals: Record<string, number> = {};
  const mutants = [...options.mutants].map((mutant) => ` --mutant ${mutant}`).join("");
  for (let seed = options.seed; seed < options.seed + options.runs; seed++) {
    const report = run({
      seed,
      profile,
      mutants: options.mutants,
      ...(options.trace ? { trace: (line: string) => console.log(line) } : {}),
    });
    for (const [name, count] of Object.entries(report.counts)) {
      totals[name] = (totals[name] ?? 0) + count;
    }
    if (report.violations.length > 0) sum.unsafe += 1;
    if (report.stuck !== null) sum.stuck += 1;
    if (report.gaveUp) sum.gaveUp += 1;
    sum.settledMs = Math.max(sum.settledMs, report.settledMs);
    const failed = report.violations.length > 0 || report.stuck !== null;
    if (failed && sum.unsafe + sum.stuck <= 5) printFailure(report, { profile, mutants });
  }
  const counts = Object.entries(totals).map(([name, count]) => `${name} ${count}`).join(", ");
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(
    `${profile.name}: ${options.runs} runs, unsafe ${sum.unsafe}, not live ${sum.stuck}, ` +
      `operator ${sum.gaveUp}, settled within ${Math.round(sum.settledMs)} ms, ${counts}, ` +
      `${seconds} s`,
  );
  return sum;
}

function main(args: readonly string[]): number {
  const options = parseOptions(args);
  let failures = 0;
  for (const profile of options.chosen) {
    const { unsafe, stuck } = runProfile(profile, options);
    failures += unsafe + stuck;
  }
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(main(Deno.args));
