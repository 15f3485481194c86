// A cluster of real nodes as one child process, on ports of its own.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Ports between a cluster's first port and the gateway's, and on to the line protocols'. */
const gatewayOffset = 60;
const lineOffset = 100;

/** A running cluster. */
export interface ClusterChild {
  readonly basePort: number;
  /** URL of the node at this place, from zero. */
  node(index: number): string;
  readonly gateway: string;
  /** A folder for the test; data folders lie under `data/` in it, named by their node's port. */
  readonly folder: string;
}

/**
 * A port such that nothing listens where so many nodes, their gateway and their lines will.
 * Give each test file a range of its own, 8,000 from `from` on: files run at the same time.
 */
export function freeBasePort(
  { nodes, from }: { readonly nodes: number; readonly from: number },
): number {
  const each = Array.from({ length: nodes }, (_, index) => index);
  const offsets = each.flatMap((index) => [2 * index, 2 * index + 1, lineOffset + index])
    .concat(gatewayOffset, gatewayOffset + lineOffset);
  for (let base = from + Math.floor(Math.random() * 40) * 200;; base += 200) {
    try {
      for (const offset of offsets) {
        Deno.listen({ hostname: "127.0.0.1", port: base + offset }).close();
      }
      return base;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** The flags that start a cluster there. */
export function portFlags(basePort: number): string[] {
  return [`--base-port=${basePort}`, `--gateway-port=${basePort + gatewayOffset}`];
}

/** Runs a test with a cluster of real nodes that ends whatever happens. */
export async function withRealCluster(
  options: {
    readonly nodes: number;
    /** Nodes that may be added meanwhile. */
    readonly more?: number;
    readonly from: number;
  },
  use: (cluster: ClusterChild) => Promise<void>,
): Promise<void> {
  const { nodes, more = 0, from } = options;
  const folder = await Deno.makeTempDir({ prefix: "skyring-cluster-" });
  const basePort = freeBasePort({ nodes: nodes + more, from });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "-A", "tests/e2e/real_cluster.ts"],
      ...[...portFlags(basePort), "--nodes", String(nodes)],
      ...["--group", `test-${basePort}`, "--no-mdns", "--capacity", "1GiB"],
    ],
    cwd: root,
    env: { SKYRING_TEST_DATA: join(folder, "data"), SKYRING_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const urlOf = (offset: number) => `http://127.0.0.1:${basePort + offset}`;
  try {
    await use({
      ...{ basePort, folder, gateway: urlOf(gatewayOffset) },
      node: (index) => urlOf(2 * index),
    });
  } finally {
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}
