// Catalogs of several nodes: merging, naming by gossip, comparing, and a newcomer's bulk read.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asLineage, asNodeId, type Lineage } from "../../../../shared/base/ids.ts";
import {
  decodeCatalogRequest,
  encodeCatalogReply,
} from "../../../../shared/wire/catalog_message.ts";
import { entry, inStep, lineage, openNode, type TestNode, until, Wire } from "./catalog_nodes.ts";

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

Deno.test("a step passes over peers that do not know the lineage yet, and fails none of them", async () => {
  const wire = new Wire();
  const roster: { lineage: Lineage | undefined } = { lineage: undefined };
  const unready = { wire, peers: [], lineageOf: () => roster.lineage };
  const b = await openNode("b", unready);
  const c = await openNode("c", unready);
  // Its stop() asserts that no step failed.
  const a = await openNode("a", { wire, peers: ["b", "c"] });
  try {
    await b.catalog.merge([entry("of b", 1)]);
    const waits = /^waits: of 2 peers none can compare yet$/;
    await until(() => waits.test(a.workers.snapshot()[0]?.progress ?? ""), 5_000);
    await assert.rejects(a.sync.compareWith(asNodeId("b"), undefined), {
      code: "not_ready",
      data: { peer: "b", lineage: "none" },
    });
    roster.lineage = asLineage("ef".repeat(32));
    await assert.rejects(a.sync.compareWith(asNodeId("b"), undefined), {
      code: "not_ready",
      data: { peer: "b", lineage: roster.lineage },
    });
    assert.ok(!a.sync.synced, "none of them was a whole comparison");
    // One that is ready is found behind those that are not, whichever comes first.
    const d = await openNode("d", { wire, peers: [] });
    await d.catalog.merge([entry("of d", 1)]);
    const e = await openNode("e", { wire, peers: ["b", "c", "d"] });
    await until(() => e.sync.synced, 4_000);
    assert.equal(e.catalog.count("file"), 1);
    await Promise.all([d.stop(), e.stop()]);
  } finally {
    await Promise.all([a.stop(), b.stop(), c.stop()]);
  }
});

Deno.test("an answer that breaks the protocol fails the step, and is no peer that waits", async () => {
  const answers = [
    new Uint8Array([1, 2, 3]),
    encodeCatalogReply({ kind: "entries", entries: [] }),
    encodeCatalogReply({ kind: "refused", lineage }),
  ];
  for (const answer of answers) {
    const wire = new Wire();
    wire.handlers.set(asNodeId("b"), () => Promise.resolve(answer));
    const failures: unknown[] = [];
    const onFailed = (error: unknown) => failures.push(error);
    const a = await openNode("a", { wire, peers: ["b"], onFailed });
    try {
      await until(() => failures.length > 0, 5_000);
      assert.equal(failures[0] instanceof SkyringError && failures[0].code, "bad_message");
      assert.ok(!a.sync.synced);
    } finally {
      await a.stop();
    }
  }
});

Deno.test("copies that missed comparisons for too long bring no deleted name back", async () => {
  const wire = new Wire();
  const time = { at: Date.now() };
  const now = () => time.at;
  const dayMs = 86_400_000;
  const cut = { on: false };
  const peersOf = (other: string) => cut.on ? [] : [other];
  // Nodes that run all the while, on both sides of a long cut.
  const b = await openNode("b", { wire, peers: () => peersOf("a"), now, deaf: true });
  const a = await openNode("a", { wire, peers: () => peersOf("b"), now, deaf: true });
  try {
    await b.catalog.merge([entry("gone", 1), entry("kept", 1)]);
    a.sync.wake();
    await until(() => a.catalog.count("file") === 2, 5_000);
    cut.on = true;
    await b.catalog.merge([entry("gone", 2, true)]);
    time.at += 31 * dayMs;
    await b.catalog.dropOldTombstones();
    assert.equal(b.catalog.getAny({ kind: "file", name: "gone" }), undefined);
    // The tombstone is gone everywhere but the old copy is still here: nobody may take it.
    const asked = await wire.ask("b", "a", b.catalog);
    assert.equal(asked, undefined, "a stale node answers nobody");
    await b.markCompared();
    cut.on = false;
    a.sync.wake();
    await until(() => a.catalog.count("file") === 1 && a.sync.synced, 5_000);
    assert.equal(b.catalog.getAny({ kind: "file", name: "gone" }), undefined);
    assert.equal(a.catalog.getAny({ kind: "file", name: "gone" }), undefined);
    assert.ok(a.catalog.rebuilding, "until its registers have been compared");
  } finally {
    await Promise.all([a.stop(), b.stop()]);
  }
});

Deno.test("a lone node's copies never grow stale", async () => {
  const time = { at: Date.now() };
  const node = await openNode("a", {
    wire: new Wire(),
    peers: [],
    now: () => time.at,
    isAlone: true,
  });
  try {
    await node.catalog.merge([entry("kept", 1)]);
    for (let day = 0; day < 40; day++) {
      time.at += 86_400_000;
      node.sync.wake();
      await until(() => node.comparedAt() >= time.at - 86_400_000, 5_000);
    }
    assert.equal(node.catalog.count("file"), 1);
    assert.ok(!node.catalog.rebuilding);
  } finally {
    await node.stop();
  }
});

/** Nodes a (asks, holds nothing), b and c, which hold the same 5,000 entries, and c one more. */
async function withFullPeers(
  use: (of: { a: TestNode; b: TestNode; c: TestNode; wire: Wire }) => Promise<void>,
): Promise<void> {
  const wire = new Wire();
  const [b, c, a] = [
    await openNode("b", { wire, peers: [] }),
    await openNode("c", { wire, peers: [] }),
    await openNode("a", { wire, peers: [], start: false }),
  ];
  try {
    for (let at = 0; at < 5_000; at += 500) {
      const some = Array.from({ length: 500 }, (_, index) => entry(`f${at + index}`, 1));
      for (const { catalog } of [b, c]) await catalog.merge(some);
    }
    await c.catalog.merge([entry("later", 1)]);
    await use({ a, b, c, wire });
  } finally {
    await Promise.all([a.stop(), b.stop(), c.stop()]);
  }
}

/** Does something before a node answers its `nth` request for a page; counts them. */
function beforePage(wire: Wire, name: string, nth: number, act: () => unknown): { pages: number } {
  const seen = { pages: 0 };
  const answer = wire.handlers.get(asNodeId(name));
  wire.handlers.set(asNodeId(name), async (from, bytes) => {
    const isPage = decodeCatalogRequest(bytes)?.request.kind === "copy";
    if (isPage && ++seen.pages === nth) await act();
    return await answer?.(from, bytes);
  });
  return seen;
}

function die(): never {
  throw new SkyringError("timeout", "it died", { retriable: true });
}

Deno.test("a copy of everything that breaks off goes on where it was, from another node", async () => {
  await withFullPeers(async ({ a, c, wire }) => {
    beforePage(wire, "b", 5, die);
    const asked = beforePage(wire, "c", Infinity, die);
    await assert.rejects(a.sync.compareWith(asNodeId("b"), undefined), { code: "timeout" });
    assert.equal(a.catalog.count("file"), 2_000);
    // One that holds less than we do is no place to go on; what it has is taken nevertheless.
    const poor = await openNode("d", { wire, peers: [] });
    await poor.catalog.merge([entry("of d", 1)]);
    await a.sync.compareWith(asNodeId("d"), undefined);
    await poor.stop();
    await a.sync.compareWith(asNodeId("c"), undefined);
    assert.equal(a.catalog.count("file"), c.catalog.count("file") + 1);
    assert.equal(asked.pages, 7, "3,001 entries and no more");
    const again = await a.sync.compareWith(asNodeId("b"), undefined);
    assert.equal(again, 0, "nothing is copied twice");
  });
});

Deno.test("a copy ends when the catalog is emptied, and none goes on behind its last page", async () => {
  await withFullPeers(async ({ a, wire }) => {
    const first = beforePage(wire, "b", 4, () => a.catalog.clear());
    const emptied = { code: "not_ready" };
    await assert.rejects(a.sync.compareWith(asNodeId("b"), undefined), emptied);
    assert.deepEqual([first.pages, a.catalog.count("file")], [4, 0]);
    const second = beforePage(wire, "c", Infinity, die);
    assert.equal(await a.sync.compareWith(asNodeId("c"), undefined), 5_001);
    assert.equal(second.pages, 11, "from the first key on");
  });
});

Deno.test("while everything is copied nobody else compares, and nothing is copied twice", async () => {
  await withFullPeers(async ({ a, b, c, wire }) => {
    const during = Promise.withResolvers<unknown>();
    const meanwhile = () =>
      a.sync.compareWith(asNodeId("c"), undefined).then(during.reject, during.resolve);
    beforePage(wire, "b", 3, meanwhile);
    assert.equal(await a.sync.compareWith(asNodeId("b"), undefined), 5_000);
    assert.equal((await during.promise as SkyringError).code, "not_ready");
    assert.ok(inStep(a, b)());
    const asked = beforePage(wire, "c", Infinity, die);
    assert.equal(await a.sync.compareWith(asNodeId("c"), undefined), 1);
    assert.deepEqual([asked.pages, inStep(a, c)()], [0, true]);
  });
});

Deno.test("who keeps next to nothing of a copy does not copy everything again and again", async () => {
  const wire = new Wire();
  const now = Date.now();
  const old = await openNode("b", { wire, peers: [], now: () => now - 40 * 86_400_000 });
  const a = await openNode("a", { wire, peers: [], start: false, now: () => now });
  try {
    // Tombstones that are past their age for the one and not for the other.
    const gone = Array.from({ length: 1_000 }, (_, at) => {
      const { key, value } = entry(`f${at}`, 1, true);
      return { key, value: { ...value, stamp: [now - 35 * 86_400_000, 0] as const } };
    });
    for (let at = 0; at < 1_000; at += 500) await old.catalog.merge(gone.slice(at, at + 500));
    const asked = beforePage(wire, "b", Infinity, die);
    await a.sync.compareWith(asNodeId("b"), undefined);
    const once = asked.pages;
    await a.sync.compareWith(asNodeId("b"), undefined);
    assert.deepEqual([once, asked.pages], [3, 3]);
  } finally {
    await Promise.all([a.stop(), old.stop()]);
  }
});

Deno.test("what was asked for before the catalog was emptied does not come back into it", async () => {
  for (const names of [3, 200]) {
    const wire = new Wire();
    const [a, b] = [
      await openNode("a", { wire, peers: ["b"], deaf: true, start: false }),
      await openNode("b", { wire, peers: [], deaf: true }),
    ];
    try {
      const entries = Array.from({ length: names }, (_, at) => entry(`f${at}`, 50));
      await b.catalog.merge(entries);
      // Another lineage is adopted while the first entries are on their way.
      const answer = wire.handlers.get(asNodeId("b"));
      const emptied = Promise.withResolvers<void>();
      wire.handlers.set(asNodeId("b"), async (from, bytes) => {
        const reply = await answer?.(from, bytes);
        if (decodeCatalogRequest(bytes)?.request.kind === "compare") return reply;
        const same = encodeCatalogReply({ kind: "answers", answers: [] });
        wire.handlers.set(asNodeId("b"), () => Promise.resolve(same));
        a.catalog.clear().then(emptied.resolve, emptied.reject);
        return reply;
      });
      await a.sync.start();
      await emptied.promise;
      await until(() => wire.bytes > 0, 1_000);
      await a.catalog.settled();
      // Its version is lower, and it is the one that counts now.
      await a.catalog.merge([entry("f0", 4)]);
      assert.equal(a.catalog.getAny({ kind: "file", name: "f0" })?.value.n, 4);
    } finally {
      await a.stop();
      await b.stop();
    }
  }
});
