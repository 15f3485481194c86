// What the bench does to real nodes, one function a scenario. Each takes the fleet it works on
// and adds its rows to the report; none judges: no bench is a timed test.

import { join } from "node:path";
import { checkout, createFleet, type Fleet, type FleetNode } from "./node_fleet.ts";
import { cpuSecondsOf } from "./process_meter.ts";
import { quantile, type Report } from "./report.ts";
import { bodyOf, inLanes, pullFile, pullSmall, pushFile, pushSmall } from "./transfers.ts";

/** What every scenario gets. `bytes`: size of a large file. */
export interface Bench {
  readonly report: Report;
  readonly folder: string;
  readonly bytes: number;
  readonly smallFiles: number;
  readonly flags: readonly string[];
}

const MB = 1e6;
const GiB = 2 ** 30;
const MiB = 2 ** 20;
const smallLanes = 32;
const idleMs = 15_000;

/** Push and pull with one node alone: what disk, hashing and HTTP cost. */
export async function oneNode(bench: Bench): Promise<void> {
  const { report, bytes } = bench;
  const fleet = createFleet(bench);
  try {
    const node = await fleet.add();
    report.add("start-up of a node", node.startMs, "ms", "spawn to first answer");
    await fleet.untilReady(1);
    await pushFile({ url: node.url, name: "warm", bytes: bytes / 4 }, { replicas: 1 });
    const file = { url: node.url, name: "large", bytes };
    await metered(
      bench,
      { fleet, name: "push to one node" },
      () => pushFile(file, { replicas: 1 }),
    );
    await metered(bench, { fleet, name: "pull from its own disk" }, () => pullFile(file));
  } finally {
    await fleet.stop();
  }
}

/** Starts five nodes and says how long they took to become a pool. */
export async function formFive(bench: Bench): Promise<Fleet> {
  const fleet = createFleet(bench);
  const startMs = performance.now();
  await fleet.add();
  await Promise.all(Array.from({ length: 4 }, () => fleet.add()));
  await fleet.untilReady(5);
  bench.report.add("formation of five nodes", performance.now() - startMs, "ms", "all ready");
  return fleet;
}

/** What five nodes cost while nobody asks anything. */
export async function idle(bench: Bench, fleet: Fleet): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const before = fleet.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const share = (fleet.cpuSeconds() - before) / (idleMs / 1_000) / fleet.nodes.length;
  bench.report.add("CPU of an idle node", share * 100, "% of a core", "mean of five");
}

/** Three copies over five nodes, with probes asked meanwhile. */
export async function pushThree(bench: Bench, fleet: Fleet): Promise<void> {
  const { report, bytes } = bench;
  const url = fleet.nodes[1]?.url ?? "";
  await pushFile({ url, name: "warm", bytes: bytes / 4 }, { replicas: 3 });
  const probes = startProbes(fleet);
  await metered(
    bench,
    { fleet, name: "push with R=3 to five nodes" },
    () => pushFile({ url, name: "three", bytes }, { replicas: 3 }),
  );
  const { liveness, health } = await probes.stop();
  report.add("liveness probe under that push, p99", quantile(liveness, 0.99), "ms", each(liveness));
  report.add("GET /health under that push, p99", quantile(health, 0.99), "ms", each(health));
}

/** Many files of 4 KiB, on kept connections and with the command line client. */
export async function smallFiles(bench: Bench, fleet: Fleet): Promise<void> {
  const { report, smallFiles: count, folder } = bench;
  const [one, other] = [fleet.nodes[1]?.url ?? "", fleet.nodes[2]?.url ?? ""];
  await inLanes({ count: count / 10, lanes: smallLanes }, (at) => pushSmall(one, `warm/${at}`));
  const cpu = fleet.cpuSeconds();
  const pushed = await inLanes({ count, lanes: smallLanes }, (at) => pushSmall(one, `http/${at}`));
  const perFile = (fleet.cpuSeconds() - cpu) / count * 1_000;
  const note = `${count} files, CPU ${perFile.toFixed(1)} ms each in all nodes`;
  report.add("files of 4 KiB pushed, HTTP, R=3", count / pushed, "files/s", note);
  const pulled = await inLanes(
    { count, lanes: smallLanes },
    (at) => pullSmall(other, `http/${at}`),
  );
  report.add("files of 4 KiB pulled, HTTP", count / pulled, "files/s");
  const tree = join(folder, "small");
  await Deno.mkdir(tree, { recursive: true });
  for (let at = 0; at < count; at++) {
    const bytes = crypto.getRandomValues(new Uint8Array(4_096));
    await Deno.writeFile(join(tree, `${at}.bin`), bytes);
  }
  const push = await commandLine(folder, ["push", "-r", "small", "--quiet", "--node", one]);
  report.add("files of 4 KiB pushed, command line, R=3", count / push, "files/s");
  const pull = ["pull", "-r", "small", "back", "--quiet", "--node", other];
  report.add(
    "files of 4 KiB pulled, command line",
    count / await commandLine(folder, pull),
    "files/s",
  );
}

async function commandLine(folder: string, args: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt", "--allow-net", "--allow-env=SKYRING_*"],
      ...["--ignore-env", "--allow-read", "--allow-write", "server/cli/main.ts", ...args],
    ],
    cwd: checkout,
    env: { SKYRING_CWD: folder },
    stdin: "null",
    stdout: "null",
  }).output();
  if (code !== 0) throw new Error(`Cannot ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return (performance.now() - startMs) / 1_000;
}

/** Gigabytes through, then what memory every node had at most. */
export async function bigFile(bench: Bench, fleet: Fleet, bytes: number): Promise<void> {
  const { report } = bench;
  const [one, other] = [fleet.nodes[0]?.url ?? "", fleet.nodes[3]?.url ?? ""];
  await metered(
    { ...bench, bytes },
    { fleet, name: "push of the big file, R=3" },
    () => pushFile({ url: one, name: "big", bytes }, { replicas: 3 }),
  );
  await metered(
    { ...bench, bytes },
    { fleet, name: "pull of the big file" },
    () => pullFile({ url: other, name: "big", bytes }),
  );
  report.add("the big file", bytes / GiB, "GiB");
}

/** Peak memory of every node so far. */
export function peaks(bench: Bench, fleet: Fleet): void {
  for (const [at, bytes] of fleet.peakBytes().entries()) {
    bench.report.add(`peak memory of ${fleet.nodes[at]?.name}`, bytes / MiB, "MiB");
  }
}

/** Runs a transfer of `bench.bytes`; rate and CPU of all nodes, of the reader apart. */
export async function metered(
  bench: Bench,
  what: { readonly fleet: Fleet; readonly name: string; readonly reader?: FleetNode },
  transfer: () => Promise<number>,
): Promise<number> {
  const { fleet, reader } = what;
  const readerCpu = () => reader === undefined ? 0 : cpuSecondsOf(reader.pid);
  const before = { all: fleet.cpuSeconds(), reader: readerCpu() };
  const seconds = await transfer();
  const gib = bench.bytes / GiB;
  const all = (fleet.cpuSeconds() - before.all) / gib;
  const own = (readerCpu() - before.reader) / gib;
  const note = reader === undefined
    ? `CPU s/GiB of all nodes ${all.toFixed(2)}`
    : `CPU s/GiB reader ${own.toFixed(2)}, servers ${(all - own).toFixed(2)}`;
  bench.report.add(what.name, bench.bytes / MB / seconds, "MB/s", note);
  return seconds;
}

/**
 * Asks while something else runs: /health, and what the liveness probes between the nodes took.
 * Nodes tell a mean that weighs its newest sample an eighth, so a change gives the sample back.
 */
function startProbes(
  fleet: Fleet,
): { stop(): Promise<{ liveness: number[]; health: number[] }> } {
  const liveness: number[] = [];
  const health: number[] = [];
  const means = new Map<string, number>();
  let running = true;
  const look = async (url: string) => {
    const page = await (await fetch(`${url}/api/nodes`)).json();
    for (const { id, roundTripMs } of page.items ?? page) {
      const key = `${url} ${id}`;
      const before = means.get(key);
      means.set(key, roundTripMs);
      if (before === undefined || before === roundTripMs || roundTripMs === null) continue;
      liveness.push(before + (roundTripMs - before) * 8);
    }
  };
  const loop = async (everyMs: number, job: () => Promise<void>) => {
    while (running) {
      await job();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  const loops = fleet.nodes.flatMap(({ url }) => [
    loop(250, () => look(url)),
    loop(50, async () => {
      const startMs = performance.now();
      await (await fetch(`${url}/health`)).body?.cancel();
      health.push(performance.now() - startMs);
    }),
  ]);
  return {
    stop: async () => {
      running = false;
      await Promise.all(loops);
      return { liveness, health };
    },
  };
}

export function each(values: readonly number[]): string {
  const [median, last] = [quantile(values, 0.5), quantile(values, 0.99)];
  return `n ${values.length}, median ${median.toFixed(1)}, p99 ${last.toFixed(1)}`;
}

/** Throws away what bodyOf() makes, as a check that the client is not the limit. @returns B/s */
export async function clientRate(bytes: number): Promise<number> {
  const startMs = performance.now();
  for await (const _ of bodyOf(bytes, 0)) continue;
  return bytes / ((performance.now() - startMs) / 1_000);
}
