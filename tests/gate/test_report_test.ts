import assert from "node:assert/strict";
import { emptyReport, joinReports, parseJunit, secondTryOf, summaryLine } from "./test_report.ts";
import { isPresent, needing, remedyOf } from "./needs.ts";

const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="5" failures="1" errors="0" time="0.010">
    <testsuite name="./a_test.ts" tests="5" disabled="1" errors="0" failures="1">
        <testcase name="a &lt;b&gt; [needs strace]" classname="./a_test.ts" time="0.000">
            <skipped/>
        </testcase>
        <testcase name="b" classname="./a_test.ts" time="0.001" line="2" col="6">
        </testcase>
        <testcase name="c" classname="./a_test.ts" time="0.003" line="3" col="6">
            <failure message="Uncaught Error: boo">Error: boo</failure>
        </testcase>
        <testcase name="one &gt; two is two" classname="./a_test.ts" time="0.003"/>
        <testcase name="b &gt; inner" classname="./a_test.ts" time="0.000" line="2" col="37">
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("parseJunit() counts tests, not their steps", () => {
  assert.deepEqual(parseJunit(xml), {
    passed: 2,
    failed: ["c"],
    skipped: ["a <b> [needs strace]"],
    failedFiles: ["./a_test.ts"],
    secondTry: [],
  });
});

Deno.test("parseJunit() refuses what is no report", () => {
  assert.throws(() => parseJunit("ok | 3 passed"), /no <testsuites>/);
});

Deno.test("summaryLine() names skipped tests only when there are any", () => {
  const report = { ...emptyReport, passed: 2, failed: ["c"] };
  assert.equal(summaryLine(report), "2 passed, 1 failed");
  const joined = joinReports(report, { ...emptyReport, passed: 1, skipped: ["d"] });
  assert.equal(summaryLine(joined), "3 passed, 1 failed, 1 skipped");
});

Deno.test("needing() ignores a test when what it needs is missing, and says the remedy", () => {
  const path = Deno.env.get("PATH") ?? "";
  const vectors = Deno.env.get("SKYRING_VECTORS");
  try {
    Deno.env.set("PATH", "/nowhere");
    Deno.env.delete("SKYRING_VECTORS");
    const test = needing(["strace", "vectors"], "kill() kills");
    assert.deepEqual(test, { name: "kill() kills [needs strace, vectors]", ignore: true });
    assert.match(remedyOf(test.name) ?? "", /package strace, and the public test vectors/);
    assert.equal(remedyOf("plain() test"), undefined);
    Deno.env.set("SKYRING_VECTORS", "/somewhere");
    assert.equal(isPresent("vectors"), true);
    assert.equal(needing(["vectors"], "x").ignore, false);
  } finally {
    Deno.env.set("PATH", path);
    if (vectors !== undefined) Deno.env.set("SKYRING_VECTORS", vectors);
    else Deno.env.delete("SKYRING_VECTORS");
  }
});

Deno.test("secondTryOf() counts what passed at the second run, and keeps what failed again", () => {
  const first = { ...emptyReport, passed: 5, failed: ["c", "d"], failedFiles: ["./a_test.ts"] };
  const again = { ...emptyReport, passed: 1, failed: ["d"], failedFiles: ["./a_test.ts"] };
  const both = secondTryOf(first, again);
  assert.equal(summaryLine(both), "6 passed, 1 failed, 1 at the second try");
  assert.deepEqual([both.failed, both.secondTry], [["d"], ["c"]]);
  assert.deepEqual(secondTryOf(first, { ...again, failed: [], failedFiles: [] }).failed, []);
  const broken = secondTryOf(first, { ...emptyReport, failed: ["run of ./a_test.ts"] });
  assert.deepEqual(broken.failed, ["run of ./a_test.ts"]);
});
