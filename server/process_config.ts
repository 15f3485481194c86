// The settings of a process (node, gateway, cluster), from its command line, its own environment
// and the settings file. What a process may not read is said with the line that allows it.

import { fileURLToPath } from "node:url";
import { messageOf, SkyringError } from "../shared/base/errors.ts";
import { type Config, resolveConfig } from "./config.ts";
import { allowingLine } from "./permissions.ts";
import { environmentName, settingTable } from "./setting_table.ts";

/** The folder that holds this program, where `data/` and `skyring.json` lie by default. */
export const checkout = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where the user stands: the tasks run in the checkout. @throws never */
export function userFolder(): string {
  return Deno.env.get("SKYRING_CWD") ?? Deno.cwd();
}

/** Resolves `args` with this process's environment and files. @throws {SkyringError} bad_setting */
export function readProcessConfig(args: readonly string[]): Config {
  const names = Object.values(settingTable).map(({ flag }) => environmentName(flag));
  return resolveConfig({
    args,
    environment: Object.fromEntries(names.map((name) => [name, Deno.env.get(name)])),
    userFolder: userFolder(),
    checkout,
    readFile: (path) => readSettingsFile(path, args),
  });
}

function readSettingsFile(path: string, args: readonly string[]): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    const reason = cause instanceof Deno.errors.NotCapable
      ? `this process may not. This line allows it:\n${allowingLine(path, { checkout, args })}`
      : messageOf(cause);
    throw new SkyringError("bad_setting", `Cannot read ${path}: ${reason}`, { cause });
  }
}
