// The tab's scripts as server/bundle_main.ts left them, read once.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Services } from "./services.ts";

/** Where the scripts lie, beside the checkout's own folders; git does not look there. */
export const bundleFolder: string = fileURLToPath(new URL("../../built", import.meta.url));
/** The page's script, the worker's, and the cipher that the worker loads when it has joined. */
export const bundleNames = ["page.js", "worker.js", "cipher.js"] as const;
export type BundleName = typeof bundleNames[number];

/** A script and the same compressed, made once: these never change while a node runs. */
export interface TabScript {
  readonly plain: Uint8Array;
  readonly brotli: Uint8Array;
  /** First half of a SHA-256 of the text, in hexadecimal: the version in its address. */
  readonly hash: string;
}

export type TabBundle = ReadonlyMap<BundleName, TabScript>;

let read: TabBundle | undefined;

function readScript(path: string): TabScript {
  const plain = readFileSync(path);
  const hash = createHash("sha256").update(plain).digest("hex").slice(0, 16);
  return { plain, brotli: readFileSync(`${path}.br`), hash };
}

/** The scripts; undefined when they were not made: the node then has no such page. */
export function readTabBundle(): TabBundle | undefined {
  if (read !== undefined) return read;
  try {
    read = new Map(bundleNames.map((name) => [name, readScript(join(bundleFolder, name))]));
  } catch {
    return undefined; // not made yet; looked for again
  }
  return read;
}

/** Whether this node has the page. @throws never */
export function canSeed(services: Services): boolean {
  return services.tabs !== undefined && services.peers !== undefined &&
    readTabBundle() !== undefined;
}
