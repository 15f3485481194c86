// `cp`, `link`, `copies`: names and copies of content that the pool has already. No file content
// passes through here. `link` is also how a deleted file comes back within the keep time.

import * as v from "valibot";
import { replicasMax } from "../../shared/base/limits.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import type { Command } from "./command.ts";
import { checkedName, filePath, parseRemoteFile, statFile } from "./remote_file.ts";
import { printable } from "./terminal.ts";

/** Runs `cp OLD NEW`: refuses to overwrite without --force. @throws {CliFailure} */
export async function cp(command: Command): Promise<ExitCode> {
  const [from = "", to = ""] = command.args.operands.map(checkedName);
  if (from === to) throw new CliFailure(exitCodes.usage, "Cannot copy a file onto itself");
  const { cid, replicas } = await statFile(command.client, from);
  return await name(command, { cid, to, replicas: replicas.wanted });
}

/** Runs `link CID NAME`: refuses to overwrite without --force. @throws {CliFailure} */
export async function link(command: Command): Promise<ExitCode> {
  const [cid = "", to = ""] = command.args.operands;
  return await name(command, { cid, to: checkedName(to) });
}

async function name(
  { args, client, terminal }: Command,
  { cid, to, replicas }: { readonly cid: string; readonly to: string; readonly replicas?: number },
): Promise<ExitCode> {
  const query = new URLSearchParams({ from: cid });
  if (replicas !== undefined) query.set("replicas", String(Math.max(1, replicas)));
  const file = parseRemoteFile(
    await client.callJson("PUT", `${filePath(to)}?${query}`, {
      headers: args.switches.has("force") ? {} : { "if-none-match": "*" },
    }),
  );
  if (!terminal.quiet) terminal.say(`${printable(to)} names ${file.cid}`);
  terminal.give(file);
  return exitCodes.done;
}

/** Runs `copies NAME COUNT`. @throws {CliFailure} */
export async function copies({ args, client, terminal }: Command): Promise<ExitCode> {
  const [text = "", count = ""] = args.operands;
  const wanted = v.safeParse(
    v.pipe(v.string(), v.regex(/^\d$/), v.transform(Number), v.minValue(1)),
    count,
  );
  if (!wanted.success) {
    throw new CliFailure(exitCodes.usage, `Cannot use ${count}: copies are 1 to ${replicasMax}`);
  }
  const answer = await client.callJson("PATCH", filePath(text), {
    json: { replicas: wanted.output },
  });
  const file = parseRemoteFile(answer);
  const { least } = file.replicas;
  if (!terminal.quiet) {
    terminal.say(`${printable(text)}: ${file.replicas.wanted} copies wanted, ${least} now`);
    const { items } = await client.callJson("GET", `/api/nodes?limit=${replicasMax}`);
    const nodes = Array.isArray(items) ? items.length : replicasMax;
    if (nodes < wanted.output) {
      terminal.complain(`skyring: the pool has ${nodes} nodes: no more copies until others join\n`);
    }
  }
  terminal.give(file);
  return exitCodes.done;
}
