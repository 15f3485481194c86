// `cluster`: the supervised processes of `deno task cluster`, through its gateway.

import * as v from "valibot";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import type { Command } from "./command.ts";
import { readAnswer } from "./read_answer.ts";
import { printable, tableLines } from "./terminal.ts";

const root = "/api/cluster/nodes";
const changes = ["start", "stop", "pause", "resume", "remove"];
const rowSchema = v.object({
  name: v.string(),
  state: v.string(),
  pid: v.nullable(v.number()),
  starts: v.number(),
  linePort: v.number(),
  http: v.string(),
});

/** Runs `cluster`: without operands lists the nodes. @throws {CliFailure} */
export async function cluster(command: Command): Promise<ExitCode> {
  const { client, terminal, args: { operands } } = command;
  const [action = "list", name] = operands;
  if (action === "list" && name === undefined) return await list(command);
  if (action === "add" && name === undefined) {
    return tell(command, await client.callJson("POST", root));
  }
  if (!changes.includes(action) || name === undefined) {
    const usage = `cluster [list | add | ${changes.join(" NAME | ")} NAME]`;
    throw new CliFailure(exitCodes.usage, `Cannot run cluster: usage is ${usage}`);
  }
  const path = `${root}/${encodeURIComponent(name)}`;
  if (action !== "remove") {
    return tell(command, await client.callJson("POST", `${path}/${action}`));
  }
  await (await client.call("DELETE", path)).body?.cancel();
  terminal.say(printable(`${name} removed`));
  terminal.give({ name, state: "removed" });
  return exitCodes.done;
}

async function list({ client, terminal }: Command): Promise<ExitCode> {
  const answer = await client.callJson("GET", root);
  const { items } = readAnswer(v.object({ items: v.array(rowSchema) }), answer);
  const rows = [["name", "state", "pid", "starts", "address", "line port"]];
  for (const { name, state, pid, starts, http, linePort } of items) {
    rows.push([name, state, pid === null ? "-" : `${pid}`, `${starts}`, http, `${linePort}`]);
  }
  for (const line of tableLines(rows)) terminal.say(printable(line));
  terminal.give(answer);
  return exitCodes.done;
}

function tell({ terminal }: Command, answer: Record<string, unknown>): ExitCode {
  const { name, state } = readAnswer(rowSchema, answer);
  terminal.say(printable(`${name} ${state}`));
  terminal.give(answer);
  return exitCodes.done;
}
