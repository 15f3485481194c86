// Clients of every temper at one node: some read all, some a range, some slowly, some break off in
// the middle. Whatever they do to one another's blocks in the node's memory, each byte that any
// of them got is the file's.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrng, type Prng } from "../../shared/base/prng.ts";
import { waitFor } from "../../web/wait.ts";
import { bytesOf } from "./content.ts";
import { filePath, type NodeChild } from "./node_child.ts";

/** So long that what the sockets hold fills up, and the node has to keep the rest. */
const slowRestMs = 400;
/** A slow client rests once in so many bytes. */
const slowEveryBytes = 8 * 2 ** 20;

/** A file that was pushed from `bytesOf(seed, size)`. */
export interface PushedFile {
  readonly name: string;
  readonly seed: number;
  readonly size: number;
}

/** Pulls with so many clients for so long. @returns pulls that ended, and bytes compared */
export async function mixedPulls(
  node: NodeChild,
  file: PushedFile,
  { clients, forMs }: { readonly clients: number; readonly forMs: number },
): Promise<{ readonly pulls: number; readonly bytes: number }> {
  const expected = bytesOf(file.seed, file.size);
  const endsAt = performance.now() + forMs;
  const counts = { pulls: 0, bytes: 0 };
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    const prng = createPrng(client + 1);
    while (performance.now() < endsAt) {
      counts.bytes += await pullOnce({ node, name: file.name, expected, prng });
      counts.pulls += 1;
    }
  }));
  return counts;
}

/** One client: which part, how slowly and how far is up to the generator. @returns bytes read */
async function pullOnce({ node, name, expected, prng }: {
  readonly node: NodeChild;
  readonly name: string;
  readonly expected: Uint8Array;
  readonly prng: Prng;
}): Promise<number> {
  const start = prng.chance(1 / 2) ? 0 : prng.int(expected.length);
  const leavesAt = prng.chance(1 / 3) ? start + prng.int(expected.length - start) : Infinity;
  const slow = prng.chance(1 / 4);
  const leave = new AbortController();
  const response = await node.request(filePath(name), {
    headers: { range: `bytes=${start}-` },
    signal: leave.signal,
  });
  assert.equal(response.status, 206);
  let at = start;
  for await (const part of response.body ?? []) {
    const same = Buffer.compare(part, expected.subarray(at, at + part.length)) === 0;
    assert.ok(same, `${name} differs between ${at} and ${at + part.length}`);
    const steps = Math.floor((at + part.length) / slowEveryBytes);
    const rests = slow && Math.floor(at / slowEveryBytes) < steps;
    at += part.length;
    if (at >= leavesAt) break;
    if (rests) await waitFor(slowRestMs);
  }
  if (at < expected.length) leave.abort();
  assert.ok(at === expected.length || at >= leavesAt, `${name} ended after ${at}`);
  return at - start;
}
