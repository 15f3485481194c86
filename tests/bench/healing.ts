// What the death of a node costs: a file at three copies on five nodes, one node killed with
// kill -9. How long until all others see it dead, until the first block is copied again, until
// every block is back at three; how fast the copying was; what a reader got meanwhile.

import type { Bench } from "./scenarios.ts";
import { createFleet, type Fleet, type FleetNode } from "./node_fleet.ts";
import type { RawPair } from "./raw_stream.ts";
import { quantile } from "./report.ts";
import { pullFile, pushFile } from "./transfers.ts";

const MB = 1e6;
const GiB = 2 ** 30;
const fileBytes = GiB;
/** How long a node must be dead before the others copy its blocks, here. The default is longer. */
const grace = "5s";
const boundMs = 300_000;
const pollMs = 100;

/** Kills one of five and follows the others until all is whole again. */
export async function healing(bench: Bench, raw: RawPair): Promise<void> {
  const { report } = bench;
  const fleet = createFleet({ ...bench, settings: ["--grace", grace] });
  try {
    await fleet.add();
    await Promise.all(Array.from({ length: 4 }, () => fleet.add()));
    await fleet.untilReady(5);
    const [reader, source, , , victim] = fleet.nodes as Five;
    await pushFile({ url: source.url, name: "whole", bytes: fileBytes }, { replicas: 3 });
    const file = { url: reader.url, name: "whole", bytes: fileBytes };
    await pullFile(file);
    const calm = fileBytes / await pullFile(file);
    const limit = (await raw.receive(bench.bytes)).rate;
    const healed = await killAndFollow(fleet, { victim, file });
    report.add("kill -9 to seen dead by all", healed.deadAt, "s");
    report.add("kill -9 to first repair", healed.firstAt, "s", `--grace ${grace}`);
    report.add("kill -9 to all at three copies, 1 GiB", healed.wholeAt, "s");
    const share = `${percent(healed.rate / limit)} of the raw stream, synced to disk`;
    report.add("repair, all nodes together", healed.rate / MB, "MB/s", share);
    const pull = quantile(healed.pulls, 0.5);
    const part = `${percent(pull / calm)} of ${(calm / MB).toFixed(0)} in calm`;
    report.add("pull while repairing", pull / MB, "MB/s", `${part}, n ${healed.pulls.length}`);
  } finally {
    await fleet.stop();
  }
}

type Five = [FleetNode, FleetNode, FleetNode, FleetNode, FleetNode];

interface Healed {
  /** Seconds after the kill. */
  readonly deadAt: number;
  readonly firstAt: number;
  readonly wholeAt: number;
  /** Bytes a second of all nodes between the first and the last repair. */
  readonly rate: number;
  /** Bytes a second of every pull that ran while blocks were copied. */
  readonly pulls: readonly number[];
}

async function killAndFollow(
  fleet: Fleet,
  { victim, file }: { readonly victim: FleetNode; readonly file: Parameters<typeof pullFile>[0] },
): Promise<Healed> {
  const others = fleet.nodes.filter((node) => node !== victim);
  const before = await used(others);
  const killedMs = performance.now();
  const since = () => (performance.now() - killedMs) / 1_000;
  await victim.kill();
  await until(async () => (await Promise.all(others.map(seesDead))).every(Boolean));
  const deadAt = since();
  await until(async () => await used(others) > before);
  const firstAt = since();
  const pulls: number[] = [];
  let whole = false;
  const reading = (async () => {
    while (!whole) pulls.push(file.bytes / await pullFile(file));
  })();
  await until(async () => await leastCopies(file.url) >= 3);
  const wholeAt = since();
  whole = true;
  await reading;
  const rate = (await used(others) - before) / (wholeAt - firstAt);
  return { deadAt, firstAt, wholeAt, rate, pulls };
}

const percent = (share: number) => `${(share * 100).toFixed(0)} %`;

/** Block bytes on all these nodes. */
async function used(nodes: readonly FleetNode[]): Promise<number> {
  const all = await Promise.all(
    nodes.map(async ({ url }) => (await (await fetch(`${url}/api/status`)).json()).used),
  );
  return all.reduce((sum, bytes) => sum + bytes, 0);
}

async function seesDead({ url }: FleetNode): Promise<boolean> {
  const { items } = await (await fetch(`${url}/api/nodes`)).json();
  return items.length < 5 || items.some(({ state }: { state: string }) => state === "dead");
}

async function leastCopies(url: string): Promise<number> {
  const { items } = await (await fetch(`${url}/api/files?limit=10`)).json();
  const { roster } = await (await fetch(`${url}/api/status`)).json();
  return roster.members === 4 ? items[0].replicas.least : 0;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + boundMs;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error("Cannot go on: the pool did not heal");
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
