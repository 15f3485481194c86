// Entry of `deno task test`: runs the suites and ends with their counts.

import { explainSkipped, runSuites } from "./run_suites.ts";
import { summaryLine } from "./test_report.ts";

const report = await runSuites(Deno.args);
for (const name of report.secondTry) console.log(`passed at the second try: ${name}`);
for (const name of report.failed) console.log(`failed: ${name}`);
for (const line of explainSkipped(report)) console.log(line);
console.log(summaryLine(report));
Deno.exit(report.failed.length === 0 && report.passed > 0 ? 0 : 1);
