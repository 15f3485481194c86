// N supervised nodes on one machine: node 0 founds the group, the others join it once it can be
// reached. Nodes are added, stopped, started and taken away while it runs. Stopping stops all of
// them; it ends by itself when every node ended for good without being stopped here.
//
// Invariants: one change of a node at a time; ports and folders of a node that is started are
// checked first, so that nothing half started is left.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { SkyringError } from "../../shared/base/errors.ts";
import { removeIfThere } from "../disk/durable_file.ts";
import { holderOf, isHeld } from "../disk/folder_lock.ts";
import { nodeRights } from "../permissions.ts";
import {
  clusterNodesMax,
  type ClusterPlan,
  type PlannedNode,
  plannedNode,
  requireFreeNode,
} from "./cluster_plan.ts";
import { startProcessGuard } from "./process_guard.ts";
import { type SupervisedNode, type SupervisedState, superviseNode } from "./supervised_node.ts";

/** Long enough for a first start that fetches its packages. */
const founderWaitMs = 120_000;
const founderPollMs = 100;

/** What a cluster needs beside its plan. */
export interface ClusterOptions {
  readonly plan: ClusterPlan;
  readonly host: string;
  /** Folder that holds the nodes' folders. */
  readonly dataRoot: string;
  /** Further folder that nodes may read: where the user stands. */
  readonly userFolder: string;
  /** Secrets and the like for every node, as environment: not visible in process lists. */
  readonly environment: Readonly<Record<string, string>>;
  /** The program of a node; tests put a small one in its place. */
  readonly entry: string;
  /** Takes one line of one node. */
  readonly say: (name: string, line: string) => void;
}

/** One node of a cluster as people see it. */
export interface ClusterNode {
  readonly name: string;
  readonly state: SupervisedState;
  readonly pid: number | null;
  /** Times it was started. */
  readonly starts: number;
  readonly port: number;
  readonly p2pPort: number;
  readonly linePort: number;
  readonly http: string;
}

/** A running cluster. Changes throw SkyringError not_found or conflict. */
export interface Cluster {
  nodes(): readonly ClusterNode[];
  /** One more node, the first whose place is free. @throws {SkyringError} conflict */
  add(): Promise<ClusterNode>;
  start(name: string): Promise<ClusterNode>;
  /** Ends its process and does not start it again; it stays in the roster. */
  stop(name: string): Promise<ClusterNode>;
  pause(name: string): Promise<ClusterNode>;
  resume(name: string): Promise<ClusterNode>;
  /** Stops it and forgets it here; its data folder stays. */
  remove(name: string): Promise<void>;
  /** Resolves once all nodes ended for good by themselves. */
  readonly ended: Promise<void>;
  stopAll(): Promise<void>;
}

interface Slot {
  readonly planned: PlannedNode;
  supervised: SupervisedNode;
  /** Stopped through this cluster: the cluster goes on without it. */
  stopped: boolean;
}

const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/**
 * Checks folders, then starts the nodes on ports that were found free; resolves once all are
 * started. @throws {SkyringError} locked: nothing was started
 */
export async function startCluster(
  options: ClusterOptions,
  signal: AbortSignal,
): Promise<Cluster> {
  const { plan } = options;
  for (const { folder } of plan.nodes) await requireFree(folder, "start cluster");
  for (const { folder } of plan.wipe ? plan.nodes : []) {
    await removeIfThere(folder, { recursive: true });
  }
  const slots = new Map<string, Slot>();
  const ended = Promise.withResolvers<void>();
  const guard = startProcessGuard((line) => options.say("cluster", line));
  const watch = () =>
    guard.watch([...slots.values()].flatMap(({ supervised }) => supervised.pid() ?? []));
  const launch = (planned: PlannedNode, later: boolean) => {
    const supervised = supervise(planned, { ...options, slots, later, onProcess: watch });
    const slot: Slot = { planned, supervised, stopped: false };
    slots.set(planned.name, slot);
    void supervised.ended.then(() => {
      const all = [...slots.values()];
      const over = all.every((each) => each.supervised.state() === "ended" && !each.stopped);
      if (over && all.length > 0) ended.resolve();
    });
    watch();
    return slot;
  };
  const [founder, ...others] = plan.nodes;
  if (founder) {
    const { supervised } = launch(founder, false);
    if (others.length > 0) await untilReachable(founder, supervised, signal);
  }
  for (const other of others) if (!signal.aborted) launch(other, false);
  return {
    ...changesOf({ options, slots, launch }),
    nodes: () => [...slots.values()].map((slot) => rowOf(slot, options.host)),
    ended: ended.promise,
    stopAll: async () => {
      await Promise.all([...slots.values()].map(({ supervised }) => supervised.stop()));
      await guard.stop();
    },
  };
}

interface Room {
  readonly options: ClusterOptions;
  readonly slots: Map<string, Slot>;
  readonly launch: (planned: PlannedNode, later: boolean) => Slot;
}

function changesOf(
  { options, slots, launch }: Room,
): Pick<Cluster, "add" | "start" | "stop" | "pause" | "resume" | "remove"> {
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(change: () => T | Promise<T>): Promise<T> => {
    const next = turn.then(change);
    turn = next.catch(() => undefined); // told to who asked for the change
    return next;
  };
  const need = (name: string): Slot => {
    const slot = slots.get(name);
    if (slot !== undefined) return slot;
    throw new SkyringError("not_found", `Cannot find node ${name} in this cluster`);
  };
  const row = (slot: Slot) => rowOf(slot, options.host);
  const begin = async (planned: PlannedNode) => {
    requireFreeNode(planned, options.host);
    await requireFree(planned.folder, `start ${planned.name}`);
    return row(launch(planned, true));
  };
  const end = async (slot: Slot) => {
    slot.stopped = true;
    await slot.supervised.stop();
  };
  const refuse = (verb: string, { planned, supervised }: Slot): never => {
    const state = supervised.state();
    const message = `Cannot ${verb} ${planned.name}: it is ${state}`;
    throw new SkyringError("conflict", message, { data: { state } });
  };
  return {
    add: () => inTurn(() => begin(nextPlace(slots, options))),
    start: (name) =>
      inTurn(() => {
        const slot = need(name);
        return slot.supervised.state() === "ended" ? begin(slot.planned) : refuse("start", slot);
      }),
    stop: (name) =>
      inTurn(async () => {
        const slot = need(name);
        if (slot.supervised.state() === "ended") refuse("stop", slot);
        await end(slot);
        return row(slot);
      }),
    pause: (name) =>
      inTurn(() => {
        const slot = need(name);
        if (slot.supervised.state() !== "running" || !slot.supervised.pause()) {
          refuse("pause", slot);
        }
        return row(slot);
      }),
    resume: (name) =>
      inTurn(() => {
        const slot = need(name);
        if (!slot.supervised.resume()) refuse("resume", slot);
        return row(slot);
      }),
    remove: (name) =>
      inTurn(async () => {
        await end(need(name));
        slots.delete(name);
      }),
  };
}

/** The first place of the cluster that no node has. */
function nextPlace(slots: ReadonlyMap<string, Slot>, options: ClusterOptions): PlannedNode {
  const { plan: { basePort }, dataRoot } = options;
  for (let index = 0; index < clusterNodesMax; index++) {
    const place = plannedNode(index, { basePort, dataRoot });
    if (!slots.has(place.name)) return place;
  }
  throw new SkyringError("conflict", `Cannot add a node: ${clusterNodesMax} is the most`, {
    data: { limit: clusterNodesMax },
  });
}

function rowOf({ planned, supervised }: Slot, host: string): ClusterNode {
  const { name, port, p2pPort, linePort } = planned;
  return {
    ...{ name, state: supervised.state(), pid: supervised.pid() ?? null },
    ...{ starts: supervised.starts(), port, p2pPort, linePort },
    http: `http://${localName(host)}:${port}`,
  };
}

function supervise(
  node: PlannedNode,
  options: ClusterOptions & {
    readonly slots: ReadonlyMap<string, Slot>;
    /** Started while the cluster ran, not with it. */
    readonly later: boolean;
    readonly onProcess: () => void;
  },
): SupervisedNode {
  const { plan, entry, userFolder, slots, onProcess } = options;
  const founds = node.name === plan.nodes[0]?.name && !options.later;
  const rights = nodeRights({
    read: [checkout, dirname(node.folder), userFolder],
    write: [dirname(node.folder), userFolder],
  });
  const own = [
    ...["--name", node.name, "--data", node.folder, "--port", String(node.port)],
    ...["--p2p-port", String(node.p2pPort), "--line-port", String(node.linePort)],
  ];
  let started = options.later;
  const joinFlags = () => {
    const peers = [...slots.values()].map(({ planned }) => planned)
      .filter(({ name }) => name !== node.name);
    const again = started;
    started = true;
    // Who starts again joins whoever is there: never does it found a second group.
    if (peers.length === 0 || (founds && !again)) return [];
    const urls = peers.map(({ port }) => `http://${localName(options.host)}:${port}`);
    return ["--join", (again ? urls : urls.slice(0, 1)).join(",")];
  };
  const given = plan.nodeArgs.some((arg) => /^--join(=|$)/.test(arg));
  const args = () => [
    ...["run", "--quiet", ...rights, entry, ...own],
    ...(given ? [] : joinFlags()),
    ...plan.nodeArgs,
  ];
  return superviseNode({
    ...{ name: node.name, args, cwd: checkout, onProcess },
    environment: { ...options.environment, SKYRING_CWD: userFolder },
    say: (line) => options.say(node.name, line),
  });
}

/** The name under which a listener is reached from the same machine. */
function localName(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

async function untilReachable(
  founder: PlannedNode,
  supervised: SupervisedNode,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + founderWaitMs;
  const isOver = () => supervised.state() === "ended";
  while (!signal.aborted && !isOver() && performance.now() < deadline) {
    const holder = await holderOf(founder.folder);
    if (holder && holder.p2p.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, founderPollMs));
  }
  if (isOver()) {
    throw new SkyringError("unavailable", `Cannot start cluster: ${founder.name} ended`);
  }
}

async function requireFree(folder: string, what: string): Promise<void> {
  if (!await isHeld(folder)) return;
  const holder = await holderOf(folder);
  const who = holder ? `node ${holder.name} (pid ${holder.pid})` : "another process";
  throw new SkyringError("locked", `Cannot ${what}: ${who} has ${folder}`);
}
