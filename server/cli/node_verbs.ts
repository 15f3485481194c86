// `status`, `nodes`, `ring`, `invite`: the pool as the node that is asked sees it.

import * as v from "valibot";
import { formatDuration, formatSize } from "../../shared/base/units.ts";
import { idEnding } from "../../shared/base/ids.ts";
import type { ApiClient } from "./api_client.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import type { Command } from "./command.ts";
import { readAnswer } from "./read_answer.ts";
import { printable, tableLines } from "./terminal.ts";

const nodeSchema = v.object({
  id: v.string(),
  name: v.string(),
  zone: v.string(),
  state: v.string(),
  phase: v.object({ phase: v.string(), because: v.string() }),
  http: v.nullish(v.string()),
  capacity: v.number(),
  used: v.number(),
  share: v.number(),
  roundTripMs: v.nullish(v.number()),
});

const statusSchema = v.object({
  ...nodeSchema.entries,
  group: v.string(),
  version: v.string(),
  addresses: v.array(v.string()),
  startedAt: v.number(),
  writable: v.boolean(),
  blocks: v.object({ held: v.number(), wanted: v.number(), surplus: v.number() }),
  roster: v.object({ epoch: v.number(), members: v.number(), council: v.array(v.string()) }),
  jobs: v.optional(v.array(v.object({ what: v.string(), note: v.string() })), []),
});

const ringSchema = v.object({
  nodes: v.array(v.object({
    name: v.string(),
    position: v.union([v.string(), v.number()]),
    tokens: v.number(),
    successor: v.nullish(v.string()),
    id: v.string(),
  })),
});

/** Runs `status`. @throws {CliFailure} */
export async function status(command: Command): Promise<ExitCode> {
  const { client, terminal } = command;
  const answer = await client.callJson("GET", "/api/status");
  const node = readAnswer(statusSchema, answer);
  const rows = [
    ["node", `${node.name} of group ${node.group}, version ${node.version}`],
    ["id", node.id],
    ["phase", `${node.phase.phase}: ${node.phase.because}`],
    ["dashboard", node.http ?? client.base],
    ...node.addresses.map((address, index) => [index === 0 ? "p2p" : "", address]),
    ["blocks", `${node.blocks.held} held, ${node.blocks.wanted} wanted`],
    ["space", `${formatSize(node.used)} of ${formatSize(node.capacity)} used`],
    [
      "roster",
      `${node.roster.members} nodes, epoch ${node.roster.epoch}, ` +
      `council of ${node.roster.council.length}${node.writable ? "" : "; read-only"}`,
    ],
    ...node.jobs.map(({ what, note }) => ["job", `${what}: ${note}`]),
  ];
  for (const line of tableLines(rows)) terminal.say(printable(line));
  terminal.give(answer);
  return exitCodes.done;
}

/** Runs `nodes`. @throws {CliFailure} */
export async function nodes(command: Command): Promise<ExitCode> {
  const { client, terminal } = command;
  const items = await allItems(client, "/api/nodes");
  const rows = [[
    "name",
    "state",
    "phase",
    "used",
    "capacity",
    "share",
    "ping",
    "address",
    "id ends",
  ]];
  for (const node of items.map((item) => readAnswer(nodeSchema, item))) {
    const isGone = node.state === "dead" || node.state === "left";
    rows.push([
      node.name,
      // It left the air, not the pool: a member that said goodbye.
      node.state === "left" ? "stopped" : node.state,
      isGone ? "-" : node.phase.phase,
      formatSize(node.used),
      formatSize(node.capacity),
      `${(node.share * 100).toFixed(1)} %`,
      node.roundTripMs === null || node.roundTripMs === undefined
        ? "-"
        : formatDuration(node.roundTripMs),
      node.http ?? "-",
      idEnding(node.id),
    ]);
  }
  for (const line of tableLines(rows)) terminal.say(printable(line));
  terminal.give({ items, next: null });
  return exitCodes.done;
}

/** Runs `ring`: nodes in the order of the ring. @throws {CliFailure} */
export async function ring(command: Command): Promise<ExitCode> {
  const { client, terminal } = command;
  const answer = await client.callJson("GET", "/api/ring");
  const { nodes: members } = readAnswer(ringSchema, answer);
  const nameOf = new Map(members.map(({ id, name }) => [id, name]));
  const rows = [["position", "name", "tokens", "successor"]];
  const order = [...members].sort((a, b) => (a.position < b.position ? -1 : 1));
  for (const { name, position, tokens, successor } of order) {
    const next = successor ? nameOf.get(successor) ?? successor : "-";
    rows.push([String(position).slice(0, 16), name, String(tokens), next]);
  }
  for (const line of tableLines(rows)) terminal.say(printable(line));
  terminal.give(answer);
  return exitCodes.done;
}

/** Runs `invite`: prints a token that `--join` takes. @throws {CliFailure} */
export async function invite(command: Command): Promise<ExitCode> {
  const { client, terminal } = command;
  const answer = await client.callJson("POST", "/api/invites");
  const token = readAnswer(v.object({ invite: v.string() }), answer).invite;
  terminal.say(printable(token));
  terminal.give(answer);
  if (!terminal.quiet && !terminal.json && terminal.errorIsTerminal) {
    terminal.complain("It holds the group secret: who has it is a member.\n");
  }
  return exitCodes.done;
}

async function allItems(client: ApiClient, path: string): Promise<unknown[]> {
  const all: unknown[] = [];
  let cursor: unknown;
  do {
    const query = new URLSearchParams({ limit: "1000" });
    if (typeof cursor === "string") query.set("cursor", cursor);
    const page = await client.callJson("GET", `${path}?${query}`);
    const items = page["items"];
    if (!Array.isArray(items)) throw new CliFailure(exitCodes.failed, "Cannot read the list");
    all.push(...items);
    cursor = page["next"];
  } while (typeof cursor === "string");
  return all;
}
