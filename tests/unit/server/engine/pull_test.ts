// Pull over several nodes: what was pushed comes back whatever holders do, or it fails loudly.

import assert from "node:assert/strict";
import fc from "fast-check";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { pullWindowBlocks } from "../../../../shared/base/limits.ts";
import { createPrng } from "../../../../shared/base/prng.ts";
import { createDagBuilder } from "../../../../shared/block/dag_builder.ts";
import { cidOfDigest, codecOf } from "../../../../shared/block/cid.ts";
import { hashBlockNow } from "../../../../server/engine/block_hash.ts";
import { fetchBlock, openDag } from "../../../../server/engine/pull.ts";
import { pushBytes } from "../../../../server/engine/push.ts";
import {
  createTestPool,
  gathered,
  inVirtualTime,
  type Manner,
  pieces,
  testBytes,
  type TestPool,
} from "./test_pool.ts";

const KiB = 1024;
const content = testBytes(5_000 * KiB + 17);

async function stored(
  pool: TestPool,
  bytes = content,
): Promise<Awaited<ReturnType<typeof pushBytes>>> {
  return await pushBytes(pool.ports(0), pieces(bytes));
}

async function pulled(pool: TestPool, root: Parameters<typeof openDag>[1], reader: number) {
  const file = await openDag(pool.ports(reader), root);
  return await gathered(file.read({ start: 0, end: file.size }));
}

async function refusal(work: Promise<unknown>): Promise<SkyringError> {
  const cause = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(cause instanceof SkyringError, String(cause));
  return cause;
}

Deno.test("openDag() reads back what was pushed, from every node", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const { root, size } = await stored(pool);
    for (let reader = 0; reader < 5; reader++) {
      const file = await openDag(pool.ports(reader), root);
      assert.equal(file.size, size);
      assert.ok(Buffer.from(await pulled(pool, root, reader)).equals(content));
    }
  }));

Deno.test("openDag() hands over every leaf as it was given out, and never the root", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    for (const bytes of [content, content.subarray(0, 1_000)]) {
      const { root } = await stored(pool, bytes);
      const handed: Uint8Array[] = [];
      const handOver = (leaf: Uint8Array) => void handed.push(leaf);
      const file = await openDag({ ...pool.ports(0), handOver }, root);
      const given = await Array.fromAsync(file.read({ start: 0, end: file.size }));
      // A file of one block is its root, which the opened file may be asked for again.
      const leaves = bytes === content ? given : [];
      assert.equal(handed.length, leaves.length);
      // The very arrays: of a copy nobody could say when the block itself is done with.
      assert.ok(leaves.every((leaf) => handed.includes(leaf)));
    }
  }));

const faults: readonly Manner[] = [
  "dead",
  "unreachable",
  "stalled",
  "deaf",
  "lying",
  "slow",
  "busy",
];
for (const manner of faults) {
  Deno.test(`openDag() reads every byte right when two of five nodes are ${manner}`, () =>
    inVirtualTime(async (clock) => {
      const pool = createTestPool({ nodes: 5, clock });
      const { root } = await stored(pool);
      pool.node(1).manner = manner;
      pool.node(2).manner = manner;
      assert.ok(Buffer.from(await pulled(pool, root, 4)).equals(content));
    }));
}

Deno.test("openDag() goes on when a holder dies, stalls or begins to lie in the middle", () =>
  inVirtualTime(async (clock) => {
    for (const manner of ["unreachable", "stalled", "lying"] as const) {
      const pool = createTestPool({ nodes: 4, clock });
      const { root } = await stored(pool);
      const file = await openDag(pool.ports(3), root);
      const parts: Uint8Array[] = [];
      for await (const part of file.read({ start: 0, end: file.size })) {
        parts.push(part);
        if (parts.length === 4) pool.node(0).manner = manner;
      }
      assert.ok(Buffer.concat(parts).equals(content));
    }
  }));

Deno.test("openDag() asks a liar no more after its first wrong block, and names it", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 4, clock });
    const { root } = await stored(pool);
    pool.node(1).manner = "lying";
    const liars = new Set<string>();
    const options = { onLiar: (peer: string) => liars.add(peer) };
    const file = await openDag(pool.ports(3), root, options);
    await gathered(file.read({ start: 0, end: file.size }));
    assert.ok(liars.size <= 1);
    // What was on its way when the first answer came is all that it could give.
    assert.ok(pool.node(1).served <= 33);
    for (const liar of liars) assert.equal(liar, pool.node(1).id);
  }));

Deno.test("openDag() never gives a wrong or short file under any mixture of faults", () =>
  inVirtualTime(async (clock) => {
    const manners = fc.array(fc.constantFrom<Manner>("well", ...faults), {
      minLength: 5,
      maxLength: 5,
    });
    const bytes = testBytes(900 * KiB + 3);
    await fc.assert(
      fc.asyncProperty(manners, fc.integer(), async (list, seed) => {
        const pool = createTestPool({ nodes: 5, clock });
        const { root } = await stored(pool, bytes);
        list.forEach((manner, at) => pool.node(at).manner = manner);
        const reader = createPrng(seed).int(5);
        pool.node(reader).manner = "well";
        const result = await pulled(pool, root, reader).catch((cause: unknown) => cause);
        if (result instanceof Uint8Array) assert.ok(Buffer.from(result).equals(bytes));
        else {assert.ok(
            result instanceof SkyringError && result.code === "unavailable",
            String(result),
          );}
        const honest = list.filter((manner, at) =>
          at === reader || manner === "well" || manner === "slow"
        ).length;
        if (honest >= 3) assert.ok(result instanceof Uint8Array, String(result));
      }),
      { numRuns: 25 },
    );
  }));

Deno.test("openDag() finds blocks on stand-ins that no owner has", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 6, clock });
    for (const at of [1, 2, 3]) pool.node(at).manner = "unreachable";
    const { root } = await stored(pool);
    for (const at of [1, 2, 3]) pool.node(at).manner = "well";
    assert.ok(Buffer.from(await pulled(pool, root, 1)).equals(content));
  }));

Deno.test("openDag() fails loudly when a block is nowhere, and gives no byte after the gap", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const { root } = await stored(pool);
    const gap = cidOfDigest(hashBlockNow(content.subarray(5 * 256 * KiB, 6 * 256 * KiB)), "raw");
    for (const node of pool.nodes) await node.store.remove(gap);
    const file = await openDag(pool.ports(1), root);
    let given = 0;
    const reading = async () => {
      for await (const part of file.read({ start: 0, end: file.size })) given += part.length;
    };
    const { code, data } = await refusal(reading());
    assert.equal(code, "unavailable");
    assert.equal(data["cid"], gap);
    assert.equal(given, 5 * 256 * KiB);
    const nowhere = cidOfDigest(new Uint8Array(32), "raw");
    assert.equal((await refusal(openDag(pool.ports(1), nowhere))).code, "unavailable");
  }));

Deno.test("openDag() fetches only the blocks of a range", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 8, clock });
    const { root } = await stored(pool);
    const reader = 7;
    for (const { cid } of pool.node(reader).store.list(undefined, 1_000)) {
      await pool.node(reader).store.remove(cid);
    }
    const file = await openDag(pool.ports(reader), root);
    const served = () => pool.nodes.reduce((sum, node) => sum + node.served, 0);
    const before = served();
    const [start, end] = [256 * KiB * 3 - 10, 256 * KiB * 4 + 10];
    const bytes = await gathered(file.read({ start, end }));
    assert.ok(Buffer.from(bytes).equals(content.subarray(start, end)));
    assert.equal(served() - before, 3);
    assert.equal((await gathered(file.read({ start: 5, end: 5 }))).length, 0);
    assert.throws(() => file.read({ start: 0, end: file.size + 1 }), {
      code: "range_unsatisfiable",
    });
  }));

Deno.test("openDag() fetches a window ahead and no further while nobody reads", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 4, clock });
    const { root } = await stored(pool, testBytes(120 * 256 * KiB));
    const reader = 3;
    for (const { cid } of pool.node(reader).store.list(undefined, 1_000)) {
      await pool.node(reader).store.remove(cid);
    }
    const file = await openDag(pool.ports(reader), root);
    const reading = file.read({ start: 0, end: file.size });
    await reading.next();
    await clock.sleep(2_000);
    const served = pool.nodes.reduce((sum, node) => sum + node.served, 0);
    const ahead = Math.abs(served - pullWindowBlocks);
    assert.ok(ahead <= 8, `${served} blocks were fetched for one that was read`);
    await reading.return();
    await clock.sleep(2_000);
    assert.equal(pool.nodes.reduce((sum, node) => sum + node.served, 0), served);
  }));

Deno.test("openDag() ends at once when its reader leaves while a holder is silent", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 4, clock });
    const { root } = await stored(pool);
    const file = await openDag(pool.ports(3), root);
    for (const { cid } of pool.node(3).store.list(undefined, 1_000)) {
      await pool.node(3).store.remove(cid);
    }
    for (const at of [0, 1, 2]) pool.node(at).manner = "deaf";
    const leave = new AbortController();
    const reading = gathered(file.read({ start: 0, end: file.size }, leave.signal));
    const started = clock.now();
    await clock.sleep(100);
    leave.abort(new Error("left"));
    await assert.rejects(reading, /left/);
    assert.ok(clock.now() - started < 2_000);
  }));

Deno.test("openDag() heals over a local block that does not match, and puts it out of sight", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const { root } = await stored(pool);
    const cid = cidOfDigest(hashBlockNow(content.subarray(0, 256 * KiB)), "raw");
    const { store } = pool.node(2);
    await store.remove(cid);
    await store.put(cid, new Uint8Array(256 * KiB), "leaf");
    assert.ok(Buffer.from(await pulled(pool, root, 2)).equals(content));
    assert.ok(!store.has(cid));
  }));

Deno.test("openDag() refuses a DAG whose leaf is not as large as its parent says", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 1, clock });
    const { store } = pool.node(0);
    const leaf = testBytes(100);
    const cid = cidOfDigest(hashBlockNow(leaf), "raw");
    await store.put(cid, leaf, "leaf");
    const builder = createDagBuilder({ linksMax: 174, hash: hashBlockNow });
    for (const size of [100, 101]) builder.add({ cid, size });
    const dag = builder.finish();
    for (const inner of dag.inner) await store.put(inner.cid, inner.bytes, "inner");
    assert.equal(codecOf(dag.root), "dag-pb");
    const { code, data } = await refusal(pulled(pool, dag.root, 0));
    assert.deepEqual([code, data["reason"]], ["corrupt", "size_mismatch"]);
  }));

Deno.test("fetchBlock() gives one block from whoever has it", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const { root } = await stored(pool);
    for (let at = 0; at < 5; at++) {
      const bytes = await fetchBlock(pool.ports(at), root);
      assert.equal(cidOfDigest(hashBlockNow(bytes), "dag-pb"), root);
    }
  }));
