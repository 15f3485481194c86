// Which blocks a node tells tabs to take: referenced ones, fewest copies first, spread by seed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Cid } from "../../../../shared/base/ids.ts";
import { rareBlocksKept, rareStaleMs } from "../../../../shared/base/tab_limits.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { slotOfCid } from "../../../../shared/ring/slot.ts";
import { RareBlocks, type RarePorts } from "../../../../server/engine/rare_blocks.ts";
import { createTestPool, inVirtualTime, testBytes, type TestPool } from "./test_pool.ts";

const count = 1_500;

/** Blocks on nodes 0 to 2; every tenth on node 0 alone, every seventh referenced by no file. */
async function fill(pool: TestPool) {
  const alone = new Set<Cid>();
  const loose = new Set<Cid>();
  for (let seed = 1; seed <= count; seed++) {
    const bytes = testBytes(64, seed);
    const cid = cidOfDigest(createHash("sha256").update(bytes).digest(), "raw");
    if (seed % 7 === 0) loose.add(cid);
    else if (seed % 10 === 0) alone.add(cid);
    for (const node of pool.nodes.slice(0, alone.has(cid) ? 1 : 3)) {
      await node.store.put(cid, bytes, "leaf");
    }
  }
  return { alone, loose };
}

function portsOf(pool: TestPool, loose: ReadonlySet<Cid>, start: number): RarePorts {
  const { ring, store, exchange } = pool.ports(0);
  return {
    ...{ ring, store, exchange, clock: pool.clock },
    replicasOf: (cid) => loose.has(cid) ? 0 : 3,
    randomDigest: () => new Uint8Array(32).fill(start),
  };
}

Deno.test("list() names what has fewest copies first, and nothing that no file uses", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const { alone, loose } = await fill(pool);
    for (const start of [0, 128, 255]) {
      const rare = new RareBlocks(portsOf(pool, loose, start));
      const blocks = await rare.list({ limit: 1_000, seed: 1 });
      assert.equal(blocks.length, 1_000);
      const first = blocks.slice(0, alone.size);
      assert.ok(first.every(({ copies, cid }) => copies === 1 && alone.has(cid)));
      assert.ok(blocks.slice(alone.size).every(({ copies }) => copies === 3));
      assert.ok(blocks.every(({ cid }) => !loose.has(cid)));
      assert.equal(new Set(blocks.map(({ cid }) => cid)).size, 1_000);
      assert.ok(blocks.every(({ size, wanted }) => size === 64 && wanted === 3));
    }
  }));

Deno.test("list() spreads callers by their seeds, and the same seed gives the same", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const { alone, loose } = await fill(pool);
    const rare = new RareBlocks(portsOf(pool, loose, 9));
    const names = async (seed: number) =>
      (await rare.list({ limit: 20, seed })).map(({ cid }) => cid);
    assert.deepEqual(await names(5), await names(5));
    const several = (await Promise.all([1, 2, 3, 4, 5].map(names))).flat();
    assert.ok(new Set(several).size > 50, `${new Set(several).size} different of 100`);
    assert.ok(several.every((cid) => alone.has(cid)));
  }));

Deno.test("list() counts once for all callers, and again when the count is old", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    await fill(pool);
    let haves = 0;
    const ports = portsOf(pool, new Set(), 9);
    const exchange: RarePorts["exchange"] = {
      ...ports.exchange,
      have: (...given) => (haves++, ports.exchange.have(...given)),
    };
    const rare = new RareBlocks({ ...ports, exchange });
    await Promise.all(Array.from({ length: 50 }, (_, seed) => rare.list({ limit: 9, seed })));
    const once = haves;
    assert.ok(once > 0 && once <= 4, `${once} questions`);
    await clock.sleep(rareStaleMs);
    await rare.list({ limit: 9, seed: 1 });
    assert.equal(haves, 2 * once);
  }));

Deno.test("list() keeps those with the fewest owners alive when there are more than it keeps", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 4, clock });
    const { ring } = pool.ports(0);
    const lost = pool.node(3);
    const weak = new Set<Cid>();
    const all = rareBlocksKept + 600;
    for (let seed = 1; seed <= all; seed++) {
      const bytes = testBytes(16, seed);
      const cid = cidOfDigest(createHash("sha256").update(bytes).digest(), "raw");
      if (ring.placement().ownersOf(slotOfCid(cid), 3).includes(lost.id)) weak.add(cid);
      await pool.node(0).store.put(cid, bytes, "leaf");
    }
    assert.ok(weak.size > 100 && weak.size < rareBlocksKept, `${weak.size} are weak`);
    lost.manner = "dead";
    const rare = new RareBlocks(portsOf(pool, new Set(), 9));
    const named = new Set((await rare.list({ limit: all, seed: 1 })).map(({ cid }) => cid));
    assert.equal(named.size, rareBlocksKept);
    assert.deepEqual([...weak].filter((cid) => !named.has(cid)), []);
  }));
