// Pushes and pulls a gigabyte in a process of its own and prints its peak memory as JSON.
// Nodes keep what a block was made from instead of its bytes, and make the bytes again, so that
// the memory seen is that of push and pull.

import { systemClock } from "../../../../server/engine/clock.ts";
import { openDag } from "../../../../server/engine/pull.ts";
import { pushBytes } from "../../../../server/engine/push.ts";
import type { BlockStore } from "../../../../shared/block/block_store.ts";
import type { Cid } from "../../../../shared/base/ids.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { createTestPool, testBytes } from "./test_pool.ts";

const chunkBytes = 262_144;
const chunks = Number(Deno.args[0] ?? 4_096);
const pieceBytes = 65_536;
const pattern = testBytes(chunkBytes);

let peakRss = 0;
const sample = () => void (peakRss = Math.max(peakRss, Deno.memoryUsage().rss));
const sampler = setInterval(sample, 20);

/** Chunk `index`: a pattern that begins with the index. */
function chunkOf(index: number): Uint8Array {
  const bytes = pattern.slice();
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}

/** A store that remembers the index of each leaf; inner blocks are few and kept. */
function regeneratingStore(): BlockStore {
  const inner = createMemoryStore({ capacityBytes: 1, now: () => 0 });
  const indexes = new Map<Cid, number>();
  return {
    ...inner,
    put: (cid, bytes, kind) => {
      if (kind === "inner") return inner.put(cid, bytes, kind);
      indexes.set(cid, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
      return Promise.resolve({ ok: true, fresh: true });
    },
    get: (cid) => {
      const index = indexes.get(cid);
      return index === undefined ? inner.get(cid) : Promise.resolve(chunkOf(index));
    },
    has: (cid) => indexes.has(cid) || inner.has(cid),
  };
}

async function* body(): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < chunks; index++) {
    const chunk = chunkOf(index);
    for (let at = 0; at < chunkBytes; at += pieceBytes) {
      yield await Promise.resolve(chunk.subarray(at, at + pieceBytes));
    }
    sample();
  }
}

/** User and system time of this process in seconds, where the system tells. */
function cpuSeconds(): number {
  try {
    const fields = Deno.readTextFileSync("/proc/self/stat").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

const pool = createTestPool({ nodes: 4, clock: systemClock, storeOf: regeneratingStore });
const start = { at: performance.now(), cpu: cpuSeconds() };
const pushed = await pushBytes(pool.ports(0), body());
const middle = { at: performance.now(), cpu: cpuSeconds() };
const file = await openDag(pool.ports(3), pushed.root);
let bytes = 0;
let right = 0;
let index = 0;
for await (const part of file.read({ start: 0, end: file.size })) {
  bytes += part.length;
  if (new DataView(part.buffer, part.byteOffset).getUint32(0) === index) right++;
  index++;
}
const end = { at: performance.now(), cpu: cpuSeconds() };
clearInterval(sampler);
sample();
const rate = (from: number, to: number) => Math.round(bytes / 1e6 / ((to - from) / 1000));
const perGiB = (from: number, to: number) =>
  Math.round(100 * (to - from) / (bytes / 1024 ** 3)) / 100;
console.log(JSON.stringify({
  least: pushed.least,
  blocks: pushed.blocks,
  bytes,
  right,
  peakMiB: Math.round(peakRss / 1024 ** 2),
  pushMBs: rate(start.at, middle.at),
  pullMBs: rate(middle.at, end.at),
  pushCpuPerGiB: perGiB(start.cpu, middle.cpu),
  pullCpuPerGiB: perGiB(middle.cpu, end.cpu),
}));
