// Blocks that no member has, from tabs: those here, and those of other members. On the test pool,
// whose members have tabs that are plain sets of blocks.

import assert from "node:assert/strict";
import type { Cid, NodeId } from "../../../../shared/base/ids.ts";
import { tabWantMs } from "../../../../shared/base/tab_limits.ts";
import { createExtraCopies, type ExtraCopies } from "../../../../server/engine/extra_copies.ts";
import { linkContent } from "../../../../server/engine/link.ts";
import { copiesMinimum } from "../../../../server/engine/place.ts";
import { fetchBlock, openDag } from "../../../../server/engine/pull.ts";
import { pushBytes } from "../../../../server/engine/push.ts";
import {
  createTestPool,
  gathered,
  inVirtualTime,
  pieces,
  testBytes,
  type TestPool,
} from "./test_pool.ts";

const size = 3_000_000;

/** What the tabs of each node hold, and how often they were asked. */
interface Tabs {
  readonly blocks: Map<NodeId, Map<Cid, Uint8Array>>;
  seeks: number;
  relays: number;
}

function extraOf(pool: TestPool, at: number): { readonly extra: ExtraCopies; readonly tabs: Tabs } {
  const tabs: Tabs = {
    blocks: new Map(pool.nodes.map(({ id }) => [id, new Map()])),
    seeks: 0,
    relays: 0,
  };
  const held = (id: NodeId) => tabs.blocks.get(id) ?? new Map<Cid, Uint8Array>();
  const self = pool.node(at).id;
  const extra = createExtraCopies({
    ring: pool.ports(at).ring,
    clock: pool.ports(at).clock,
    tabs: {
      seek: (cids) => (tabs.seeks++, Promise.resolve(cids.map((cid) => held(self).has(cid)))),
      relay: (cid) => (tabs.relays++, Promise.resolve(held(self).get(cid))),
    },
    exchange: {
      seek: (peer, cids) => {
        tabs.seeks++;
        return Promise.resolve({ ok: true, held: cids.map((cid) => held(peer).has(cid)) });
      },
      relay: (peer, cid) => {
        tabs.relays++;
        const bytes = held(peer).get(cid);
        return Promise.resolve(
          bytes === undefined ? { ok: false, code: "dont_have" } : { ok: true, bytes },
        );
      },
    },
  });
  return { extra, tabs };
}

/** A file of the pool, and every block of it moved from all nodes to the tabs of one. */
async function moveToTabs(pool: TestPool, tabs: Tabs, owner: number): Promise<Cid> {
  const stored = await pushBytes(pool.ports(0), pieces(testBytes(size)), {
    ...{ replicas: 3, chunkBytes: 262_144 },
  });
  for (const { store } of pool.nodes) {
    for (const { cid } of store.list(undefined, 1_000)) {
      const bytes = await store.get(cid);
      if (bytes !== undefined) tabs.blocks.get(pool.node(owner).id)?.set(cid, bytes);
      await store.remove(cid);
    }
  }
  return stored.root;
}

for (const [where, owner] of [["here", 1], ["at another member", 4]] as const) {
  Deno.test(`openDag() reads a file that only a tab ${where} has, asking around few times`, () =>
    inVirtualTime(async (clock) => {
      const pool = createTestPool({ nodes: 5, clock });
      const { extra, tabs } = extraOf(pool, 1);
      const root = await moveToTabs(pool, tabs, owner);
      const dag = await openDag({ ...pool.ports(1), extra }, root);
      const read = await gathered(dag.read({ start: 0, end: dag.size }));
      assert.deepEqual(read, testBytes(size));
      // The root alone, then one search; a search asks this node and four members.
      assert.ok(tabs.seeks <= 5 * 4, `${tabs.seeks} times tabs were asked what they hold`);
    }));
}

Deno.test("tabs are not asked while a member has the block", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const { extra, tabs } = extraOf(pool, 1);
    const { root } = await pushBytes(pool.ports(0), pieces(testBytes(size)), {
      ...{ replicas: 3, chunkBytes: 262_144 },
    });
    pool.node(0).manner = "unreachable";
    const dag = await openDag({ ...pool.ports(1), extra }, root);
    await gathered(dag.read({ start: 0, end: dag.size }));
    assert.deepEqual([tabs.seeks, tabs.relays], [0, 0]);
  }));

Deno.test("a block that no tab has either is unavailable, in bounded time", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const { extra, tabs } = extraOf(pool, 1);
    const root = await moveToTabs(pool, tabs, 2);
    tabs.blocks.get(pool.node(2).id)?.clear();
    await assert.rejects(fetchBlock({ ...pool.ports(1), extra }, root), { code: "unavailable" });
    assert.equal(tabs.relays, 0, "nobody said to have it");
  }));

Deno.test("linkContent() brings a file from a tab to its copies, and counts none of the tab's", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 5, clock });
    const { extra, tabs } = extraOf(pool, 1);
    const cid = await moveToTabs(pool, tabs, 4);
    const ports = { ...pool.ports(1), extra };
    const linked = await linkContent(ports, { cid, replicas: 3, minimum: copiesMinimum });
    assert.equal(linked.least, 3);
    assert.equal(linked.size, size);
    for (const block of tabs.blocks.get(pool.node(4).id)?.keys() ?? []) {
      assert.equal(pool.holdersOf(block).length, 3);
    }
  }));

Deno.test("get() ends when its search does, though a member never answers", async () => {
  const { promise: never } = Promise.withResolvers<never>();
  await inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 3, clock });
    const stop = new AbortController();
    const search = createExtraCopies({
      ...{ ring: pool.ports(0).ring, clock },
      tabs: { seek: () => never, relay: () => never },
      exchange: { seek: () => never, relay: () => never },
    }).search(stop.signal);
    const got = search.get("c" as Cid, []);
    stop.abort();
    assert.equal(await got, undefined);
  });
});

Deno.test("get() waits for this node's own tabs no longer than for others", async () => {
  const { promise: never } = Promise.withResolvers<never>();
  await inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 2, clock });
    const bytes = testBytes(8);
    let given: AbortSignal | undefined;
    const search = createExtraCopies({
      ...{ ring: pool.ports(0).ring, clock },
      tabs: {
        seek: (cids) => Promise.resolve(cids.map(() => true)),
        relay: (_, signal) => (given = signal, never),
      },
      exchange: {
        seek: (_, cids) => Promise.resolve({ ok: true, held: cids.map(() => true) }),
        relay: () => Promise.resolve({ ok: true, bytes }),
      },
    }).search(new AbortController().signal);
    const startedAt = clock.now();
    assert.equal(await search.get("c" as Cid, []), bytes);
    assert.equal(clock.now() - startedAt, 2 * tabWantMs);
    assert.ok(given?.aborted, "nothing more is asked of them");
  });
});
