// Which file may import which: shared < web < server < tests, and inside shared/ from the
// bottom up. Files directly in shared/ are plain shapes that anything in it may name; they
// themselves rest on base/ only. No cycles, not even of types, and no file that nobody uses.

import { localImports, type Source, type Violation } from "./source_tree.ts";

const layers = ["shared", "web", "server", "tests"];
const sharedFolders = [
  "base",
  "block",
  "merkle",
  "ring",
  "chord",
  "record",
  "repair",
  "wire",
];

/** Imports that go up: against the layers, or against the order inside shared/. */
export function upwardImports(sources: readonly Source[]): Violation[] {
  const violations: Violation[] = [];
  for (const source of sources) {
    for (const { target, line } of localImports(source)) {
      const reason = layerBreach(source.path, target) ?? sharedBreach(source.path, target);
      if (reason) violations.push({ path: source.path, line, message: reason });
    }
  }
  return violations;
}

function layerBreach(from: string, to: string): string | undefined {
  const [fromRank, toRank] = [from, to].map((path) => layers.indexOf(folderOf(path)));
  if (toRank === -1) return `imports ${to}, which lies in no layer`;
  return (toRank ?? 0) > (fromRank ?? 0) ? `imports ${to}, a layer above its own` : undefined;
}

function sharedBreach(from: string, to: string): string | undefined {
  if (!from.startsWith("shared/") || !to.startsWith("shared/")) return undefined;
  const [fromFolder, toFolder] = [from, to].map((path) => folderOf(path.slice("shared/".length)));
  if (toFolder === "") return undefined;
  const toRank = sharedFolders.indexOf(toFolder ?? "");
  if (toRank === -1) return `imports ${to}, whose folder has no place in the order of shared/`;
  if (fromFolder === "") return toRank === 0 ? undefined : `imports ${to}, but may name base only`;
  const fromRank = sharedFolders.indexOf(fromFolder ?? "");
  if (fromRank === -1) return `lies in a folder that has no place in the order of shared/`;
  return toRank > fromRank ? `imports ${to}, which is above it in shared/` : undefined;
}

function folderOf(path: string): string {
  const slash = path.indexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

/** One violation for each file that closes a cycle of imports. */
export function importCycles(sources: readonly Source[]): Violation[] {
  const graph = new Map(sources.map((source) => [source.path, localImports(source)]));
  const state = new Map<string, "open" | "done">();
  const violations: Violation[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    state.set(path, "open");
    for (const { target, line } of graph.get(path) ?? []) {
      if (state.get(target) === "open") {
        const cycle = [...trail.slice(trail.indexOf(target)), target].join(" -> ");
        violations.push({ path, line, message: `closes the cycle ${cycle}` });
      } else if (!state.has(target) && graph.has(target)) {
        visit(target, [...trail, target]);
      }
    }
    state.set(path, "done");
  };
  for (const path of graph.keys()) if (!state.has(path)) visit(path, [path]);
  return violations;
}

/** Product files that no other product file imports and that are not in `entries`. */
export function deadFiles(
  sources: readonly Source[],
  entries: ReadonlySet<string>,
): Violation[] {
  const product = sources.filter((source) => !source.path.startsWith("tests/"));
  const used = new Set<string>();
  for (const source of product) {
    for (const { target } of localImports(source)) if (target !== source.path) used.add(target);
  }
  return product
    .filter(({ path }) => !used.has(path) && !entries.has(path))
    .map(({ path }) => ({ path, line: 1, message: "is imported by no product file" }));
}

/** Entries that are listed but do not exist, or that are imported after all. */
export function staleEntries(
  sources: readonly Source[],
  entries: ReadonlySet<string>,
): Violation[] {
  const paths = new Set(sources.map((source) => source.path));
  return [...entries].filter((path) => !paths.has(path))
    .map((path) => ({ path, line: 1, message: "is listed as an entry, but does not exist" }));
}
