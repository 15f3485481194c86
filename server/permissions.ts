// The least rights with which a node runs: all addresses, the folders that it is given, three
// facts of the system (host name for the zone, interfaces for mDNS and listening, free space),
// and its own environment variables. --ignore-env hides the others instead of failing where a
// dependency asks for one. No process, no foreign code, no prompt.

import { join } from "node:path";
import { SkyringError } from "../shared/base/errors.ts";

/**
 * A small young generation, its dead blocks freed at once; and a full collection when what lives
 * has grown to two and a half times itself. V8's own measure lets dead blocks pile up to four
 * times, or, once the heap stands at its limit, collects ten times a second.
 */
const collectorFlags = [
  "--max-semi-space-size=1",
  "--heap-growing-percent=150",
  "--no-concurrent-array-buffer-sweeping",
];

/** Flags of `deno run` for a node that may use these folders and files. */
export function nodeRights(paths: {
  readonly read: readonly string[];
  readonly write: readonly string[];
}): string[] {
  return [
    // Blocks die young: collected often, they do not pile up beside the heap (ARCHITECTURE.md).
    `--v8-flags=${collectorFlags.join(",")}`,
    "--no-prompt",
    "--allow-net",
    "--allow-sys=hostname,networkInterfaces,statfs",
    "--allow-env=SKYRING_*",
    "--ignore-env",
    `--allow-read=${paths.read.join(",")}`,
    `--allow-write=${paths.write.join(",")}`,
  ];
}

/**
 * Refuses a data folder that this process may not write, with the line that would allow it.
 * @throws {SkyringError} bad_setting
 */
export async function requireWritable(
  folder: string,
  options: { readonly checkout: string; readonly args: readonly string[] },
): Promise<void> {
  const [read, write] = await Promise.all([
    Deno.permissions.query({ name: "read", path: folder }),
    Deno.permissions.query({ name: "write", path: folder }),
  ]);
  if (read.state === "granted" && write.state === "granted") return;
  throw new SkyringError(
    "bad_setting",
    `Cannot use data folder ${folder}: this process may not write there. This line allows it:\n` +
      allowingLine(folder, options),
    { data: { folder } },
  );
}

/** The `deno run` line of a node that may use `path` too. @throws never */
export function allowingLine(
  path: string,
  options: { readonly checkout: string; readonly args: readonly string[] },
): string {
  const { checkout, args } = options;
  const rights = nodeRights({
    read: [checkout, path],
    write: [join(checkout, "data"), path],
  });
  const config = ["--config", join(checkout, "deno.json")];
  return ["deno", "run", ...config, ...rights, join(checkout, "server/main.ts"), ...args]
    .map(quoted).join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
