// `deno task sim [--seed N] [--profile P | --story S] [--runs N] [--mutant M] [--trace]`: runs the
// simulator from the command line. Without options: 200 seeds of every profile and story. A failing
// seed is printed with the line that replays it; `--trace` prints every message, crash and answer.

import type { Mutant } from "../../shared/ring/mutant.ts";
import { stories, tell } from "./meeting.ts";
import { profileNamed, profiles } from "./profiles.ts";
import { run, type RunReport } from "./run.ts";

/** One seed of a profile or of a story. */
type Play = (options: {
  readonly seed: number;
  readonly mutants: ReadonlySet<Mutant>;
  readonly trace?: (line: string) => void;
}) => RunReport;

interface Course {
  /** `--profile P` or `--story S`, as typed again to replay it. */
  readonly flag: string;
  readonly play: Play;
}

interface Options {
  readonly seed: number;
  readonly runs: number;
  readonly chosen: readonly Course[];
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
  const mutant = valueOf("--mutant");
  return {
    seed: numberOf("--seed", 1),
    runs: numberOf("--runs", valueOf("--seed") === undefined ? 200 : 1),
    chosen: choose(valueOf("--profile"), valueOf("--story")),
    mutants: new Set(mutant === undefined ? [] : [mutant as Mutant]),
    trace: args.includes("--trace"),
  };
}

function choose(profile: string | undefined, story: string | undefined): readonly Course[] {
  const all: Course[] = [
    ...profiles.map(({ name }) => courseOfProfile(name)),
    ...stories.map((name): Course => ({
      flag: `--story "${name}"`,
      play: (options) => tell({ story: name, ...options }),
    })),
  ];
  if (profile === undefined && story === undefined) return all;
  const flag = profile === undefined ? `--story "${story}"` : `--profile ${profile}`;
  const chosen = all.filter((course) => course.flag === flag);
  if (chosen.length > 0) return chosen;
  throw new Error(`Cannot run ${flag}: known are ${all.map((one) => one.flag).join(", ")}`);
}

function courseOfProfile(name: string): Course {
  const profile = profileNamed(name);
  if (profile === undefined) throw new Error(`Cannot run profile ${name}: unknown`);
  return { flag: `--profile ${name}`, play: (options) => run({ profile, ...options }) };
}

function printFailure(report: RunReport, replay: string): void {
  console.log(`  seed ${report.seed}: ${report.stuck ?? ""}`);
  for (const violation of report.violations.slice(0, 5)) console.log(`    ${violation}`);
  console.log(`    replay: deno task sim ${replay} --seed ${report.seed}`);
}

function runCourse(course: Course, options: Options): { unsafe: number; stuck: number } {
  const started = performance.now();
  const sum = { unsafe: 0, stuck: 0, gaveUp: 0, settledMs: 0 };
  const totals: Record<string, number> = {};
  const mutants = [...options.mutants].map((mutant) => ` --mutant ${mutant}`).join("");
  for (let seed = options.seed; seed < options.seed + options.runs; seed++) {
    const report = course.play({
      seed,
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
    if (failed && sum.unsafe + sum.stuck <= 5) printFailure(report, `${course.flag}${mutants}`);
  }
  const counts = Object.entries(totals).map(([name, count]) => `${name} ${count}`).join(", ");
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(
    `${course.flag}: ${options.runs} runs, unsafe ${sum.unsafe}, not live ${sum.stuck}, ` +
      `operator ${sum.gaveUp}, settled within ${Math.round(sum.settledMs)} ms, ${counts}, ` +
      `${seconds} s`,
  );
  return sum;
}

function main(args: readonly string[]): number {
  const options = parseOptions(args);
  let failures = 0;
  for (const course of options.chosen) {
    const { unsafe, stuck } = runCourse(course, options);
    failures += unsafe + stuck;
  }
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(main(Deno.args));
