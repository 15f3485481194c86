// N supervised nodes on one machine: node 0 founds the group, the others join it once it can be
// reached. Stopping stops all of them; it ends by itself when every node was told to stop.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { SkyringError } from "../../shared/base/errors.ts";
import { holderOf, isHeld } from "../disk/folder_lock.ts";
import { nodeRights } from "../permissions.ts";
import { type ClusterPlan, type PlannedNode, requireFreePorts } from "./cluster_plan.ts";
import { type SupervisedNode, superviseNode } from "./supervised_node.ts";

/** Long enough for a first start that fetches its packages. */
const founderWaitMs = 120_000;
const founderPollMs = 100;

/** What a cluster needs beside its plan. */
export interface ClusterOptions {
  readonly plan: ClusterPlan;
  readonly host: string;
  /** Further folder that nodes may read: where the user stands. */
  readonly userFolder: string;
  /** Secrets and the like for every node, as environment: not visible in process lists. */
  readonly environment: Readonly<Record<string, string>>;
  /** The program of a node; tests put a small one in its place. */
  readonly entry: string;
  /** Takes one line of one node. */
  readonly say: (name: string, line: string) => void;
}

/** A running cluster. */
export interface Cluster {
  readonly nodes: readonly SupervisedNode[];
  /** Resolves once no node will be started again. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/**
 * Checks ports and folders, then starts the nodes; resolves once all are started.
 * @throws {SkyringError} conflict, locked: nothing was started
 */
export async function startCluster(
  options: ClusterOptions,
  signal: AbortSignal,
): Promise<Cluster> {
  const { plan } = options;
  requireFreePorts(plan, options.host);
  for (const { folder } of plan.nodes) await requireFree(folder);
  if (plan.wipe) { for (const { folder } of plan.nodes) await wipe(folder); }
  const nodes: SupervisedNode[] = [];
  const start = (node: PlannedNode) => nodes.push(supervise(node, options, () => nodes.length > 1));
  const [founder, ...others] = plan.nodes;
  if (founder) {
    start(founder);
    if (others.length > 0) await untilReachable(founder, nodes, signal);
  }
  for (const other of others) if (!signal.aborted) start(other);
  return {
    nodes,
    ended: Promise.all(nodes.map(({ ended }) => ended)).then(() => undefined),
    stop: async () => void await Promise.all(nodes.map((node) => node.stop())),
  };
}

function supervise(
  node: PlannedNode,
  options: ClusterOptions,
  othersRun: () => boolean,
): SupervisedNode {
  const { plan, entry, userFolder } = options;
  const isFounder = node === plan.nodes[0];
  const rights = nodeRights({
    read: [checkout, dirname(node.folder), userFolder],
    write: [dirname(node.folder), userFolder],
  });
  const own = [
    ...["--name", node.name, "--data", node.folder, "--port", String(node.port)],
    ...["--p2p-port", String(node.p2pPort), "--line-port", String(node.linePort)],
  ];
  const joinFlags = () => {
    const peers = plan.nodes.filter((other) => other !== node);
    // The founder joins when it starts again: never does it found a second group.
    if (peers.length === 0 || (isFounder && !othersRun())) return [];
    const urls = peers.map(({ port }) => `http://${localName(options.host)}:${port}`);
    return ["--join", (isFounder ? urls : [urls[0]]).join(",")];
  };
  const given = plan.nodeArgs.some((arg) => /^--join(=|$)/.test(arg));
  return superviseNode({
    name: node.name,
    args: () => [
      "run",
      "--quiet",
      ...rights,
      entry,
      ...own,
      ...(given ? [] : joinFlags()),
      ...plan.nodeArgs,
    ],
    cwd: checkout,
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
  nodes: readonly SupervisedNode[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + founderWaitMs;
  let ended = false;
  void nodes[0]?.ended.then(() => {
    ended = true;
  });
  while (!signal.aborted && !ended && performance.now() < deadline) {
    const holder = await holderOf(founder.folder);
    if (holder && holder.p2p.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, founderPollMs));
  }
  if (ended) throw new SkyringError("unavailable", `Cannot start cluster: ${founder.name} ended`);
}

async function requireFree(folder: string): Promise<void> {
  if (!await isHeld(folder)) return;
  const holder = await holderOf(folder);
  const who = holder ? `node ${holder.name} (pid ${holder.pid})` : "another process";
  throw new SkyringError("locked", `Cannot start cluster: ${who} has ${folder}`);
}

async function wipe(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
