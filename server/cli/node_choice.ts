// Which node a command speaks to: --node, else SKYRING_NODE, else the gateway or the first running
// node under data/, else 127.0.0.1:8080. The admin token of a node or gateway of this machine is
// read from its folder, and sent to that one alone.

import { holdersIn } from "../disk/folder_lock.ts";
import { readSecret } from "../disk/secret_file.ts";
import { gatewayFolder } from "../gateway/gateway_folder.ts";
import { CliFailure, exitCodes } from "./cli_failure.ts";

const fallback = "http://127.0.0.1:8080";

/** Where to send requests, and with which token. */
export interface NodeChoice {
  readonly base: string;
  readonly token: string | undefined;
  /** What to say when nothing answers there and nobody asked for it by name. */
  readonly advice?: string;
}

const advice = "no node runs under data/; start one with `deno task node`, five with " +
  "`deno task cluster`, or give --node URL";

/** Chooses a node. @throws {CliFailure} usage, for what is no URL */
export async function chooseNode(options: {
  readonly node: string | undefined;
  readonly token: string | undefined;
  readonly environment: (name: string) => string | undefined;
  readonly dataRoot: string;
}): Promise<NodeChoice> {
  const running = [
    ...await holdersIn(gatewayFolder(options.dataRoot)),
    ...await holdersIn(options.dataRoot),
  ].filter(({ http }) => http !== null);
  const asked = options.node ?? options.environment("SKYRING_NODE");
  const base = baseOf(asked ?? running[0]?.http ?? fallback);
  const guessed = asked === undefined && running.length === 0 ? { advice } : {};
  const token = options.token ?? options.environment("SKYRING_TOKEN");
  if (token !== undefined) return { base, token, ...guessed };
  const holder = running.find(({ http }) => http !== null && baseOf(http) === base);
  return { base, token: holder && await readSecret(holder.folder, "token"), ...guessed };
}

/** A base URL without a slash at its end; `host:port` alone means HTTP. */
function baseOf(text: string): string {
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url)) {
    throw new CliFailure(exitCodes.usage, `Cannot use node "${text}": expected http://host:port`);
  }
  return new URL(url).origin;
}
