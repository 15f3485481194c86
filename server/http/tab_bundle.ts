// The tab's scripts as server/bundle_main.ts left them, read once.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Services } from "./services.ts";

/** Where the scripts lie, beside the checkout's own folders; git does not look there. */
export const bundleFolder: string = fileURLToPath(new URL("../../built", import.meta.url));
/** The page's script and the worker's. */
export const bundleNames = ["page.js", "worker.js"] as const;

/** Both scripts as text. */
export interface TabBundle {
  readonly page: string;
  readonly worker: string;
}

let read: TabBundle | undefined;

/** The scripts; undefined when they were not made: the node then has no such page. */
export function readTabBundle(): TabBundle | undefined {
  if (read !== undefined) return read;
  try {
    const [page, worker] = bundleNames.map((name) =>
      readFileSync(join(bundleFolder, name), "utf8")
    );
    if (page !== undefined && worker !== undefined) read = { page, worker };
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
