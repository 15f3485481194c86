// The shape of each file: its size, the length of its functions, its name, its header, no empty
// catch, no default export, and in shared/ neither clock nor randomness nor I/O. What the
// formatter, the linter and the compiler see already is not repeated here.

import ts from "typescript";
import { lineOf, type Source, type Violation } from "./source_tree.ts";

export const fileLinesMax = 400;
export const functionLinesMax = 70;
/** Width in columns; the formatter leaves long strings and comments alone. */
export const lineColumnsMax = 100;
const headerLinesMin = 1;
const headerLinesMax = 15;

/** Names of files that collect dust: the tree is the index. */
const drawers = new Set(["index", "mod", "util", "utils", "helper", "helpers", "common", "types"]);

/** Globals that carry a clock, randomness or I/O, and that the compiler fence lets pass. */
const impureGlobals = new Set(["performance", "crypto", "Temporal", "Deno", "console"]);

/** Files longer than the limit, and lines wider than it (links and long literals excepted). */
export function oversizeFiles(sources: readonly Source[]): Violation[] {
  const violations: Violation[] = [];
  for (const { path, text } of sources) {
    const lines = text.replace(/\n$/, "").split("\n");
    if (lines.length > fileLinesMax) {
      violations.push({ path, line: lines.length, message: `has ${lines.length} lines` });
    }
    lines.forEach((line, index) => {
      const width = [...line].length;
      const unbreakable = /https?:\/\/|["'`][^"'`]{60,}["'`]/.test(line);
      if (width > lineColumnsMax && !unbreakable) {
        violations.push({ path, line: index + 1, message: `has a line of ${width} columns` });
      }
    });
  }
  return violations;
}

/**
 * Functions longer than a screen. Named functions inside one count on their own, as the methods
 * of a class do: a factory may be as long as its file. Callbacks count with what they stand in.
 */
export function longFunctions(sources: readonly Source[]): Violation[] {
  return everyNode(sources, (source, node) => {
    if (!isFunctionWithBody(node)) return undefined;
    const length = spanOf(source, node) - linesOfNamed(source, node);
    return length > functionLinesMax ? `holds a function of ${length} lines` : undefined;
  });
}

function isFunctionWithBody(node: ts.Node): boolean {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

function spanOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(source, node);
}

/** Lines, but for the first of each, of the outermost named functions inside `outer`. */
function linesOfNamed(source: Source, outer: ts.Node): number {
  let lines = 0;
  const visit = (node: ts.Node) => {
    if (isFunctionWithBody(node) && isNamed(node)) lines += spanOf(source, node) - 1;
    else ts.forEachChild(node, visit);
  };
  ts.forEachChild(outer, visit);
  return lines;
}

function isNamed(node: ts.Node): boolean {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return true;
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent);
}

/** `catch` blocks with neither a statement nor a sentence that says why. */
export function emptyCatches(sources: readonly Source[]): Violation[] {
  return everyNode(sources, (source, node) => {
    if (ts.isCatchClause(node) && node.block.statements.length === 0) {
      const inside = node.block.getText(source.tree).slice(1, -1);
      return inside.trim() === "" ? "has an empty catch" : undefined;
    }
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) {
      return undefined;
    }
    const handler = node.expression.name.text === "catch" ? node.arguments[0] : undefined;
    const swallows = handler && ts.isArrowFunction(handler) && ts.isBlock(handler.body) &&
      handler.body.statements.length === 0 &&
      handler.body.getText(source.tree).slice(1, -1).trim() === "";
    return swallows ? "swallows a rejection with an empty handler" : undefined;
  });
}

/** Clock, randomness or I/O in shared/: they come in as arguments there. */
export function impureCore(sources: readonly Source[]): Violation[] {
  const shared = sources.filter((source) => source.path.startsWith("shared/"));
  return everyNode(shared, (_source, node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const name = `${node.expression.getText()}.${node.name.text}`;
      if (name === "Date.now" || name === "Math.random") return `uses ${name}`;
    }
    if (ts.isNewExpression(node) && node.expression.getText() === "Date") {
      return (node.arguments?.length ?? 0) === 0 ? "uses new Date() without a time" : undefined;
    }
    if (ts.isIdentifier(node) && impureGlobals.has(node.text) && isGlobalUse(node)) {
      return `uses ${node.text}`;
    }
    const importsNode = ts.isImportDeclaration(node) &&
      /^["'](?:node:|@libp2p\/)/.test(node.moduleSpecifier.getText());
    return importsNode ? `imports ${node.moduleSpecifier.getText()}` : undefined;
  });
}

/** True when the identifier reads a global, rather than names a property or a binding. */
function isGlobalUse(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return ts.isCallExpression(parent) || ts.isElementAccessExpression(parent);
}

/** Files without a header comment of a few lines, drawers, default exports, barrels. */
export function badFiles(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const base = source.path.slice(source.path.lastIndexOf("/") + 1).replace(/\.[a-z.]+$/, "");
    const messages = [
      /^[a-z0-9_]+$/.test(base) ? undefined : "is not named in snake_case",
      drawers.has(base) ? "has the name of a drawer" : undefined,
      headerMessage(source),
      isBarrel(source) ? "only passes on what others export" : undefined,
    ];
    const found = messages.filter((message) => message !== undefined);
    return found.map((message) => ({ path: source.path, line: 1, message }));
  });
}

function headerMessage(source: Source): string | undefined {
  if (source.path.startsWith("tests/")) return undefined;
  const lines = source.text.split("\n");
  const start = lines.findIndex((line) => !line.startsWith("/// ") && !line.startsWith("/** @"));
  const body = lines.slice(start);
  const end = body.findIndex((line) => !line.startsWith("//"));
  const length = end === -1 ? body.length : end;
  if (length < headerLinesMin) return "has no header comment";
  return length > headerLinesMax ? `has a header of ${length} lines` : undefined;
}

function isBarrel(source: Source): boolean {
  const statements = source.tree.statements;
  return statements.length > 0 &&
    statements.every((statement) =>
      ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined
    );
}

/** Exported functions and classes of the product without a docstring, and default exports. */
export function undocumentedExports(sources: readonly Source[]): Violation[] {
  const product = sources.filter((source) => !source.path.startsWith("tests/"));
  return everyNode(product, (source, node) => {
    if (ts.isExportAssignment(node)) return "has a default export";
    if (!ts.isFunctionDeclaration(node) && !ts.isClassDeclaration(node)) return undefined;
    const kinds = (node.modifiers ?? []).map((modifier) => modifier.kind);
    if (!kinds.includes(ts.SyntaxKind.ExportKeyword)) return undefined;
    if (kinds.includes(ts.SyntaxKind.DefaultKeyword)) return "has a default export";
    const documented = ts.getJSDocCommentsAndTags(node).length > 0;
    const overload = ts.isFunctionDeclaration(node) && node.body === undefined;
    if (documented || overload) return undefined;
    return `exports ${node.name?.getText(source.tree) ?? "something"} without a docstring`;
  });
}

function everyNode(
  sources: readonly Source[],
  rule: (source: Source, node: ts.Node) => string | undefined,
): Violation[] {
  const violations: Violation[] = [];
  for (const source of sources) {
    const visit = (node: ts.Node) => {
      const message = rule(source, node);
      if (message) violations.push({ path: source.path, line: lineOf(source, node), message });
      ts.forEachChild(node, visit);
    };
    visit(source.tree);
  }
  return violations;
}
