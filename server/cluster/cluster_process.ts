// The cluster as a process: its flags, its signals, what it prints, its exit code. It ends all
// nodes on Ctrl-C, SIGTERM and the death of its parent; when it is killed itself they end too,
// since they watch the pipe that it holds.

import { fileURLToPath } from "node:url";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { type Config, resolveConfig, settingsHelp } from "../config.ts";
import { ensureSecret } from "../disk/secret_file.ts";
import { isLoopback } from "../seat.ts";
import { environmentName, settingTable } from "../setting_table.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { type ClusterPlan, planCluster } from "./cluster_plan.ts";

const parentPollMs = 500;
const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const userFolder = Deno.env.get("SKYRING_CWD") ?? Deno.cwd();

function readNodeConfig(plan: ClusterPlan): Config {
  const names = Object.values(settingTable).map(({ flag }) => environmentName(flag));
  return resolveConfig({
    args: plan.nodeArgs,
    environment: Object.fromEntries(names.map((name) => [name, Deno.env.get(name)])),
    userFolder,
    checkout,
    readFile: (path) => {
      try {
        return Deno.readTextFileSync(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
  });
}

/** Beyond loopback all nodes of a cluster share one secret and one token: node 0 keeps them. */
async function sharedSecrets(plan: ClusterPlan, config: Config): Promise<Record<string, string>> {
  const [founder] = plan.nodes;
  if (isLoopback(config.host) || !founder) return {};
  const shared: Record<string, string> = {};
  await Deno.mkdir(founder.folder, { recursive: true, mode: 0o700 });
  if (!config.secrets) {
    shared["SKYRING_SECRET"] = (await ensureSecret(founder.folder, "secret")).text;
  }
  if (config.token === undefined) {
    const token = await ensureSecret(founder.folder, "token");
    shared["SKYRING_TOKEN"] = token.text;
    if (token.made) console.log(`token ${token.text} (shown once)`);
  }
  return shared;
}

function watchEnds(stop: AbortController): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  const parent = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid !== parent) stop.abort();
  }, parentPollMs);
  Deno.unrefTimer(timer);
}

/**
 * Runs a cluster until it is told to stop. `entry` is the program of a node; data folders lie in
 * `dataRoot`. @returns the exit code; never throws
 */
export async function runClusterProcess(
  args: readonly string[],
  options: { readonly entry: string; readonly dataRoot: string },
): Promise<number> {
  if (args.includes("--help")) {
    console.log(
      "Usage: deno task cluster [--nodes 5] [--base-port 7000] [--wipe] [flags of node]\n\n" +
        settingsHelp(),
    );
    return 0;
  }
  const stop = new AbortController();
  watchEnds(stop);
  let cluster: Cluster;
  try {
    const plan = planCluster(args, options.dataRoot);
    const config = readNodeConfig(plan);
    console.log(`Skyring cluster of ${plan.nodes.length} nodes, pid ${Deno.pid}; Ctrl-C stops it`);
    cluster = await startCluster({
      plan,
      host: config.host,
      userFolder,
      environment: await sharedSecrets(plan, config),
      entry: options.entry,
      say: (name, line) => console.log(`${name} | ${line}`),
    }, stop.signal);
  } catch (error) {
    console.error(`skyring: ${messageOf(error)}`);
    return error instanceof SkyringError && error.code === "bad_setting" ? 2 : 1;
  }
  const stopped = new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    stop.signal.addEventListener("abort", () => resolve());
  });
  await Promise.race([cluster.ended, stopped]);
  await cluster.stop();
  console.log("Skyring cluster stopped");
  return 0;
}
