// The cluster as a process: its flags, its gateway, its signals, what it prints, its exit code. It
// ends all nodes on Ctrl-C, SIGTERM and the death of its parent; when it is killed itself they end
// too, since they watch the pipe that it holds.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { type Config, settingsHelp } from "../config.ts";
import { ensureSecret } from "../disk/secret_file.ts";
import { isLoopback } from "../seat.ts";
import { readProcessConfig, userFolder } from "../process_config.ts";
import { startSeated } from "../gateway/gateway_process.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { type ClusterPlan, planCluster, requireFreePorts } from "./cluster_plan.ts";
import { clusterRoutes } from "./cluster_routes.ts";

const parentPollMs = 500;

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
      "Usage: deno task cluster [--nodes 5] [--base-port 7000] [--gateway-port 8000] " +
        "[--wipe] [flags of node]\n\n" +
        settingsHelp(),
    );
    return 0;
  }
  const stop = new AbortController();
  watchEnds(stop);
  try {
    await runPlanned(planCluster(args, options.dataRoot), { ...options, signal: stop.signal });
    return 0;
  } catch (error) {
    console.error(`skyring: ${messageOf(error)}`);
    return error instanceof SkyringError && error.code === "bad_setting" ? 2 : 1;
  }
}

async function runPlanned(
  plan: ClusterPlan,
  options: {
    readonly entry: string;
    readonly dataRoot: string;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { entry, dataRoot, signal } = options;
  const config = readProcessConfig(plan.nodeArgs);
  console.log(`Skyring cluster of ${plan.nodes.length} nodes, pid ${Deno.pid}; Ctrl-C stops it`);
  requireFreePorts(plan, config.host);
  const environment = await sharedSecrets(plan, config);
  let cluster: Cluster | undefined;
  const gateway = await startSeated({
    config: withShared(config, environment),
    nodes: plan.nodes.map(({ port }) => nodeOrigin(port, config)),
    port: plan.gatewayPort,
    dataRoot,
    routes: clusterRoutes(() => cluster),
  });
  console.log(`gateway | dashboard ${gateway.gateway.http}/  line ${gateway.gateway.line}`);
  try {
    cluster = await startCluster({
      ...{ plan, dataRoot, userFolder: userFolder(), environment, entry, host: config.host },
      say: (name, line) => console.log(`${name} | ${line}`),
    }, signal);
    await Promise.race([cluster.ended, aborted(signal)]);
  } finally {
    await gateway.stop();
    await cluster?.stopAll();
  }
  console.log("Skyring cluster stopped");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

/** The gateway's settings: those of the nodes, with the secrets that they share. */
function withShared(config: Config, shared: Readonly<Record<string, string>>): Config {
  const secret = shared["SKYRING_SECRET"];
  return {
    ...config,
    token: config.token ?? shared["SKYRING_TOKEN"],
    secrets: config.secrets ?? (secret === undefined ? undefined : [secret]),
  };
}

function nodeOrigin(port: number, { host, tlsCert }: Config): string {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const scheme = tlsCert === undefined ? "http" : "https";
  return `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}`;
}
