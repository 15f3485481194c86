// What an operator does to the nodes of the group, from any of them: finds the node that is meant,
// and carries the order out here or over the control channel. Forgetting is done here, since the
// node it is about is dead.

import { SkyringError } from "../../shared/base/errors.ts";
import { asNodeId, endsAs, idEnding, type NodeId } from "../../shared/base/ids.ts";
import type { JobSnapshot } from "../../shared/job.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { ControlReply } from "../../shared/wire/control_message.ts";
import type { AgreementDriver } from "./agreement_driver.ts";
import type { Clock } from "./clock.ts";
import type { Control, Order } from "./control.ts";
import { assertDecidable } from "./hand_off.ts";
import type { Jobs } from "./jobs.ts";
import type { Losses } from "./losses.ts";

/** What came of an order: a plan, a job that was begun, or done. */
export type Ordered = Extract<ControlReply, { kind: "plan" | "job" | "done" }>;

/** What came of forgetting a node. */
export interface Forgotten {
  readonly id: string;
  readonly done: boolean;
  readonly epoch: number;
  readonly lineage: string;
  readonly forced: boolean;
  readonly mayBeLost: Losses;
}

export interface OrderOptions {
  readonly dryRun: boolean;
  readonly force: boolean;
}

/** All methods take a node's id, an end of it, or its name.
 * @throws {SkyringError} not_found, conflict and more */
export interface NodeActions {
  leave(node: string, options: OrderOptions): Promise<Ordered>;
  stop(node: string, options: OrderOptions): Promise<Ordered>;
  resize(node: string, bytes: number, options: OrderOptions): Promise<Ordered>;
  forget(node: string, options: OrderOptions): Promise<Forgotten>;
  /** Jobs of this node and those that others told of, newest last. */
  jobs(): readonly JobSnapshot[];
  /** A job of any node. @throws {SkyringError} not_found */
  job(id: string): Promise<JobSnapshot>;
  cancel(id: string): Promise<JobSnapshot>;
  /** Begins to remove what nothing references, on this node and all others. */
  collect(): Promise<JobSnapshot>;
}

export interface NodeActionsOptions {
  readonly self: NodeId;
  /** This node's own name: known before its row says it. */
  readonly name: string;
  readonly nodes: () => readonly NodeSnapshot[];
  readonly agreement: Pick<AgreementDriver, "status" | "propose" | "roster" | "history">;
  readonly control: Control;
  readonly jobs: Jobs;
  readonly obey: (order: Order) => Promise<ControlReply>;
  /** Peers that can be asked about jobs: members, and leavers that are still here. */
  readonly peers: () => readonly NodeId[];
  readonly losses: (roster: Roster, gone: ReadonlySet<NodeId>) => Promise<Losses>;
  readonly clock: Clock;
}

/** A plan takes a while where much is held; an HTTP request in silence ends at 60 s. */
const orderMsMax = 50_000;
const askMsMax = 2_000;
const forgetMsMax = 20_000;
const pollMs = 100;

/** The actions of one node. @throws never */
export function createNodeActions(options: NodeActionsOptions): NodeActions {
  const { self, control, jobs, obey, peers } = options;

  const order = async (to: NodeId, given: Order): Promise<Ordered> => {
    if (to === self) return ordered(await obey(given));
    const row = options.nodes().find(({ id }) => id === to);
    if (row?.state === "dead" || row?.state === "left") {
      const text =
        `Cannot tell ${row.name} to ${given.kind}: it is ${row.state}; forget it instead`;
      throw new SkyringError("conflict", text, { data: { node: to } });
    }
    return ordered(await control.ask(to, given, { timeoutMs: orderMsMax }));
  };

  const find = async (id: string): Promise<JobSnapshot> => {
    const own = jobs.get(id);
    if (own !== undefined) return own;
    if (!/^[0-9a-f]{16}$/.test(id)) throw new SkyringError("not_found", "Cannot find that job");
    const told = control.told().find((job) => job.id === id);
    const asked = told === undefined ? peers() : [asNodeId(told.node)];
    const answers = await Promise.allSettled(
      asked.map((peer) => control.ask(peer, { kind: "jobs", id }, { timeoutMs: askMsMax })),
    );
    for (const answer of answers) {
      if (answer.status !== "fulfilled" || answer.value.kind !== "jobs") continue;
      const [job] = answer.value.jobs;
      if (job === undefined) continue;
      control.note(job);
      return job;
    }
    if (told !== undefined) return told;
    throw new SkyringError("not_found", "Cannot find that job");
  };

  return {
    leave: (node, { dryRun, force }) =>
      order(resolve(options, node), { kind: "leave", dryRun, force }),
    stop: (node, { dryRun }) => order(resolve(options, node), { kind: "stop", dryRun }),
    resize: (node, bytes, { dryRun, force }) =>
      order(resolve(options, node), { kind: "resize", bytes, dryRun, force }),
    forget: (node, given) => forget(options, node, given),
    jobs: () => {
      const own = jobs.list();
      const others = control.told().filter(({ node }) => node !== self);
      return [...own, ...others].sort((one, other) => one.startedAt - other.startedAt);
    },
    job: find,
    cancel: async (id) => {
      const job = await find(id);
      const given: Order = { kind: "cancel", id };
      const reply = job.node === self
        ? await obey(given)
        : await control.ask(asNodeId(job.node), given, { timeoutMs: orderMsMax });
      return reply.kind === "job" ? reply.job : job;
    },
    collect: () => jobs.start("collect", { what: "remove what nothing references" }),
  };
}

function ordered(reply: ControlReply): Ordered {
  if (reply.kind === "plan" || reply.kind === "job" || reply.kind === "done") return reply;
  throw new SkyringError("bad_message", `Cannot read answer: ${reply.kind} was not asked for`);
}

/** The member of that id, name or end of an id.
 * @throws {SkyringError} not_found, conflict: the name is shared */
function resolve({ nodes, self, name: own }: NodeActionsOptions, node: string): NodeId {
  const rows = nodes().map(({ id, name }) => ({ id, name: id === self ? own : name }));
  const byId = rows.find(({ id }) => id === node);
  if (byId !== undefined) return asNodeId(byId.id);
  const named = rows.filter(({ name }) => name === node);
  const [only, other] = named.length > 0 ? named : rows.filter(({ id }) => endsAs(id, node));
  if (only === undefined || (named.length === 0 && other !== undefined)) {
    throw new SkyringError(
      "not_found",
      `Cannot find node ${node}: no one member has that id or name`,
    );
  }
  if (named.length > 1) {
    const ids = named.map(({ id }) => id);
    const text = `Cannot choose node ${node}: ${named.length} have that name; ` +
      `give the end of an id: ${ids.map(idEnding).join(", ")}`;
    throw new SkyringError("conflict", text, { data: { ids } });
  }
  return asNodeId(only.id);
}

/** A member, or one of before that nobody needs to wait for. @throws {SkyringError} as resolve() */
function resolvePast(options: NodeActionsOptions, node: string): NodeId {
  const past = options.agreement.history().flatMap(({ members }) => members)
    .find(({ id }) => id === node);
  return past?.id ?? resolve(options, node);
}

async function forget(
  options: NodeActionsOptions,
  node: string,
  { dryRun, force }: OrderOptions,
): Promise<Forgotten> {
  const { self, agreement, clock } = options;
  const id = resolvePast(options, node);
  const row = options.nodes().find((one) => one.id === id);
  const name = row?.name ?? id;
  if (id === self) {
    throw new SkyringError("conflict", `Cannot forget ${name}: it is the node that is asked`);
  }
  if (row !== undefined && row.state !== "dead" && row.state !== "left") {
    const advice = row.state === "alive" ? "let it leave" : "wait until it is seen dead";
    throw new SkyringError("conflict", `Cannot forget ${name}: it is ${row.state}; ${advice}`);
  }
  const { roster, readOnly, member } = agreement.status();
  if (roster === undefined || !member) {
    throw new SkyringError("not_ready", `Cannot forget ${name}: this node is in no roster`);
  }
  const mayBeLost = await options.losses(roster, new Set([...roster.lost, id]));
  const said = (done: boolean, forced: boolean): Forgotten => {
    const { epoch, lineage } = agreement.roster() ?? roster;
    return { id, done, epoch, lineage, forced, mayBeLost };
  };
  const forced = readOnly && force;
  if (dryRun) return said(false, readOnly);
  if (!forced) assertDecidable({ readOnly }, `forget ${name}`);
  if (forced) {
    const salt = [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");
    agreement.propose({ kind: "force", lost: [id], foundedAt: Math.floor(clock.now()), salt });
  } else {
    agreement.propose({ kind: "forget", id });
  }
  const deadline = clock.now() + forgetMsMax;
  while (!isForgotten(agreement.roster(), id)) {
    if (clock.now() > deadline) {
      throw new SkyringError("no_quorum", `Cannot forget ${name}: the council did not decide`, {
        data: { withinMs: forgetMsMax },
        retriable: true,
      });
    }
    await clock.sleep(pollMs);
  }
  return said(true, forced);
}

function isForgotten(roster: Roster | undefined, id: NodeId): boolean {
  return roster !== undefined && roster.lost.includes(id) &&
    !roster.members.some((member) => member.id === id);
}
