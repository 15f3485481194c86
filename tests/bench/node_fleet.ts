// Real node processes for the bench: the product's entry, with the rights that it documents, each
// in its own data folder. Every node ends with the fleet, by force after a while, and also when
// the bench itself is killed: it watches the pipe that the bench holds.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeRights } from "../../server/permissions.ts";
import { cpuSecondsOf, peakBytesOf } from "./process_meter.ts";

export const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const startMsMax = 180_000;
const stopMsMax = 15_000;
const pollMs = 100;

/** One running node. `startMs`: from spawn to the first answer of its API. */
export interface FleetNode {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly startMs: number;
  stop(): Promise<void>;
  /** kill -9, and waits for its end. */
  kill(): Promise<void>;
}

/** Node processes of one group. Call stop() whatever happened. */
export interface Fleet {
  readonly nodes: FleetNode[];
  /** Starts one more node; without a capacity it gets 40 GiB. */
  add(options?: { readonly capacity?: string }): Promise<FleetNode>;
  /** Resolves when every node sees so many members and takes writes. @returns milliseconds */
  untilReady(members: number): Promise<number>;
  cpuSeconds(): number;
  peakBytes(): number[];
  stop(): Promise<void>;
}

/**
 * A fleet without nodes; its data lies in `folder`. `flags` go to `deno run`, for profiles;
 * `settings` to every node.
 */
export function createFleet(options: {
  readonly folder: string;
  readonly flags?: readonly string[];
  readonly settings?: readonly string[];
}): Fleet {
  const nodes: FleetNode[] = [];
  let names = 0;
  const group = `bench-${Deno.pid}-${Math.floor(performance.now())}`;
  return {
    nodes,
    add: async ({ capacity = "40GiB" } = {}) => {
      const name = `node-${++names}`;
      const node = await startNode({ ...options, group, name, founder: nodes[0], capacity });
      nodes.push(node);
      return node;
    },
    untilReady: async (members) => {
      const startMs = performance.now();
      for (const { url } of nodes) await until(() => isReady(url, members));
      return performance.now() - startMs;
    },
    cpuSeconds: () => nodes.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0),
    peakBytes: () => nodes.map(({ pid }) => peakBytesOf(pid)),
    stop: async () => void await Promise.all(nodes.map((node) => node.stop())),
  };
}

async function startNode(options: {
  readonly folder: string;
  readonly flags?: readonly string[];
  readonly settings?: readonly string[];
  readonly group: string;
  readonly name: string;
  readonly founder: FleetNode | undefined;
  readonly capacity: string;
}): Promise<FleetNode> {
  const { folder, flags = [], settings = [], group, name, founder } = options;
  const port = freePort();
  const data = join(folder, group, name);
  await Deno.mkdir(data, { recursive: true });
  const rights = nodeRights({ read: [checkout, data], write: [data] });
  const startedMs = performance.now();
  let ended = false;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", ...rights, ...flags, "server/main.ts"],
      ...["--name", name, "--data", data, "--port", String(port), "--p2p-port", "0"],
      ...["--group", group, "--no-mdns", "--capacity", options.capacity],
      ...["--log-level", "warn", ...settings],
      ...(founder === undefined ? [] : ["--join", founder.url]),
    ],
    cwd: checkout,
    env: { SKYRING_SUPERVISED: "1", SKYRING_CWD: data },
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  void child.status.then(() => ended = true);
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (ended) return;
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    await child.stdin.close();
    await child.status;
    clearTimeout(timer);
  };
  try {
    await until(() => {
      if (ended) throw new Error(`Cannot start ${name}: it ended`);
      return answers(url);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const kill = async () => {
    child.kill("SIGKILL");
    await child.status;
  };
  return { name, url, pid: child.pid, startMs: performance.now() - startedMs, stop, kill };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // not listening yet
  }
}

async function isReady(url: string, members: number): Promise<boolean> {
  if (!await answers(url)) return false;
  const status = await statusOf(url);
  return status?.roster?.members === members && status.ready === true;
}

async function statusOf(
  url: string,
): Promise<{ ready?: boolean; roster?: { members: number } } | undefined> {
  try {
    const response = await fetch(`${url}/api/status`);
    if (response.ok) return await response.json();
    await response.body?.cancel();
  } catch {
    // Not listening yet.
  }
  return undefined;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + startMsMax;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error("Cannot go on: nodes did not get ready");
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
