// What a run of `deno test` did, read from its JUnit report, and the last line of the gate that
// is made of it. Steps inside a test are not counted: the test that holds them is.

/** Counts and names of one or more runs. */
export interface TestReport {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
  /** Files that failed tests lie in; checks that are no tests have none. */
  readonly failedFiles: readonly string[];
  /** Tests that failed, and passed when their file was run again: said, not hidden. */
  readonly secondTry: readonly string[];
}

/** A report of nothing yet. */
export const emptyReport: TestReport = {
  passed: 0,
  failed: [],
  skipped: [],
  failedFiles: [],
  secondTry: [],
};

/** Reads a JUnit report as Deno writes it. @throws when the text is not such a report */
export function parseJunit(xml: string): TestReport {
  if (!/<testsuites\b/.test(xml)) throw new Error("Cannot read test report: no <testsuites>");
  const report = { passed: 0, failed: [] as string[], skipped: [] as string[] };
  const failedFiles = new Set<string>();
  for (const suite of xml.matchAll(/<testsuite\b[\s\S]*?<\/testsuite>/g)) {
    const cases = [...suite[0].matchAll(
      /<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g,
    )].map((match) => ({ name: unescapeXml(match[1] ?? ""), body: match[2] ?? "" }));
    const names = new Set(cases.map(({ name }) => name));
    for (const { name, body } of cases) {
      if (isStep(name, names)) continue;
      if (/<skipped\b/.test(body)) report.skipped.push(name);
      else if (/<(?:failure|error)\b/.test(body)) {
        report.failed.push(name);
        failedFiles.add(/<testsuite name="([^"]*)"/.exec(suite[0])?.[1] ?? "");
      } else report.passed++;
    }
  }
  return { ...report, failedFiles: [...failedFiles], secondTry: [] };
}

function isStep(name: string, names: ReadonlySet<string>): boolean {
  for (let at = name.indexOf(" > "); at !== -1; at = name.indexOf(" > ", at + 1)) {
    if (names.has(name.slice(0, at))) return true;
  }
  return false;
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_all, name: string) => named[name] ?? "");
}

/** Two reports as one. @throws never */
export function joinReports(first: TestReport, second: TestReport): TestReport {
  return {
    passed: first.passed + second.passed,
    failed: [...first.failed, ...second.failed],
    skipped: [...first.skipped, ...second.skipped],
    failedFiles: [...first.failedFiles, ...second.failedFiles],
    secondTry: [...first.secondTry, ...second.secondTry],
  };
}

/** A run and the second run of the files that failed in it: what passed then counts as passed. */
export function secondTryOf(first: TestReport, again: TestReport): TestReport {
  const passed = first.failed.filter((name) => !again.failed.includes(name));
  return {
    ...first,
    passed: first.passed + passed.length,
    failed: [...new Set(again.failed)],
    failedFiles: again.failedFiles,
    secondTry: passed,
  };
}

/**
 * The last line: `N passed, N failed`, and `, N skipped`, `, N of them at the second try` when
 * there are any.
 */
export function summaryLine({ passed, failed, skipped, secondTry }: TestReport): string {
  const counts = `${passed} passed, ${failed.length} failed`;
  const ignored = skipped.length === 0 ? "" : `, ${skipped.length} skipped`;
  const late = secondTry.length === 0 ? "" : `, ${secondTry.length} at the second try`;
  return counts + ignored + late;
}
