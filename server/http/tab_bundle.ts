// The tab's scripts as server/bundle_main.ts left them, read once.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { fromString } from "uint8arrays/from-string";
import * as v from "valibot";
import type { Services } from "./services.ts";

/** Where the scripts lie, beside the checkout's own folders; git does not look there. */
export const bundlePath: string = fileURLToPath(
  new URL("../../built/tab_bundle.json", import.meta.url),
);
/** The page's script, the worker's, and the cipher that the worker loads when it has joined. */
export const bundleNames = ["page.js", "worker.js", "cipher.js"] as const;
export type BundleName = typeof bundleNames[number];

/** The file: what it was made of, and each script in brotli and base64. */
export interface BundleFile {
  readonly stamp: string;
  readonly scripts: Readonly<Record<string, string>>;
}

/** A script, and the same compressed when it was made. */
export interface TabScript {
  readonly plain: Uint8Array;
  readonly brotli: Uint8Array;
  /** First half of a SHA-256 of the text, in hexadecimal: the version in its address. */
  readonly hash: string;
}

export type TabBundle = ReadonlyMap<BundleName, TabScript>;

const fileShape = v.object({ stamp: v.string(), scripts: v.record(v.string(), v.string()) });
let read: TabBundle | undefined;

/** The file; undefined when it was not made, or cannot be read. @throws never */
export function readBundleFile(): BundleFile | undefined {
  try {
    const file = v.safeParse(fileShape, JSON.parse(readFileSync(bundlePath, "utf8")));
    return file.success ? file.output : undefined;
  } catch {
    return undefined; // it is made by the next task that serves it
  }
}

/** The scripts; undefined when they were not made: the node then has no such page. */
export function readTabBundle(): TabBundle | undefined {
  if (read !== undefined) return read;
  const scripts = readBundleFile()?.scripts ?? {};
  const found = bundleNames.flatMap((name) => {
    const packed = scripts[name];
    return packed === undefined ? [] : [[name, scriptOf(packed)] as const];
  });
  if (found.length < bundleNames.length) return undefined; // looked for again
  read = new Map(found);
  return read;
}

function scriptOf(packed: string): TabScript {
  const brotli = fromString(packed, "base64");
  const plain = brotliDecompressSync(brotli);
  const hash = createHash("sha256").update(plain).digest("hex").slice(0, 16);
  return { plain, brotli, hash };
}

/** Whether this node has the page. @throws never */
export function canSeed(services: Services): boolean {
  return services.tabs !== undefined && services.peers !== undefined &&
    readTabBundle() !== undefined;
}
