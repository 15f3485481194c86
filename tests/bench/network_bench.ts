// How fast blocks move between two processes on loopback, beside the raw libp2p stream of the
// same run: want and put (verified), CPU seconds a GiB on both sides, the time of one warm block
// beside a ping, and how long a small request waits while blocks move at full rate.
//
//   deno run -A tests/bench/network_bench.ts [--mib=512] [--ws]
//
// The parent asks, the child serves; the child ends when its standard input closes.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Stream } from "@libp2p/interface";
import { CID } from "multiformats/cid";
import * as digest from "multiformats/hashes/digest";
import { asCid, asNodeId, type Cid, type NodeId } from "../../shared/base/ids.ts";
import { GiB, KiB, MiB, wantsPerPeerMax } from "../../shared/base/limits.ts";
import { createMemoryStore } from "../../shared/block/memory_store.ts";
import { createBlockDriver } from "../../server/net/block_driver.ts";
import { createHost } from "../../server/net/host.ts";
import type { ChannelLimits } from "../../server/net/network.ts";

const { values: args } = parseArgs({
  options: {
    mib: { type: "string", default: "512" },
    ws: { type: "boolean", default: false },
    child: { type: "boolean", default: false },
  },
});
const blockBytes = 256 * KiB;
const distinctBlocks = 256;
const rawProtocol = "/skyring/bench/raw/1.0.0";
const probeLimits: ChannelLimits = {
  messageBytesMax: 1_024,
  concurrencyMax: 16,
  queueMax: 64,
  roles: ["member"],
};

function makeBlock(seed: number): { cid: Cid; bytes: Uint8Array } {
  const bytes = new Uint8Array(blockBytes);
  new DataView(bytes.buffer).setUint32(0, seed);
  const hash = createHash("sha256").update(bytes).digest();
  return { cid: asCid(CID.createV1(0x55, digest.create(0x12, hash)).toString()), bytes };
}

async function makeNode(withHttp: boolean) {
  const server = withHttp ? createServer() : undefined;
  await new Promise<void>((resolve) =>
    server === undefined ? resolve() : server.listen(0, "127.0.0.1", resolve)
  );
  const host = await createHost({
    group: "bench",
    privateKey: await generateKeyPair("Ed25519"),
    secrets: [],
    bootId: "0123456789abcdef",
    listen: ["/ip4/127.0.0.1/tcp/0"],
    announce: [],
    mdns: false,
    public: false,
    profile: "local",
    ...(server === undefined ? {} : { upgrade: { server, allows: () => true } }),
  });
  const store = createMemoryStore({ capacityBytes: 8 * GiB, now: Date.now });
  const driver = createBlockDriver({ streams: host.streams, group: "bench", store, public: false });
  const probe = host.channel("probe", probeLimits);
  return { host, store, driver, probe, server };
}

function drained(stream: Stream): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.addEventListener("drain", () => resolve(), { once: true });
  stream.addEventListener("close", () => reject(new Error("closed")), { once: true });
  return promise;
}

/** Sends as many bytes as the request says, as fast as the stream takes them. */
async function sendRaw(stream: Stream, bytes: number): Promise<void> {
  const piece = new Uint8Array(blockBytes);
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!stream.send(piece)) await drained(stream);
  }
}

async function child(): Promise<void> {
  const node = await makeNode(true);
  node.host.streams.accept(
    rawProtocol,
    { roles: ["member"], strangers: false, streamsPerConnectionMax: 2 },
    (stream) =>
      stream.addEventListener("message", ({ data }) => {
        void sendRaw(stream, Number(new TextDecoder().decode(data.subarray())));
      }, { once: true }),
  );
  node.probe.handle((_, message) =>
    message.length === 1 ? new TextEncoder().encode(JSON.stringify(cpuSeconds())) : message
  );
  const addresses = await node.host.start();
  for (let seed = 0; seed < distinctBlocks; seed++) {
    const block = makeBlock(seed);
    await node.store.put(block.cid, block.bytes, "leaf");
  }
  const shown = addresses.filter((each) => each.includes("/ws") === args.ws);
  console.log(JSON.stringify({ id: node.host.self, address: shown[0] }));
  for await (const _ of Deno.stdin.readable) continue;
  Deno.exit(0);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function parent(): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename ?? "", "--child", ...(args.ws ? ["--ws"] : [])],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  });
  const served = command.spawn();
  try {
    const reader = served.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { id, address } = JSON.parse((await reader.read()).value ?? "{}");
    const node = await makeNode(false);
    await node.host.start();
    await node.host.dial(address);
    await measure(node, asNodeId(id));
    node.driver.stop();
    await node.host.stop();
  } finally {
    await served.stdin.close();
    await served.status;
  }
}

type Node = Awaited<ReturnType<typeof makeNode>>;

async function measure(node: Node, peer: NodeId): Promise<void> {
  const bytes = Number(args.mib) * MiB;
  const blocks = Array.from({ length: distinctBlocks }, (_, seed) => makeBlock(seed));
  const peerCpu = async () =>
    Number(new TextDecoder().decode(
      await node.probe.request(peer, new Uint8Array(1), { timeoutMs: 10_000 }),
    ));
  const timed = async (name: string, run: () => Promise<void>) => {
    const [startMs, ours, theirs] = [performance.now(), cpuSeconds(), await peerCpu()];
    await run();
    const seconds = (performance.now() - startMs) / 1_000;
    const perGiB = (cpu: number) => (cpu / (bytes / GiB)).toFixed(2);
    const rate = bytes / 1e6 / seconds;
    console.log(
      `${name}: ${rate.toFixed(0)} MB/s, CPU s/GiB asker ${perGiB(cpuSeconds() - ours)}, ` +
        `server ${perGiB(await peerCpu() - theirs)}`,
    );
    return rate;
  };
  const want = async (index: number) => {
    const outcome = await node.driver.want(peer, blocks[index % distinctBlocks]?.cid as Cid, {
      timeoutMs: 30_000,
    });
    if (!outcome.ok) throw new Error(`want failed: ${outcome.code}`);
  };
  const wantAll = () => lanes(bytes / blockBytes, want);
  const raw = () => receiveRaw(node, { peer, bytes });
  await wantAll(); // warm up the compiler on both sides
  await raw();
  for (const round of [1, 2]) {
    const limit = await timed(`raw stream ${round}`, raw);
    const reached = await timed(`want ${round}`, wantAll);
    console.log(`want is ${(reached / limit * 100).toFixed(0)} % of the raw stream`);
  }
  await timed("put", () =>
    lanes(bytes / blockBytes, async (index) => {
      const block = makeBlock(1_000 + index);
      const outcome = await node.driver.put(peer, { ...block, kind: "leaf" }, {
        timeoutMs: 30_000,
      });
      if (!outcome.ok) throw new Error(`put failed: ${outcome.code}`);
    }));
  const ping = () => node.probe.request(peer, new Uint8Array(32), { timeoutMs: 10_000 });
  show("request, idle", await series(300, async () => void await ping()));
  show("one block, idle", await series(300, want));
  let moving = true;
  const load = lanes(4 * bytes / blockBytes, want).finally(() => moving = false);
  const probes: number[] = [];
  while (moving) {
    probes.push(...await series(1, async () => void await ping()));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await load;
  show("request under full-rate wants", probes);
}

/** Runs `count` jobs, as many at once as a peer is asked for. */
async function lanes(count: number, job: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: wantsPerPeerMax }, lane));
}

async function series(count: number, job: (index: number) => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const startMs = performance.now();
    await job(index);
    times.push(performance.now() - startMs);
  }
  return times;
}

function show(name: string, times: number[]): void {
  const sorted = times.toSorted((left, right) => left - right);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
  console.log(`${name}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, n ${times.length}`);
}

async function receiveRaw(node: Node, from: { peer: NodeId; bytes: number }): Promise<void> {
  const stream = await node.host.streams.open(from.peer, rawProtocol, AbortSignal.timeout(5_000));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = 0;
  stream.addEventListener("message", ({ data }) => {
    received += data.byteLength;
    if (received >= from.bytes) resolve();
  });
  stream.addEventListener("close", () => reject(new Error(`closed after ${received} bytes`)));
  stream.send(new TextEncoder().encode(String(from.bytes)));
  await promise;
  stream.abort(new Error("done"));
}

await (args.child ? child() : parent());
Deno.exit(0); // libp2p's listener keeps the process alive after its stop
