// A pull whose blocks all lie elsewhere, as a share of the raw stream of the same run: from one
// node, two processes like the raw stream's; and from five, which have to share the processors of
// one machine with the reader. The reader holds next to nothing, and every process is warm.

import { createFleet, type Fleet, type FleetNode } from "./node_fleet.ts";
import type { RawPair } from "./raw_stream.ts";
import { quantile } from "./report.ts";
import { type Bench, each, metered } from "./scenarios.ts";
import { blockMap, firstByteMs, pullFile, pushFile } from "./transfers.ts";

const MB = 1e6;
const MiB = 2 ** 20;
/** What a process sends until V8 has compiled it: first runs are up to a third slower. */
const warmBytes = 200 * MiB;
const rounds = 5;
const firstBytesCount = 250;

interface Remote {
  readonly fleet: Fleet;
  readonly raw: RawPair;
  /** Whom the blocks come from, in the names of rows. */
  readonly holders: string;
}

/** One node holds all. */
export async function pullFromOne(bench: Bench, raw: RawPair): Promise<void> {
  const fleet = createFleet(bench);
  try {
    await fleet.add();
    await fleet.untilReady(1);
    await pullRemote(bench, { fleet, raw, holders: "one node" });
  } finally {
    await fleet.stop();
  }
}

/** Each of five holds a fifth. Then the first byte of single blocks. */
export async function pullFromFive(bench: Bench, fleet: Fleet, raw: RawPair): Promise<void> {
  const { reader, remote } = await pullRemote(bench, { fleet, raw, holders: "five nodes" });
  await firstBytes(bench, { reader, raw, cids: remote.slice(-firstBytesCount) });
}

async function pullRemote(
  bench: Bench,
  { fleet, raw, holders }: Remote,
): Promise<{ readonly reader: FleetNode; readonly remote: readonly string[] }> {
  const { report, bytes } = bench;
  const name = `pull from ${holders} through HTTP`;
  const [source] = fleet.nodes;
  const reader = await fleet.add({ capacity: "64MiB" });
  await fleet.untilReady(fleet.nodes.length);
  await pushFile({ url: source?.url ?? "", name: "single", bytes }, { replicas: 1 });
  const map = await blockMap(reader.url, "single");
  const remote = map.filter(({ state }) => state !== "held").map(({ cid }) => cid);
  const file = { url: reader.url, name: "single", bytes };
  await raw.receive(Math.max(bytes, warmBytes));
  const servers = fleet.nodes.length - 1;
  for (let sent = 0; sent < warmBytes * servers; sent += bytes) await pullFile(file);
  const limits: number[] = [];
  const pulls: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const limit = await raw.receive(bytes);
    limits.push(limit.rate);
    const cpu = `receiver ${limit.receiverCpu.toFixed(2)}, sender ${limit.senderCpu.toFixed(2)}`;
    report.add("raw libp2p stream", limit.rate / MB, "MB/s", `CPU s/GiB ${cpu}`);
    const seconds = await metered(bench, { fleet, name, reader }, () => pullFile(file));
    pulls.push(bytes / seconds);
  }
  const share = quantile(pulls, 0.5) / quantile(limits, 0.5);
  const far = (remote.length / map.length * 100).toFixed(0);
  const note = `medians of ${rounds}; ${far} % of the blocks were remote`;
  report.add(`pull from ${holders} as a share of the raw stream`, share * 100, "%", note);
  return { reader, remote };
}

async function firstBytes(
  { report }: Bench,
  parts: { readonly reader: FleetNode; readonly raw: RawPair; readonly cids: readonly string[] },
): Promise<void> {
  const pings: number[] = [];
  const firsts: number[] = [];
  for (const cid of parts.cids) {
    firsts.push(await firstByteMs(parts.reader.url, cid));
    pings.push(await parts.raw.pingMs());
  }
  const [first, ping] = [quantile(firsts, 0.5), quantile(pings, 0.5)];
  report.add("round trip of a small message", ping, "ms", `median, ${each(pings)}`);
  const note = `${(first / ping).toFixed(1)} round trips, ${each(firsts)}`;
  report.add("first byte of a remote 256 KiB block", first, "ms", `median, ${note}`);
}
