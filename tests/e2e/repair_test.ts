// Healing with real processes: two of five nodes are killed under load, everything stays readable
// and comes back to three copies; who returns with its data costs nothing, who returns without
// is filled.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const MB = 1_000_000;
const files = 8;
const fileBytes = 25 * MB;

interface Stored {
  readonly name: string;
  readonly sha256: string;
}

/** Bytes that differ everywhere, made quickly. */
function contentOf(seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(fileBytes / 4);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function push(node: NodeChild, name: string, seed: number): Promise<Stored> {
  const bytes = contentOf(seed);
  const response = await fetch(node.file(name), { method: "PUT", body: bytes });
  assert.equal(response.status, 201, await response.text());
  return { name, sha256: sha256(bytes) };
}

async function assertReads(node: NodeChild, stored: readonly Stored[]): Promise<void> {
  for (const { name, sha256: expected } of stored) {
    const response = await fetch(node.file(name));
    assert.equal(response.status, 200, `${name} from ${node.name}`);
    assert.equal(sha256(await response.bytes()), expected, `${name} from ${node.name}`);
  }
}

/** Blocks that a node's repair has brought since its start. */
async function restored(node: NodeChild): Promise<number> {
  const { items } = await node.json("/api/workers?limit=100");
  const repair = items.find(({ name }: { name: string }) => name === "repair");
  return Number(/(\d+) blocks/.exec(repair.progress)?.[1] ?? 0);
}

/** Blocks on a node's disk. */
async function held(node: NodeChild): Promise<number> {
  return (await node.json("/api/status")).blocks.held;
}

/** Waits until every file has `copies` copies as a node sees it, and that node's list is known. */
async function untilCopies(node: NodeChild, copies: number, withinMs = 90_000): Promise<void> {
  let least = -1;
  await until(`${copies} copies of all files`, async () => {
    const { items } = await node.json("/api/files?limit=100", 20_000);
    least = Math.min(
      ...items.map((item: { replicas: { least: number } }) => item.replicas.least),
    );
    return items.length === files && least >= copies;
  }, { withinMs, everyMs: 100, detail: () => `least ${least}\n${node.output().slice(-4_000)}` });
}

/** Waits until a node owns nothing that it lacks, under its present roster. */
async function untilFilled(node: NodeChild, withinMs = 60_000): Promise<void> {
  let last = "";
  await until(`${node.name} to be filled`, async () => {
    const { phase, blocks } = await node.json("/api/status");
    last = `${phase.phase}: ${phase.because}; ${blocks.wanted} wanted`;
    return phase.phase === "seeding" && blocks.wanted === 0;
  }, { withinMs, detail: () => last });
}

async function membersAre(node: NodeChild, count: number): Promise<void> {
  await until(`a roster of ${count}`, async () => {
    return (await node.json("/api/status")).roster.members === count;
  }, { withinMs: 60_000 });
}

Deno.test("a pool of five heals the death of two, and of a disk", async () => {
  await NodePool.with({ nodes: 5, flags: ["--grace=8s"] }, async (pool) => {
    const [a, b, c, d, e] = pool.nodes as [NodeChild, NodeChild, NodeChild, NodeChild, NodeChild];
    const stored = await Promise.all(
      Array.from({ length: files }, (_, at) => push(pool.node(at % 5), `file-${at}`, at + 1)),
    );
    await untilCopies(a, 3);
    for (const node of pool.nodes) await untilFilled(node);

    const before = await restored(a);
    const heldBefore = await Promise.all([d, e].map(held));
    const killedAt = performance.now();
    const since = () => ((performance.now() - killedAt) / 1_000).toFixed(1);
    await Promise.all([d.kill(), e.kill()]);
    const reads = assertReads(a, stored);
    const dead = until("two nodes to be seen dead", async () => {
      const { items } = await a.json("/api/nodes");
      return items.filter(({ state }: { state: string }) => state === "dead").length === 2;
    }).then(() => console.log(`  seen dead after ${since()} s`));
    let workers = "";
    const first = until("the first repair", async () => {
      workers = JSON.stringify((await a.json("/api/workers")).items, null, 1);
      return await restored(a) > before;
    }, {
      withinMs: 60_000,
      detail: () => `${workers}\n${a.output().slice(-4_000)}`,
    }).then(() => console.log(`  first repair after ${since()} s`));
    await membersAre(a, 3);
    console.log(`  roster of three after ${since()} s`);
    await Promise.all([dead, first, untilCopies(a, 3), reads]);
    console.log(`  all at three copies after ${since()} s`);
    for (const node of [a, b, c]) await assertReads(node, stored);

    const fetchedBefore = await Promise.all([a, b, c].map(restored));
    const heldAtStart = await Promise.all([d, e].map(async (node) => {
      await node.start();
      return await held(node);
    }));
    // Nothing was lost, so nothing can be fetched twice. Whoever is back first owns what the
    // other will own in a moment, and may fetch of that until the other is back.
    for (const [at, count] of heldAtStart.entries()) assert.ok(count >= (heldBefore[at] ?? 0));
    await membersAre(a, 5);
    for (const node of pool.nodes) await untilFilled(node);
    const all = await held(a); // the three have every block
    for (const [at, node] of [d, e].entries()) {
      const lacked = all - (heldBefore[at] ?? 0);
      const fetched = await restored(node);
      assert.ok(
        fetched <= lacked / 2,
        `${node.name} fetched ${fetched}, lacked ${lacked} of ${all}`,
      );
    }
    assert.deepEqual(await Promise.all([a, b, c].map(restored)), fetchedBefore);

    await e.kill();
    await Deno.remove(e.data, { recursive: true });
    await e.start();
    await membersAre(a, 6).catch(() => undefined); // the old identity may be expelled before
    await membersAre(a, 5);
    await untilFilled(e);
    assert.ok(await restored(e) > 0, "a node without data is filled");
    await untilCopies(e, 3);
    await assertReads(e, stored);
  });
});
