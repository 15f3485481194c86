// Each tidy rule finds what it is there to find, and leaves alone what is allowed.

import assert from "node:assert/strict";
import { deadFiles, importCycles, staleEntries, upwardImports } from "./import_rules.ts";
import {
  badFiles,
  emptyCatches,
  impureCore,
  longFunctions,
  oversizeFiles,
  undocumentedExports,
} from "./shape_rules.ts";
import { parseSource, type Source, type Violation } from "./source_tree.ts";

function tree(files: Record<string, string>): Source[] {
  return Object.entries(files).map(([path, text]) => parseSource(path, text));
}

function found(violations: readonly Violation[]): string[] {
  return violations.map(({ path, line }) => `${path}:${line}`);
}

Deno.test("upwardImports() finds a layer that names a layer above it", () => {
  const sources = tree({
    "shared/base/a.ts": 'import { b } from "../../server/b.ts";',
    "web/a.ts": 'import type { b } from "../server/b.ts";',
    "server/a.ts": '\nconst b = await import("../tests/b.ts");',
    "server/b.ts": 'import { a } from "../shared/base/a.ts";',
    "tests/a.ts": 'import { a } from "../server/a.ts";',
  });
  assert.deepEqual(found(upwardImports(sources)), [
    "shared/base/a.ts:1",
    "web/a.ts:1",
    "server/a.ts:2",
  ]);
});

Deno.test("upwardImports() finds a folder of shared that names one above it", () => {
  const sources = tree({
    "shared/base/a.ts": 'import type { s } from "../ring/s.ts";',
    "shared/ring/s.ts": 'export { v } from "../record/v.ts";',
    "shared/record/v.ts": 'import { s } from "../ring/s.ts"; import { p } from "../phase.ts";',
    "shared/phase.ts": 'import { a } from "./base/a.ts";',
    "shared/status.ts": 'import { s } from "./ring/s.ts"; import { p } from "./phase.ts";',
    "shared/odd/o.ts": 'import { a } from "../base/a.ts";',
    "server/a.ts": 'import { o } from "../package.json";',
  });
  assert.deepEqual(found(upwardImports(sources)), [
    "shared/base/a.ts:1",
    "shared/ring/s.ts:1",
    "shared/status.ts:1",
    "shared/odd/o.ts:1",
    "server/a.ts:1",
  ]);
});

Deno.test("importCycles() finds a cycle through types and a file that imports itself", () => {
  const sources = tree({
    "server/a.ts": 'import { b } from "./b.ts";',
    "server/b.ts": 'import { c } from "./c.ts";',
    "server/c.ts": 'import type { a } from "./a.ts";',
    "server/d.ts": 'import { d } from "./d.ts";',
    "server/e.ts": 'import { c } from "./c.ts";',
  });
  const violations = importCycles(sources);
  assert.deepEqual(found(violations), ["server/c.ts:1", "server/d.ts:1"]);
  assert.match(
    violations[0]?.message ?? "",
    /server\/a\.ts -> server\/b\.ts -> server\/c\.ts -> server\/a\.ts/,
  );
});

Deno.test("deadFiles() finds a file that only tests or itself import", () => {
  const sources = tree({
    "server/main.ts": 'import { used } from "./used.ts";',
    "server/used.ts": 'const u = new URL("./worker.ts", import.meta.url);',
    "server/worker.ts": "",
    "server/dead.ts": 'import { x } from "./dead.ts";',
    "tests/dead_test.ts": 'import { x } from "../server/dead.ts";',
  });
  assert.deepEqual(found(deadFiles(sources, new Set(["server/main.ts"]))), ["server/dead.ts:1"]);
});

Deno.test("staleEntries() finds an entry that is gone", () => {
  const entries = new Set(["server/main.ts", "server/gone.ts"]);
  assert.deepEqual(found(staleEntries(tree({ "server/main.ts": "" }), entries)), [
    "server/gone.ts:1",
  ]);
});

Deno.test("oversizeFiles() finds long files and wide lines, but no links", () => {
  const sources = tree({
    "server/long.ts": "// line\n".repeat(401),
    "server/fits.ts": "// line\n".repeat(400),
    "server/wide.ts": `// ${"x".repeat(98)}\n// https://example.com/${"x".repeat(98)}\n`,
  });
  assert.deepEqual(found(oversizeFiles(sources)), ["server/long.ts:401", "server/wide.ts:1"]);
});

Deno.test("longFunctions() finds functions over 70 lines, named inner ones counted apart", () => {
  const body = "  x();\n".repeat(69);
  const half = "  x();\n".repeat(40);
  const sources = tree({
    "server/a.ts": `function long() {\n${body}}\n`,
    "server/b.ts": `const long = () => {\n${body}};\n`,
    "server/c.ts": `class C {\n  m() {\n${body}  }\n}\n`,
    "server/d.ts": `function fits() {\n${"  x();\n".repeat(68)}}\n`,
    "server/e.ts": `function factory() {\n  const f = () => {\n${half}  };\n` +
      `  function g() {\n${half}  }\n  return { f, g, h() {\n${half}  } };\n}\n`,
    "server/f.ts": `function nested() {\n  x(() => {\n${half}  });\n  x(() => {\n${half}  });\n}\n`,
  });
  assert.deepEqual(found(longFunctions(sources)), [
    "server/a.ts:1",
    "server/b.ts:1",
    "server/c.ts:2",
    "server/f.ts:1",
  ]);
});

Deno.test("emptyCatches() finds blocks and handlers that say nothing", () => {
  const sources = tree({
    "server/a.ts": "try { x(); } catch { }\n",
    "server/b.ts": "try { x(); } catch {\n  // Gone already: that is what was wanted.\n}\n",
    "server/c.ts": "x().catch(() => {});\n",
    "server/d.ts": "x().catch((error) => log(error));\n",
  });
  assert.deepEqual(found(emptyCatches(sources)), ["server/a.ts:1", "server/c.ts:1"]);
});

Deno.test("impureCore() finds clock, randomness and I/O in shared only", () => {
  const sources = tree({
    "shared/base/a.ts": "const a = Date.now();",
    "shared/base/b.ts": "const b = Math.random();",
    "shared/base/c.ts": "const c = new Date();",
    "shared/base/d.ts": "const d = performance.now();",
    "shared/base/e.ts": "crypto.getRandomValues(bytes);",
    "shared/base/f.ts": 'import { readFile } from "node:fs";',
    "shared/base/g.ts": "const g = new Date(now).toISOString(); const x = { crypto: 1 };",
    "server/h.ts": "const h = Date.now();",
  });
  assert.deepEqual(found(impureCore(sources)), [
    "shared/base/a.ts:1",
    "shared/base/b.ts:1",
    "shared/base/c.ts:1",
    "shared/base/d.ts:1",
    "shared/base/e.ts:1",
    "shared/base/f.ts:1",
  ]);
});

Deno.test("badFiles() finds drawers, barrels, other names and missing headers", () => {
  const header = "// What this is,\n// and why.\n";
  const sources = tree({
    "server/utils.ts": `${header}const a = 1;`,
    "server/camelCase.ts": `${header}const a = 1;`,
    "server/bare.ts": "const a = 1;",
    "server/endless.ts": "// More.\n".repeat(16),
    "server/barrel.ts": `${header}export { a } from "./a.ts";`,
    "server/good_file.ts": `/// <reference lib="webworker" />\n${header}const a = 1;`,
    "tests/some_test.ts": "const a = 1;",
  });
  assert.deepEqual(found(badFiles(sources)), [
    "server/utils.ts:1",
    "server/camelCase.ts:1",
    "server/bare.ts:1",
    "server/endless.ts:1",
    "server/barrel.ts:1",
  ]);
});

Deno.test("undocumentedExports() finds silent and default exports", () => {
  const sources = tree({
    "server/a.ts": "export function a() {}",
    "server/b.ts": "/** Says it. */\nexport function b() {}",
    "server/c.ts": "function c() {}\nexport default c;",
    "server/d.ts": "/** D. */\nexport default function d() {}",
    "server/e.ts": "export class E {}",
    "tests/f.ts": "export function f() {}",
  });
  assert.deepEqual(found(undocumentedExports(sources)), [
    "server/a.ts:1",
    "server/c.ts:2",
    "server/d.ts:2",
    "server/e.ts:1",
  ]);
});
