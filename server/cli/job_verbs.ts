// `jobs`, `collect`, `heal`, `lookup`, `share`: long work and its end, and small questions.

import * as v from "valibot";
import { encodeName } from "../../shared/base/name.ts";
import { durationExamples, formatSize, parseDuration } from "../../shared/base/units.ts";
import { waitFor } from "../../web/wait.ts";
import { CliFailure, type ExitCode, exitCodeOf, exitCodes } from "./cli_failure.ts";
import type { Command } from "./command.ts";
import { startProgress } from "./progress.ts";
import { checkedName } from "./remote_file.ts";
import { printable, tableLines } from "./terminal.ts";

const amount = v.object({ done: v.number(), total: v.number() });
const jobSchema = v.object({
  id: v.string(),
  what: v.string(),
  name: v.string(),
  state: v.picklist(["waiting", "running", "done", "failed", "cancelled"]),
  note: v.string(),
  blocks: amount,
  bytes: amount,
  timeLeftMs: v.nullable(v.number()),
  error: v.nullable(v.object({ code: v.string(), detail: v.string() })),
});

type Job = v.InferOutput<typeof jobSchema>;

const pollMs = 300;
/** A node that leaves is gone soon after its last word. */
const missesMax = 20;
const notEnough: ReadonlySet<string> = new Set(["conflict", "full", "no_quorum", "read_only"]);

/** Runs `jobs [ID]`, with --cancel takes one back. @throws {CliFailure} */
export async function jobs(command: Command): Promise<ExitCode> {
  const { client, terminal, args } = command;
  const [id] = args.operands;
  if (id !== undefined) {
    const method = args.switches.has("cancel") ? "DELETE" : "GET";
    const answer = await client.callJson(method, `/api/jobs/${encodeURIComponent(id)}`);
    tellJobs(command, [parseJob(answer)]);
    terminal.give(answer);
    return exitCodes.done;
  }
  if (args.switches.has("cancel")) {
    throw new CliFailure(exitCodes.usage, "Cannot cancel: usage is jobs --cancel ID");
  }
  const answer = await client.callJson("GET", "/api/jobs?limit=1000");
  const items = answer["items"];
  if (!Array.isArray(items)) throw new CliFailure(exitCodes.failed, "Cannot read the list");
  tellJobs(command, items.map(parseJob));
  terminal.give(answer);
  return exitCodes.done;
}

/** Runs `collect`. @throws {CliFailure} */
export async function collect(command: Command): Promise<ExitCode> {
  const answer = await command.client.callJson("POST", "/api/collect");
  if (typeof answer["job"] !== "string") {
    throw new CliFailure(exitCodes.failed, "Cannot read the answer: no job");
  }
  return await followJob(command, answer["job"]);
}

/** Shows a job until it has ended. @returns 0 when it is done. @throws {CliFailure} */
export async function followJob(command: Command, id: string): Promise<ExitCode> {
  const { client, terminal, now, signal } = command;
  const progress = startProgress({ label: "waits", total: undefined, terminal, now });
  let bar: ReturnType<typeof startProgress> | undefined;
  let shown = 0;
  let misses = 0;
  try {
    for (;;) {
      let job: Job;
      let answer: Record<string, unknown>;
      try {
        answer = await client.callJson("GET", `/api/jobs/${id}`);
        job = parseJob(answer);
        misses = 0;
      } catch (error) {
        if (signal.aborted || ++misses > missesMax) throw error;
        await waitFor(pollMs, signal);
        continue;
      }
      if (job.state !== "waiting" && job.state !== "running") {
        terminal.give(answer);
        return endOf(command, job);
      }
      if (bar === undefined && job.bytes.total > 0) {
        progress.end();
        bar = startProgress({ label: job.what, total: job.bytes.total, terminal, now });
      }
      (bar ?? progress).label(printable(bar === undefined ? job.note : job.what));
      bar?.add(Math.max(0, job.bytes.done - shown));
      shown = Math.max(shown, job.bytes.done);
      await waitFor(pollMs, signal);
    }
  } finally {
    (bar ?? progress).end();
  }
}

function endOf({ terminal }: Command, job: Job): ExitCode {
  if (job.state === "done") {
    if (!terminal.quiet) terminal.say(`${printable(job.what)}: ${printable(job.note)}`);
    return exitCodes.done;
  }
  const detail = job.error?.detail ?? `it was ${job.state}`;
  const code = notEnough.has(job.error?.code ?? "") ? exitCodes.notEnough : exitCodes.failed;
  throw new CliFailure(code, printable(detail));
}

const healLine = v.variant("kind", [
  v.object({
    kind: v.literal("progress"),
    nodesDone: v.number(),
    nodes: v.number(),
    blocksWanted: v.number(),
    blocksRestored: v.number(),
  }),
  v.object({
    kind: v.literal("report"),
    nodesChecked: v.number(),
    nodesDead: v.number(),
    blocksRestored: v.number(),
    blocksLost: v.number(),
  }),
]);

/** Runs `heal`: 1 when a block is lost for good. @throws {CliFailure} */
export async function heal(command: Command): Promise<ExitCode> {
  const { client, terminal, now } = command;
  const response = await client.call("POST", "/api/heal");
  const progress = startProgress({ label: "heals", total: undefined, terminal, now });
  try {
    for await (const text of linesOf(response)) {
      const line = v.parse(healLine, JSON.parse(text));
      if (line.kind === "progress") {
        progress.label(
          `${line.nodesDone} of ${line.nodes} nodes checked, ${line.blocksWanted} blocks wanted, ` +
            `${line.blocksRestored} restored`,
        );
        continue;
      }
      progress.end();
      for (
        const row of tableLines([
          ["nodes checked", `${line.nodesChecked}, ${line.nodesDead} dead`],
          ["blocks restored", String(line.blocksRestored)],
          ["blocks lost for good", String(line.blocksLost)],
        ])
      ) terminal.say(row);
      terminal.give(line);
      return line.blocksLost > 0 ? exitCodes.failed : exitCodes.done;
    }
  } finally {
    progress.end();
  }
  throw new CliFailure(exitCodes.failed, "Cannot heal: the answer ended before its report");
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part !== "");
  }
  if (rest !== "") yield rest;
}

const placeSchema = v.object({
  kind: v.string(),
  slot: v.number(),
  owners: v.array(v.string()),
  content: v.nullable(v.object({
    cid: v.string(),
    slot: v.number(),
    owners: v.array(v.string()),
    holders: v.array(v.string()),
  })),
});

/** Runs `lookup KEY`. @throws {CliFailure} */
export async function lookup(command: Command): Promise<ExitCode> {
  const { client, terminal, args } = command;
  const query = new URLSearchParams({ key: args.operands[0] ?? "" });
  const answer = await client.callJson("GET", `/api/ring/lookup?${query}`);
  const { slot, owners, content, kind } = v.parse(placeSchema, answer);
  const names = await nodeNames(command);
  const shown = (ids: readonly string[]) =>
    printable(ids.map((id) => names.get(id) ?? id).join(" "));
  const rows = [["slot", String(slot)], ["owners", shown(owners)]];
  if (content !== null) {
    if (kind === "file") {
      rows.push(["content", content.cid], ["its slot", String(content.slot)]);
      rows.push(["its owners", shown(content.owners)]);
    }
    rows.push(["holders", shown(content.holders)]);
  }
  for (const line of tableLines(rows)) terminal.say(line);
  terminal.give(answer);
  return exitCodes.done;
}

async function nodeNames({ client }: Command): Promise<Map<string, string>> {
  const { items } = await client.callJson("GET", "/api/nodes?limit=1000");
  const rows = v.safeParse(v.array(v.object({ id: v.string(), name: v.string() })), items);
  return new Map(rows.success ? rows.output.map(({ id, name }) => [id, name]) : []);
}

/** Runs `share NAME`: prints a link that needs no token. @throws {CliFailure} */
export async function share(command: Command): Promise<ExitCode> {
  const { client, terminal, args } = command;
  const text = args.values["expires"] ?? "1d";
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) {
    const message = `Cannot use --expires ${text}: expected ${durationExamples}`;
    throw new CliFailure(exitCodes.usage, message);
  }
  const name = checkedName(args.operands[0] ?? "");
  const expires = Date.now() + ms;
  const answer = await client.callJson("POST", "/api/shares", { json: { name, expires } });
  const url = answer["url"];
  if (typeof url !== "string") throw new CliFailure(exitCodes.failed, "Cannot read the answer");
  terminal.say(printable(`${client.base}${url}`));
  terminal.give({ ...answer, link: `${client.base}${url}`, name: encodeName(name) });
  return exitCodes.done;
}

function parseJob(value: unknown): Job {
  const parsed = v.safeParse(jobSchema, value);
  if (parsed.success) return parsed.output;
  throw new CliFailure(exitCodeOf(500), "Cannot read the answer: it is no job");
}

function tellJobs({ terminal }: Command, list: readonly Job[]): void {
  const rows = [["id", "node", "state", "blocks", "bytes", "what"]];
  for (const { id, name, state, blocks, bytes, what, note } of list) {
    rows.push([
      id,
      printable(name),
      state,
      `${blocks.done}/${blocks.total}`,
      `${formatSize(bytes.done)}/${formatSize(bytes.total)}`,
      printable(`${what}: ${note}`),
    ]);
  }
  for (const line of tableLines(rows)) terminal.say(line);
}
