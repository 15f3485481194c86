// `workers`: the background loops of the node that is asked, and pausing them.

import * as v from "valibot";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import type { Command } from "./command.ts";
import { readAnswer } from "./read_answer.ts";
import { printable, tableLines } from "./terminal.ts";

const rowSchema = v.object({
  name: v.string(),
  state: v.string(),
  progress: v.string(),
  lastError: v.nullable(v.string()),
});

/** Runs `workers [pause NAME | resume NAME]`: without operands lists them. @throws {CliFailure} */
export async function workers({ args, client, terminal }: Command): Promise<ExitCode> {
  const [action, name] = args.operands;
  if (action === undefined) {
    const answer = await client.callJson("GET", "/api/workers");
    const { items } = readAnswer(v.object({ items: v.array(rowSchema) }), answer);
    const rows = [["name", "state", "progress", "last error"]];
    for (const { name, state, progress, lastError } of items) {
      rows.push([name, state, progress, lastError ?? "-"].map(printable));
    }
    for (const line of tableLines(rows)) terminal.say(line);
    terminal.give(answer);
    return exitCodes.done;
  }
  if (!["pause", "resume"].includes(action) || name === undefined) {
    const usage = "workers [pause NAME | resume NAME]";
    throw new CliFailure(exitCodes.usage, `Cannot run workers: usage is ${usage}`);
  }
  const path = `/api/workers/${encodeURIComponent(name)}/${action}`;
  const response = await client.call("POST", path);
  await response.body?.cancel();
  terminal.say(printable(`${name} ${action}d`));
  terminal.give({ name, state: `${action}d` });
  return exitCodes.done;
}
