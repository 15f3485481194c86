// The bench: `deno task bench [--mib N] [--files N] [--big] [--only a,b]`. Real node processes
// with their documented rights, on this machine, loopback; the limits of the machine are measured
// in the same run, since only shares of them say anything. Prints rows as they come and writes
// them to bench-results/ as JSON. Sections: limits, one, tab, idle, push, pull, small, heal, big.

import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { diskRate, hashRate } from "./machine_rates.ts";
import { healing } from "./healing.ts";
import { checkout, createFleet, type Fleet } from "./node_fleet.ts";
import { type RawPair, startRawPair } from "./raw_stream.ts";
import { pullFromFive, pullFromOne } from "./remote_pull.ts";
import { Report } from "./report.ts";
import { tabRates } from "./tab_bench.ts";
import {
  type Bench,
  bigFile,
  clientRate,
  formFive,
  idle,
  oneNode,
  peaks,
  pushThree,
  smallFiles,
} from "./scenarios.ts";

const MB = 1e6;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
const runMsMax = 30 * 60_000;

const { values: args } = parseArgs({
  options: {
    mib: { type: "string", default: "512" },
    files: { type: "string", default: "10000" },
    big: { type: "boolean", default: false },
    only: { type: "string" },
    /** Folder for CPU profiles of the nodes. */
    profile: { type: "string" },
  },
});
const chosen = args.only?.split(",");
const wants = (section: string) =>
  chosen === undefined ? section !== "big" || args.big : chosen.includes(section);

async function limits({ report, folder, bytes }: Bench): Promise<void> {
  report.add("SHA-256, one thread", hashRate() / MB, "MB/s");
  report.add("disk: new 256 KiB files, synced", await diskRate(folder) / MB, "MB/s", "8 at once");
  report.add("client: making bodies", await clientRate(bytes) / MB, "MB/s");
}

async function five(bench: Bench): Promise<void> {
  let fleet: Fleet = createFleet(bench);
  try {
    fleet = await formFive(bench);
    if (wants("idle")) await idle(bench, fleet);
    if (wants("push")) await pushThree(bench, fleet);
    if (wants("small")) await smallFiles(bench, fleet);
    if (wants("big")) await bigFile(bench, fleet, 5 * GiB);
    if (wants("pull")) {
      await besideRaw((raw) => pullFromFive(bench, fleet, raw));
    }
    peaks(bench, fleet);
  } finally {
    await fleet.stop();
  }
}

async function besideRaw(measure: (raw: RawPair) => Promise<void>): Promise<void> {
  const raw = await startRawPair();
  try {
    await measure(raw);
  } finally {
    await raw.stop();
  }
}

async function run(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-bench-" });
  const report = new Report();
  const bench: Bench = {
    ...{ report, folder, bytes: Number(args.mib) * MiB, smallFiles: Number(args.files) },
    flags: args.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${args.profile}`],
  };
  try {
    const cpus = navigator.hardwareConcurrency;
    report.add("processors", cpus, "", `Deno ${Deno.version.deno}, load ${Deno.loadavg()[0]}`);
    if (wants("limits")) await limits(bench);
    if (wants("one")) await oneNode(bench);
    if (wants("tab")) await tabRates(bench);
    if (wants("pull")) await besideRaw((raw) => pullFromOne(bench, raw));
    if (["idle", "push", "small", "big", "pull"].some(wants)) await five(bench);
    if (wants("heal")) await besideRaw((raw) => healing(bench, raw));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const results = join(checkout, "bench-results");
  await Deno.mkdir(results, { recursive: true });
  const at = new Date().toISOString();
  const path = join(results, `${at.replaceAll(":", "-")}.json`);
  const machine = { arch: process.arch, cpus: navigator.hardwareConcurrency };
  await Deno.writeTextFile(path, JSON.stringify({ at, machine, rows: report.rows }, null, 2));
  console.log(`\nwritten to ${path}`);
}

const bound = setTimeout(() => {
  console.error("bench: ended after its time limit");
  Deno.exit(1); // the nodes end with the pipes that this process holds
}, runMsMax);
await run();
clearTimeout(bound);
Deno.exit(0); // libp2p's listener keeps the process alive after its stop
