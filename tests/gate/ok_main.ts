// Entry of `deno task ok`, the whole gate: format, lint, types, then all tests. Each of the
// three checks counts as one in the last line. Every step runs even when an earlier one failed.

import { fileURLToPath } from "node:url";
import { explainSkipped, runSuites } from "./run_suites.ts";
import { emptyReport, joinReports, summaryLine, type TestReport } from "./test_report.ts";

const checks: ReadonlyArray<readonly [string, readonly string[]]> = [
  ["format", ["fmt", "--check", "--quiet"]],
  ["lint", ["lint", "--quiet"]],
  ["types", ["check", "--quiet", "."]],
];

async function runCheck(name: string, args: readonly string[]): Promise<TestReport> {
  const startedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdin: "null",
  }).spawn();
  const { success } = await child.status;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${name}: ${success ? "passed" : "FAILED"} (${seconds} s)`);
  return { ...emptyReport, passed: success ? 1 : 0, failed: success ? [] : [name] };
}

let report: TestReport = emptyReport;
for (const [name, args] of checks) report = joinReports(report, await runCheck(name, args));
report = joinReports(report, await runSuites([]));
for (const name of report.secondTry) console.log(`passed at the second try: ${name}`);
for (const name of report.failed) console.log(`failed: ${name}`);
for (const line of explainSkipped(report)) console.log(line);
console.log(summaryLine(report));
const strict = Deno.args.includes("--no-skipped") && report.skipped.length > 0;
if (strict) console.error("Cannot pass: tests were ignored (see above)");
Deno.exit(report.failed.length === 0 && !strict ? 0 : 1);
