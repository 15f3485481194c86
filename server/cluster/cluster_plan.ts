// What `deno task cluster` is asked to run: how many nodes, on which ports, in which folders.
// Everything that can be refused is refused here, before any process starts: bad flags, flags
// that belong to a single node, ports in use.

import { join } from "node:path";
import { SkyringError } from "../../shared/base/errors.ts";
import { settingTable } from "../setting_table.ts";

export const clusterNodesMax = 50;
const gatewayPortDefault = 8_000;
/** The line port of a gateway lies this far from its HTTP port. */
const gatewayLineOffset = 100;
const portsMax = 65_535;

/** One node of the plan. */
export interface PlannedNode {
  readonly name: string;
  readonly port: number;
  readonly p2pPort: number;
  readonly linePort: number;
  readonly folder: string;
}

/** A whole cluster before it runs. */
export interface ClusterPlan {
  readonly nodes: readonly PlannedNode[];
  readonly basePort: number;
  readonly gatewayPort: number;
  readonly wipe: boolean;
  /** Flags handed to every node. */
  readonly nodeArgs: readonly string[];
}

/** Flags that the cluster sets for each node itself. */
const ownFlags = ["name", "port", "p2p-port", "line-port", "data", "edge"];

/** Reads the command line. @throws {SkyringError} bad_setting */
export function planCluster(args: readonly string[], dataRoot: string): ClusterPlan {
  let count = 5;
  let basePort = 7_000;
  let gatewayPort = gatewayPortDefault;
  let wipe = false;
  const nodeArgs: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const [flag = "", inline] = arg.replace(/^--/, "").split(/=(.*)/s, 2);
    const value = () => inline ?? args[++at] ?? "";
    if (arg === "--wipe") wipe = true;
    else if (flag === "nodes") count = integer("nodes", value(), { min: 1, max: clusterNodesMax });
    else if (flag === "base-port") {
      basePort = integer("base-port", value(), { min: 1, max: portsMax - 100 - clusterNodesMax });
    } else if (flag === "gateway-port") {
      const range = { min: 1, max: portsMax - gatewayLineOffset };
      gatewayPort = integer("gateway-port", value(), range);
    } else {
      refuseOwn(flag);
      nodeArgs.push(arg);
      const takes = Object.values(settingTable).find((setting) => setting.flag === flag)?.takes;
      if (takes !== undefined && takes !== "switch" && inline === undefined) nodeArgs.push(value());
    }
  }
  const nodes = Array.from(
    { length: count },
    (_, index) => plannedNode(index, { basePort, dataRoot }),
  );
  const plan = { nodes, basePort, gatewayPort, wipe, nodeArgs };
  refuseTwice(plan);
  return plan;
}

/** Node `index`, 0 or more, of a cluster. @throws never */
export function plannedNode(
  index: number,
  { basePort, dataRoot }: { readonly basePort: number; readonly dataRoot: string },
): PlannedNode {
  const port = basePort + 2 * index;
  return {
    name: `node-${index + 1}`,
    port,
    p2pPort: port + 1,
    linePort: basePort + 100 + index,
    folder: join(dataRoot, String(port)),
  };
}

/** All ports of a plan, the gateway's too. @throws never */
function portsOf(plan: Pick<ClusterPlan, "nodes" | "gatewayPort">): readonly number[] {
  const ofNodes = plan.nodes.flatMap(({ port, p2pPort, linePort }) => [port, p2pPort, linePort]);
  return [...ofNodes, plan.gatewayPort, plan.gatewayPort + gatewayLineOffset];
}

function refuseTwice(plan: ClusterPlan): void {
  const ports = portsOf(plan);
  const twice = ports.find((port, index) => ports.indexOf(port) !== index);
  if (twice === undefined) return;
  throw new SkyringError(
    "bad_setting",
    `Cannot use gateway-port ${plan.gatewayPort}: port ${twice} would be used twice`,
    { data: { setting: "gateway-port", value: String(plan.gatewayPort) } },
  );
}

function refuseOwn(flag: string): void {
  if (!ownFlags.includes(flag)) return;
  throw new SkyringError(
    "bad_setting",
    `Cannot use --${flag} with a cluster: it gives each node its own`,
    { data: { setting: flag } },
  );
}

function integer(
  name: string,
  text: string,
  range: { readonly min: number; readonly max: number },
): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new SkyringError(
    "bad_setting",
    `Cannot use ${name} "${text}": allowed is ${range.min} to ${range.max}`,
    { data: { setting: name, value: text } },
  );
}

/** Refuses ports in use, all of them by number. @throws {SkyringError} conflict */
export function requireFreePorts(
  plan: Pick<ClusterPlan, "nodes" | "gatewayPort">,
  hostname: string,
): void {
  requireFree(portsOf(plan), { hostname, what: "start cluster" });
}

/** The same for one node that is started later. @throws {SkyringError} conflict */
export function requireFreeNode(node: PlannedNode, hostname: string): void {
  requireFree([node.port, node.p2pPort, node.linePort], { hostname, what: `start ${node.name}` });
}

function requireFree(
  candidates: readonly number[],
  { hostname, what }: { readonly hostname: string; readonly what: string },
): void {
  const taken = candidates.filter((port) => !isFree(hostname, port));
  if (taken.length === 0) return;
  const ports = taken.length === 1 ? `port ${taken[0]} is` : `ports ${taken.join(", ")} are`;
  throw new SkyringError("conflict", `Cannot ${what}: ${ports} in use`, {
    data: { ports: taken.map(String) },
  });
}

function isFree(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw new SkyringError("bad_setting", `Cannot listen on ${hostname}:${port}: not possible`, {
      cause: error,
    });
  }
}
