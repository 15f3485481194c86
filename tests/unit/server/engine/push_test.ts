// Push over several nodes: where copies go, what happens when nodes fail, and what is refused.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Cid } from "../../../../shared/base/ids.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { slotOfCid } from "../../../../shared/ring/slot.ts";
import { openDag } from "../../../../server/engine/pull.ts";
import { type BytesPushOptions, pushBytes } from "../../../../server/engine/push.ts";
import {
  createTestPool,
  gathered,
  inVirtualTime,
  type Manner,
  pieces,
  testBytes,
  type TestPool,
} from "./test_pool.ts";

const MiB = 1024 ** 2;
const content = testBytes(3 * MiB + 5);

async function push(pool: TestPool, options: BytesPushOptions = {}, bytes = content) {
  return await pushBytes(pool.ports(0), pieces(bytes), options);
}

function allCids(pool: TestPool): Set<Cid> {
  return new Set(
    pool.nodes.flatMap((node) => node.store.list(undefined, 10_000).map((b) => b.cid)),
  );
}

async function refusal(work: Promise<unknown>): Promise<SkyringError> {
  const cause = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(cause instanceof SkyringError, String(cause));
  return cause;
}

Deno.test("pushBytes() puts every block on its three owners and says so", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const result = await push(pool);
    assert.equal(result.size, content.length);
    assert.equal(result.blocks, 13);
    assert.deepEqual([result.least, result.zones], [3, 3]);
    const ring = pool.ports(0).ring.placement();
    const cids = allCids(pool);
    assert.equal(cids.size, 14);
    for (const cid of cids) {
      const holders = pool.holdersOf(cid).map((node) => node.id).sort();
      assert.deepEqual(holders, [...ring.ownersOf(slotOfCid(cid), 3)].sort());
    }
  }));

Deno.test("pushBytes() needs one copy in a roster of one and of two, and counts what it has", () =>
  inVirtualTime(async (clock) => {
    const one = await push(createTestPool({ nodes: 1, clock }));
    assert.deepEqual([one.least, one.zones], [1, 1]);
    const pair = createTestPool({ nodes: 2, zones: 1, clock });
    const two = await push(pair);
    assert.deepEqual([two.least, two.zones], [2, 1]);
    pair.node(1).manner = "dead";
    assert.equal((await push(pair)).least, 1);
  }));

Deno.test("pushBytes() stores the empty file as one empty block", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const result = await push(pool, {}, new Uint8Array(0));
    assert.equal(result.root, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    assert.deepEqual([result.blocks, result.size, result.least], [1, 0, 3]);
  }));

const survivable: readonly Manner[] = [
  "dead",
  "unreachable",
  "stalled",
  "deaf",
  "busy",
  "slow",
  "forgetful",
];
for (const manner of survivable) {
  Deno.test(`pushBytes() makes three copies of each block elsewhere when a node is ${manner}`, () =>
    inVirtualTime(async (clock) => {
      const pool = createTestPool({ nodes: 5, clock });
      pool.node(2).manner = manner;
      const result = await push(pool);
      assert.equal(result.least, 3);
      for (const cid of allCids(pool)) assert.ok(pool.holdersOf(cid).length >= 3);
    }));
}

Deno.test("pushBytes() gives a full owner's blocks to stand-ins", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({
      nodes: 5,
      clock,
      storeOf: (at) =>
        createMemoryStore({ capacityBytes: at === 2 ? MiB / 2 : 99 * MiB, now: () => clock.now() }),
    });
    assert.equal((await push(pool)).least, 3);
    assert.ok(pool.node(2).store.use().blockBytes <= MiB / 2);
  }));

Deno.test("pushBytes() replaces a node that dies in the middle", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const body = async function* () {
      let count = 0;
      for await (const piece of pieces(content)) {
        if (++count === 20) pool.node(1).manner = "unreachable";
        yield piece;
      }
    };
    const result = await pushBytes(pool.ports(0), body());
    assert.equal(result.least, 3);
    const others = pool.nodes.filter((_, at) => at !== 1);
    for (const cid of allCids(pool)) {
      // What it had confirmed before was counted again and made up for.
      assert.ok(others.filter((node) => node.store.has(cid)).length >= 3);
    }
  }));

Deno.test("pushBytes() is acknowledged with two copies where only two nodes live", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    for (const at of [2, 3, 4]) pool.node(at).manner = at === 2 ? "unreachable" : "dead";
    const result = await push(pool);
    assert.equal(result.least, 2);
  }));

Deno.test("pushBytes() refuses with needed and have when too few nodes take blocks", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    for (const at of [1, 2, 3, 4]) pool.node(at).manner = at % 2 === 0 ? "stalled" : "dead";
    const { code, data, retriable } = await refusal(push(pool));
    assert.equal(code, "too_few_copies");
    assert.deepEqual([data["needed"], data["have"], retriable], [2, 1, true]);
  }));

Deno.test("pushBytes() counts again: copies that confirmed and are gone do not count", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    for (const at of [1, 2]) pool.node(at).manner = "forgetful";
    const body = async function* () {
      yield await Promise.resolve(content);
    };
    const { code, data } = await refusal(pushBytes(pool.ports(0), body()));
    assert.equal(code, "too_few_copies");
    assert.equal(data["have"], 1);
  }));

Deno.test("pushBytes() refuses a body that ends before or after its announced length", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const short = await refusal(push(pool, { contentLength: content.length + 1 }));
    assert.equal(short.code, "short_body");
    assert.deepEqual(short.data, { received: content.length, expected: content.length + 1 });
    const long = await refusal(push(pool, { contentLength: content.length - 1 }));
    assert.equal(long.code, "bad_request");
    assert.equal((await push(pool, { contentLength: content.length })).size, content.length);
  }));

Deno.test("pushBytes() checks digests on the way", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const digest = (algorithm: "sha-256" | "sha-512") => ({
      algorithm,
      digest: new Uint8Array(createHash(algorithm.replace("-", "")).update(content).digest()),
    });
    const good = [digest("sha-256"), digest("sha-512")];
    assert.equal((await push(pool, { digests: good })).least, 3);
    const bad = [{ algorithm: "sha-256" as const, digest: new Uint8Array(32) }];
    assert.equal((await refusal(push(pool, { digests: bad }))).code, "digest_mismatch");
  }));

Deno.test("pushBytes() passes on the body's own error and ends the body when it fails itself", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const gone = new Error("client is gone");
    const broken = async function* () {
      yield content.subarray(0, MiB);
      throw await Promise.resolve(gone);
    };
    await assert.rejects(pushBytes(pool.ports(0), broken()), gone);
    for (const at of [1, 2, 3, 4]) pool.node(at).manner = "unreachable";
    let closed = false;
    let seed = 1;
    const endless = async function* () {
      try {
        for (;;) yield await Promise.resolve(testBytes(MiB, seed++));
      } finally {
        closed = true;
      }
    };
    assert.equal((await refusal(pushBytes(pool.ports(0), endless()))).code, "too_few_copies");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.ok(closed);
  }));

Deno.test("pushBytes() ends at once when its caller leaves, also while the body is silent", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const leave = new AbortController();
    const silent = async function* () {
      yield content;
      leave.abort(new Error("left"));
      await new Promise(() => {});
    };
    const work = pushBytes(pool.ports(0), silent(), { signal: leave.signal });
    await assert.rejects(work, /left/);
    assert.ok(pool.nodes.every((node) => node.putsNow === 0));
  }));

Deno.test("pushBytes() holds the body back while nodes are slow", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    for (const at of [1, 2]) pool.node(at).manner = "slow";
    const confirmed = () => pool.nodes.reduce((sum, node) => sum + node.store.use().blocks, 0) / 3;
    let given = 0;
    let ahead = 0;
    const body = async function* () {
      for (let at = 0; at < 120; at++) {
        given++;
        ahead = Math.max(ahead, given - confirmed());
        yield await Promise.resolve(testBytes(262_144, at + 1));
      }
    };
    const result = await pushBytes(pool.ports(0), body());
    assert.equal(result.least, 3);
    assert.ok(ahead > 10 && ahead < 100, `${ahead} blocks ahead`);
    assert.ok(pool.node(1).putsPeak <= 32);
  }));

Deno.test("pushBytes() sends a block that repeats once", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const result = await push(pool, {}, new Uint8Array(5 * MiB));
    assert.equal(result.blocks, 20);
    assert.equal(allCids(pool).size, 2);
    const file = await openDag(pool.ports(1), result.root);
    const bytes = await gathered(file.read({ start: 0, end: file.size }));
    assert.ok(bytes.length === 5 * MiB && bytes.every((byte) => byte === 0));
  }));
