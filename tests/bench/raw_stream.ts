// The limit: bytes over one libp2p stream between two processes, on the product's own host (TCP,
// noise, yamux), waiting for drain as a sender must; and the round trip of a small request on
// the same connection. The child sends, and ends when its standard input does.

import process from "node:process";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Stream } from "@libp2p/interface";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { createHost, type Host } from "../../server/net/host.ts";
import type { ChannelLimits } from "../../server/net/network.ts";
import { createLineStream } from "../../server/cluster/line_stream.ts";
import { cpuSecondsOf } from "./process_meter.ts";

const pieceBytes = 256 * 1024;
const protocol = "/skyring/bench/raw/1.0.0";
const echoLimits: ChannelLimits = {
  messageBytesMax: 1_024,
  concurrencyMax: 16,
  queueMax: 64,
  roles: ["member"],
};

/** A connected pair. */
export interface RawPair {
  /** @returns bytes a second, and CPU seconds a GiB of both sides */
  receive(bytes: number): Promise<{ rate: number; receiverCpu: number; senderCpu: number }>;
  /** Round trip of a 32-byte request. */
  pingMs(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the sender and connects to it. */
export async function startRawPair(): Promise<RawPair> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", import.meta.filename ?? ""],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(createLineStream())[Symbol.asyncIterator]();
  const { id, address } = JSON.parse((await lines.next()).value ?? "{}");
  const host = await makeHost();
  const echo = host.channel("echo", echoLimits);
  await host.start();
  await host.dial(address);
  const peer = asNodeId(id);
  return {
    receive: async (bytes) => {
      const before = { ours: ownCpu(), theirs: cpuSecondsOf(child.pid), ms: performance.now() };
      await receiveRaw(host, { peer, bytes });
      const seconds = (performance.now() - before.ms) / 1_000;
      const gib = bytes / 2 ** 30;
      return {
        rate: bytes / seconds,
        receiverCpu: (ownCpu() - before.ours) / gib,
        senderCpu: (cpuSecondsOf(child.pid) - before.theirs) / gib,
      };
    },
    pingMs: async () => {
      const startMs = performance.now();
      await echo.request(peer, new Uint8Array(32), { timeoutMs: 10_000 });
      return performance.now() - startMs;
    },
    stop: async () => {
      await host.stop();
      await child.stdin.close();
      await child.status;
    },
  };
}

async function makeHost(): Promise<Host> {
  return await createHost({
    group: "bench-raw",
    privateKey: await generateKeyPair("Ed25519"),
    secrets: [],
    bootId: "0123456789abcdef",
    listen: ["/ip4/127.0.0.1/tcp/0"],
    announce: [],
    mdns: false,
    public: false,
    profile: "local",
  });
}

async function receiveRaw(host: Host, from: { peer: NodeId; bytes: number }): Promise<void> {
  const stream = await host.streams.open(from.peer, protocol, AbortSignal.timeout(5_000));
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

/** Sends as many bytes as asked for, as fast as the stream takes them. */
async function sendRaw(stream: Stream, bytes: number): Promise<void> {
  const piece = new Uint8Array(pieceBytes);
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!stream.send(piece)) await drained(stream);
  }
}

function drained(stream: Stream): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.addEventListener("drain", () => resolve(), { once: true });
  stream.addEventListener("close", () => reject(new Error("closed")), { once: true });
  return promise;
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function serve(): Promise<void> {
  const host = await makeHost();
  host.streams.accept(
    protocol,
    { roles: ["member"], strangers: false, streamsPerConnectionMax: 2 },
    (stream) =>
      stream.addEventListener("message", ({ data }) => {
        const bytes = Number(new TextDecoder().decode(data.subarray()));
        sendRaw(stream, bytes).catch((error) => console.error(error));
      }, { once: true }),
  );
  host.channel("echo", echoLimits).handle((_, message) => message);
  const [address] = await host.start();
  console.log(JSON.stringify({ id: host.self, address }));
  for await (const _ of Deno.stdin.readable) continue;
  Deno.exit(0);
}

if (import.meta.main) await serve();
