// Catalogs of several nodes over real databases and an in-process channel.

import assert from "node:assert/strict";
import { asLineage, asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng } from "../../../../shared/base/prng.ts";
import type { CatalogEntry } from "../../../../shared/record/catalog_entry.ts";
import { sameFingerprint } from "../../../../shared/record/fingerprint_tree.ts";
import { catalogMigrations } from "../../../../server/disk/catalog_table.ts";
import { openDatabase } from "../../../../server/disk/database.ts";
import { Catalog } from "../../../../server/engine/catalog.ts";
import { CatalogSync, type Gossip } from "../../../../server/engine/catalog_sync.ts";
import { Workers } from "../../../../server/engine/workers.ts";
import type { Channel, ChannelHandler } from "../../../../server/net/network.ts";

const lineage = asLineage("cd".repeat(32));
const all = { depth: 0, index: 0 };

/** Connects the channels and gossip of several nodes, and counts what passes. */
class Wire {
  readonly handlers = new Map<NodeId, ChannelHandler>();
  readonly hearers = new Map<NodeId, (from: NodeId, bytes: Uint8Array) => void>();
  bytes = 0;

  channel(self: NodeId): Channel {
    const pass = async (to: NodeId, message: Uint8Array) => {
      this.bytes += message.length;
      const reply = await this.handlers.get(to)?.(self, message);
      this.bytes += reply?.length ?? 0;
      return reply;
    };
    return {
      name: "catalog",
      request: async (to, message) => (await pass(to, message)) ?? new Uint8Array(0),
      notify: (to, message) => void pass(to, message),
      handle: (handler) => void this.handlers.set(self, handler),
    };
  }

  gossip(self: NodeId, { deaf }: { deaf: boolean }): Gossip {
    return {
      publish: (bytes) => {
        for (const [to, hear] of this.hearers) if (to !== self) hear(self, bytes);
      },
      handle: (hear) => {
        if (!deaf) this.hearers.set(self, hear);
      },
    };
  }
}

interface TestNode {
  readonly catalog: Catalog;
  readonly sync: CatalogSync;
  stop(): Promise<void>;
}

async function openNode(
  name: string,
  { wire, peers, deaf = false, start = true }: {
    wire: Wire;
    peers: string[];
    deaf?: boolean;
    start?: boolean;
  },
): Promise<TestNode> {
  const folder = await Deno.makeTempDir();
  const database = await openDatabase({
    path: `${folder}/skyring.db`,
    migrations: [catalogMigrations],
  });
  const now = Date.now;
  const catalog = await Catalog.open({
    database,
    tombstoneAgeMs: 30 * 86_400_000,
    now,
    isComplete: () => true,
  });
  const failures: unknown[] = [];
  const workers = new Workers((_, error) => failures.push(error));
  const self = asNodeId(name);
  const sync = new CatalogSync({
    catalog,
    database,
    channel: wire.channel(self),
    gossip: wire.gossip(self, { deaf }),
    workers,
    prng: createPrng(1),
    now,
    peers: () => peers.map(asNodeId).filter((peer) => wire.handlers.has(peer)),
    lineage: () => lineage,
    alone: () => false,
  });
  if (start) await sync.start();
  const stop = async () => {
    sync.stop();
    await workers.stop();
    await catalog.settled();
    await database.stop();
    await Deno.remove(folder, { recursive: true });
    assert.deepEqual(failures, []);
  };
  return { catalog, sync, stop };
}

function entry(name: string, round: number, deleted = false): CatalogEntry {
  const version = [1, round, asNodeId("n"), 1] as const;
  const stamp = [Date.now(), 0] as const;
  const body = new Uint8Array(deleted ? 0 : 160);
  return {
    key: { kind: "file", name },
    value: { version, n: round, stamp, deleted, recent: [version], body },
  };
}

async function until(truth: () => boolean, limitMs: number): Promise<number> {
  const start = performance.now();
  while (!truth()) {
    assert.ok(performance.now() - start < limitMs, `not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - start;
}

const inStep = (one: TestNode, other: TestNode) => () =>
  sameFingerprint(one.catalog.fingerprint(all), other.catalog.fingerprint(all));

Deno.test("Catalog merge() keeps the latest version whatever the order, and counts the living", async () => {
  const node = await openNode("a", { wire: new Wire(), peers: [], start: false });
  await node.catalog.merge([entry("x", 2), entry("x", 1), entry("y", 1), entry("y", 3)]);
  await Promise.all([node.catalog.merge([entry("x", 5)]), node.catalog.merge([entry("x", 4)])]);
  assert.equal(node.catalog.get({ kind: "file", name: "x" })?.value.n, 5);
  assert.equal(node.catalog.count("file"), 2);
  await node.catalog.merge([entry("y", 4, true)]);
  assert.equal(node.catalog.count("file"), 1);
  assert.equal(node.catalog.get({ kind: "file", name: "y" }), undefined);
  assert.equal(node.catalog.getAny({ kind: "file", name: "y" })?.value.deleted, true);
  await node.stop();
});

Deno.test("names() pages by prefix in byte order", async () => {
  const node = await openNode("a", { wire: new Wire(), peers: [], start: false });
  const names = ["b/2", "a", "b/1", "b", "c", "b/é", "b/\u{1F600}"];
  await node.catalog.merge(names.map((name) => entry(name, 1)));
  const page = (after: string | undefined, limit: number) =>
    node.catalog.names("file", { prefix: "b/", after, limit }).map(({ key }) => key.name);
  assert.deepEqual(page(undefined, 2), ["b/1", "b/2"]);
  assert.deepEqual(page("b/2", 10), ["b/é", "b/\u{1F600}"]);
  assert.deepEqual(page("b/\u{1F600}", 10), []);
  await node.stop();
});

Deno.test("announce() brings a change to the others; a deaf one gets it by comparison", async () => {
  const wire = new Wire();
  const [a, b, deaf] = await Promise.all([
    openNode("a", { wire, peers: ["b", "c"] }),
    openNode("b", { wire, peers: ["a", "c"] }),
    openNode("c", { wire, peers: ["a", "b"], deaf: true }),
  ]);
  const changes = await a.catalog.merge([entry("new", 1)]);
  a.sync.announce(changes.map(({ mark }) => mark));
  await until(() => b.catalog.count("file") === 1, 2_000);
  deaf.sync.wake();
  await until(() => deaf.catalog.count("file") === 1, 2_000);
  await Promise.all([a.stop(), b.stop(), deaf.stop()]);
});

Deno.test("two catalogs that both changed apart end the same, deletions included", async () => {
  const wire = new Wire();
  const [a, b] = await Promise.all([
    openNode("a", { wire, peers: ["b"] }),
    openNode("b", { wire, peers: ["a"] }),
  ]);
  const shared = Array.from({ length: 3_000 }, (_, index) => entry(`f${index}`, 1));
  await Promise.all([a.catalog.merge(shared), b.catalog.merge(shared)]);
  await a.catalog.merge([entry("f7", 2, true), entry("only a", 1)]);
  await b.catalog.merge([entry("f7", 3), entry("f9", 2, true), entry("only b", 1)]);
  a.sync.wake();
  b.sync.wake();
  await until(inStep(a, b), 5_000);
  assert.equal(a.catalog.get({ kind: "file", name: "f7" })?.value.n, 3);
  assert.equal(a.catalog.get({ kind: "file", name: "f9" }), undefined);
  assert.equal(a.catalog.count("file"), b.catalog.count("file"));
  await Promise.all([a.stop(), b.stop()]);
});

Deno.test("a new node has 100,000 records within 10 s, and stays responsive meanwhile", async () => {
  const wire = new Wire();
  const full = await openNode("a", { wire, peers: [] });
  for (let start = 0; start < 100_000; start += 1_000) {
    await full.catalog.merge(
      Array.from({ length: 1_000 }, (_, index) => entry(`folder/file ${start + index}`, 1)),
    );
  }
  const fresh = await openNode("b", { wire, peers: ["a"] });
  let worstStall = 0;
  let last = performance.now();
  const pulse = setInterval(() => {
    worstStall = Math.max(worstStall, performance.now() - last - 5);
    last = performance.now();
  }, 5);
  const tookMs = await until(inStep(fresh, full), 30_000);
  clearInterval(pulse);
  console.log(`100,000 records in ${tookMs | 0} ms, worst stall ${worstStall | 0} ms`);
  assert.equal(fresh.catalog.count("file"), 100_000);
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  await Promise.all([full.stop(), fresh.stop()]);
});
