// The style that a machine can see, held over the whole tree. The rules and their own tests lie
// in tests/gate/; the order of layers is told in ARCHITECTURE.md.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { deadFiles, importCycles, staleEntries, upwardImports } from "./gate/import_rules.ts";
import {
  badFiles,
  emptyCatches,
  impureCore,
  longFunctions,
  oversizeFiles,
  undocumentedExports,
} from "./gate/shape_rules.ts";
import { readTree, type Violation } from "./gate/source_tree.ts";
import { entryPoints } from "./gate/entry_points.ts";

const sources = readTree(fileURLToPath(new URL("..", import.meta.url)));

Deno.test("the tree imports only downwards", () => holds(upwardImports(sources)));
Deno.test("the tree has no import cycles", () => holds(importCycles(sources)));
Deno.test("the tree has no dead files", () => holds(deadFiles(sources, entryPoints)));
Deno.test("the list of entry points is true", () => holds(staleEntries(sources, entryPoints)));
Deno.test("files and lines keep to their sizes", () => holds(oversizeFiles(sources)));
Deno.test("functions fit a screen", () => holds(longFunctions(sources)));
Deno.test("no catch is empty", () => holds(emptyCatches(sources)));
Deno.test("shared has neither clock, randomness nor I/O", () => holds(impureCore(sources)));
Deno.test("files have a header and a name of their own", () => holds(badFiles(sources)));
Deno.test("exports say what they do", () => holds(undocumentedExports(sources)));

function holds(violations: readonly Violation[]): void {
  const lines = violations.map(({ path, line, message }) => `${path}:${line} ${message}`);
  assert.deepEqual(lines, []);
}
