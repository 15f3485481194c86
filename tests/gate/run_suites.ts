// Runs the tests: the quick suites in parallel, then those with real processes one file after
// another, since their deadlines are made for a machine that does nothing else. One file of
// these that fails is run once more and the report says so: a machine that stood still for a
// minute is not a broken product. Two failing files are a failure.
//
//   deno task test             all suites
//   deno task test PATH ...    only these, one after another

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { remedyOf } from "./needs.ts";
import {
  emptyReport,
  joinReports,
  parseJunit,
  secondTryOf,
  type TestReport,
} from "./test_report.ts";

const parallelPaths = [
  "tests/tidy_test.ts",
  "tests/gate",
  "tests/unit",
  "tests/contract",
  "tests/golden",
  "tests/http",
  "tests/sim",
];
const serialPaths = ["tests/e2e", "tests/browser"];
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs `paths`, or all suites when there are none. @throws when a run leaves no report */
export async function runSuites(paths: readonly string[]): Promise<TestReport> {
  await makeBundle();
  if (paths.length > 0) return await runDenoTest(paths, []);
  const quick = await runDenoTest(parallelPaths.filter(hasTests), ["--parallel"]);
  const serial = await runDenoTest(serialPaths.filter(hasTests), []);
  const [file, another] = serial.failedFiles;
  if (file === undefined || another !== undefined) return joinReports(quick, serial);
  console.log(`once more: ${file}`);
  return joinReports(quick, secondTryOf(serial, await runDenoTest([file], [])));
}

/** Says which tests were ignored, and what to install to run them. */
export function explainSkipped(report: TestReport): string[] {
  return report.skipped.map((name) => `ignored: ${name}\n  needs ${remedyOf(name) ?? "no reason"}`);
}

/** The tab's scripts, which nodes under test serve. */
async function makeBundle(): Promise<void> {
  const args = ["run", "--quiet", "--no-prompt", "-A", "server/bundle_main.ts"];
  await new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "null" }).spawn().status;
}

async function runDenoTest(
  paths: readonly string[],
  flags: readonly string[],
): Promise<TestReport> {
  if (paths.length === 0) return emptyReport;
  const folder = await Deno.makeTempDir({ prefix: "skyring-report-" });
  try {
    const report = join(folder, "report.xml");
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--no-prompt",
        "-A",
        "--no-check",
        `--junit-path=${report}`,
        ...flags,
        ...paths,
      ],
      cwd: root,
      stdin: "null",
    }).spawn();
    const { code } = await child.status;
    const result = parseJunit(await readReport(report, paths));
    // A module that throws while it loads has no test case of its own.
    const silent = code !== 0 && result.failed.length === 0;
    return silent ? { ...result, failed: [`run of ${paths.join(" ")}`] } : result;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readReport(path: string, paths: readonly string[]): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read results of ${paths.join(" ")}: no report was written`, { cause });
  }
}

function hasTests(path: string): boolean {
  try {
    const whole = join(root, path);
    if (Deno.statSync(whole).isFile) return true;
    for (const entry of Deno.readDirSync(whole)) {
      if (entry.isDirectory && hasTests(`${path}/${entry.name}`)) return true;
      if (/_test\.tsx?$/.test(entry.name)) return true;
    }
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
