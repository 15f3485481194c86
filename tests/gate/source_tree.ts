// The source tree as the tidy rules see it: every TypeScript file parsed once, with its path
// from the root of the checkout, its layer and the files that it imports.
//
// A rule is a pure function from parsed files to violations, so that its own test can hand it
// made-up files. Only readTree() touches the disk.

import ts from "typescript";
import { dirname, join, normalize } from "node:path/posix";

/** One parsed file. `path` is relative to the root of the checkout, with `/`. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** One broken rule; `line` counts from 1. */
export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** An import, export-from, dynamic import or `new URL(..., import.meta.url)` of a local file. */
export interface LocalImport {
  readonly target: string;
  readonly line: number;
}

const layerFolders = ["shared", "web", "server", "tests"] as const;

/** Parses one file. @throws never: broken syntax shows in the type check */
export function parseSource(path: string, text: string): Source {
  const kind = path.endsWith(".tsx") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
  return { path, text, tree };
}

/** Reads and parses every .ts and .tsx file below the layers of the checkout at `root`. */
export function readTree(root: string): Source[] {
  const sources: Source[] = [];
  for (const layer of layerFolders) {
    for (const path of walk(root, layer)) {
      sources.push(parseSource(path, Deno.readTextFileSync(join(root, path))));
    }
  }
  return sources.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function* walk(root: string, folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* walk(root, path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

/** Local files that `source` refers to, in order of appearance. @throws never */
export function localImports(source: Source): LocalImport[] {
  const found: LocalImport[] = [];
  const visit = (node: ts.Node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined && /^\.{1,2}\//.test(specifier.text)) {
      const target = normalize(join(dirname(source.path), specifier.text));
      found.push({ target, line: lineOf(source, specifier) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source.tree);
  return found;
}

/** Line of a node, from 1. */
export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    const specifier = node.moduleSpecifier;
    return specifier && ts.isStringLiteralLike(specifier) ? specifier : undefined;
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return ts.isStringLiteralLike(node.argument.literal) ? node.argument.literal : undefined;
  }
  const dynamic = ts.isCallExpression(node) &&
    node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const url = ts.isNewExpression(node) && node.expression.getText() === "URL" &&
    node.arguments?.[1]?.getText() === "import.meta.url";
  if (dynamic || url) {
    const first = node.arguments?.[0];
    const literal = first && ts.isStringLiteralLike(first) ? first : undefined;
    // A URL may also name a folder or a data file: only modules count.
    return url && !/\.tsx?$/.test(literal?.text ?? "") ? undefined : literal;
  }
  return undefined;
}
