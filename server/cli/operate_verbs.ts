// `leave`, `stop`, `forget`, `resize`: what an operator does to nodes. Jobs are followed to their
// end with a moving bar; Ctrl-C ends the following, not the job, unless --cancel says so later.

import * as v from "valibot";
import { parseSize, sizeExamples } from "../../shared/base/units.ts";
import { formatSize } from "../../shared/base/units.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import type { Command } from "./command.ts";
import { followJob } from "./job_verbs.ts";
import { printable, tableLines } from "./terminal.ts";

const planSchema = v.object({
  action: v.string(),
  remaining: v.number(),
  held: v.number(),
  heldBytes: v.number(),
  blocks: v.number(),
  bytes: v.number(),
  below: v.number(),
  lost: v.number(),
  neededBytes: v.number(),
  freeBytes: v.number(),
  keptBytes: v.number(),
});

type Plan = v.InferOutput<typeof planSchema>;

const forgottenSchema = v.object({
  id: v.string(),
  done: v.boolean(),
  epoch: v.number(),
  forced: v.boolean(),
  mayBeLost: v.object({
    blocksChecked: v.number(),
    blocksLost: v.number(),
    files: v.array(v.string()),
    filesLost: v.number(),
    slotsUndecided: v.number(),
    slots: v.number(),
    complete: v.boolean(),
  }),
});

/** Runs `leave NODE`. @throws {CliFailure} */
export function leave(command: Command): Promise<ExitCode> {
  return order(command, { method: "POST", verb: "leave" });
}

/** Runs `stop NODE`. @throws {CliFailure} */
export function stop(command: Command): Promise<ExitCode> {
  return order(command, { method: "POST", verb: "stop" });
}

/** Runs `resize NODE SIZE`. @throws {CliFailure} */
export function resize(command: Command): Promise<ExitCode> {
  const text = command.args.operands[1] ?? "";
  const bytes = parseSize(text);
  if (bytes === undefined || bytes < 1) {
    const message = `Cannot use size ${text}: expected ${sizeExamples}, at least 1 MiB`;
    throw new CliFailure(exitCodes.usage, message);
  }
  return order(command, { method: "PUT", verb: "capacity", json: { bytes } });
}

/** Runs `forget NODE`. @throws {CliFailure} */
export async function forget(command: Command): Promise<ExitCode> {
  const { client, terminal } = command;
  const path = actionPath(command, "forget");
  const answer = await client.callJson("POST", path);
  const parsed = v.safeParse(forgottenSchema, answer);
  if (!parsed.success) throw new CliFailure(exitCodes.failed, "Cannot read the answer: no report");
  const { done, forced, epoch, mayBeLost: lost } = parsed.output;
  const node = printable(command.args.operands[0] ?? "");
  if (done) terminal.say(`${node} is forgotten${forced ? " by force" : ""}, epoch ${epoch}`);
  else terminal.say(`${node} would be forgotten${forced ? ", by force only" : ""}`);
  const checked = `${lost.blocksChecked}${lost.complete ? "" : " and more"}`;
  const rows = [
    ["blocks that nobody has", `${lost.blocksLost} of ${checked}`],
    ["files with such blocks", String(lost.filesLost)],
    ["slots of records without a majority", `${lost.slotsUndecided} of ${lost.slots}`],
    ...lost.files.map((name) => ["", printable(name)]),
  ];
  for (const line of tableLines(rows)) terminal.say(line);
  terminal.give(answer);
  return exitCodes.done;
}

async function order(
  command: Command,
  given: { readonly method: string; readonly verb: string; readonly json?: unknown },
): Promise<ExitCode> {
  const { client, terminal, args } = command;
  const { method, verb, json } = given;
  const node = printable(args.operands[0] ?? "");
  const options = json === undefined ? {} : { json };
  let answer: Record<string, unknown>;
  try {
    answer = await client.callJson(method, actionPath(command, verb), options);
  } catch (error) {
    throw withPlan(error);
  }
  const plan = v.safeParse(planSchema, answer["plan"]);
  if (plan.success) {
    tellPlan(command, plan.output);
    terminal.give(answer);
    return exitCodes.done;
  }
  if (typeof answer["job"] === "string") {
    const job = answer["job"];
    if (args.switches.has("detach")) {
      terminal.say(job);
      terminal.give(answer);
      return exitCodes.done;
    }
    return await followJob(command, job);
  }
  terminal.say(`${node} stops`);
  terminal.give(answer);
  return exitCodes.done;
}

/** A refusal for want of copies or room is code 4, and says how to go on all the same. */
function withPlan(error: unknown): unknown {
  if (!(error instanceof CliFailure)) return error;
  const plan = v.safeParse(planSchema, error.problem);
  if (!plan.success) return error;
  const advice = plan.output.lost > 0 ? "" : "; --force goes on with fewer copies";
  const problem = error.problem === undefined ? {} : { problem: error.problem };
  return new CliFailure(exitCodes.notEnough, `${error.message}${advice}`, problem);
}

function tellPlan({ terminal }: Command, plan: Plan): void {
  const rows = [
    ["held here", `${plan.held} blocks, ${formatSize(plan.heldBytes)}`],
    ["will move", `${plan.blocks} blocks, ${formatSize(plan.bytes)}`],
    ["below their copies then", `${plan.below} blocks`],
    ["without any copy then", `${plan.lost} blocks`],
    ["room on the others", formatSize(plan.freeBytes)],
    ["nodes then", String(plan.remaining)],
  ];
  for (const line of tableLines(rows)) terminal.say(line);
}

function actionPath({ args }: Command, verb: string): string {
  const query = new URLSearchParams();
  if (args.switches.has("dry-run")) query.set("dry-run", "1");
  if (args.switches.has("force")) query.set("force", "1");
  const node = encodeURIComponent(args.operands[0] ?? "");
  return `/api/nodes/${node}/${verb}${query.size > 0 ? `?${query}` : ""}`;
}
