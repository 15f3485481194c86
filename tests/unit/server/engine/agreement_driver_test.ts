// The agreement driver over real databases: founding, joining, operations, a kill, leaving.

import assert from "node:assert/strict";
import type { Outcome } from "../../../../shared/record/agreement_port.ts";
import { decidersOf } from "../../../../shared/ring/placement.ts";
import { slotOfKey } from "../../../../shared/ring/slot.ts";
import { createTestCluster, type TestCluster, type TestNode, until } from "./agreement_cluster.ts";

const key = (name: string) => ({ kind: "key", name }) as const;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (outcome: Outcome) =>
  outcome.kind === "ok" || outcome.kind === "failed"
    ? new TextDecoder().decode(outcome.value?.body)
    : outcome.kind;

function put(node: TestNode, name: string, body: string): Promise<Outcome> {
  const stamp = [Date.now(), 0] as const;
  const condition = { kind: "any" } as const;
  return node.driver.operate(key(name), { kind: "put", body: bytes(body), stamp, condition });
}

function create(node: TestNode, name: string, body: string): Promise<Outcome> {
  const stamp = [Date.now(), 0] as const;
  const condition = { kind: "absent" } as const;
  return node.driver.operate(key(name), { kind: "put", body: bytes(body), stamp, condition });
}

const get = (node: TestNode, name: string) => node.driver.operate(key(name), { kind: "get" });

async function withCluster(test: (cluster: TestCluster) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const cluster = createTestCluster(folder);
  try {
    await test(cluster);
  } finally {
    await cluster.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const show = (cluster: TestCluster) => () =>
  [...cluster.nodes.values()].map(({ id, driver }) => {
    const { roster, member, answering, arriving, unsettled, waiting } = driver.status();
    const members = roster?.members.length;
    return JSON.stringify({
      ...{ id, epoch: roster?.epoch, members, member, answering, arriving, unsettled },
      waiting: waiting.slice(0, 2),
    });
  }).join("\n");

/** All nodes of the cluster in one roster of that size, every slot answered for. */
async function whole(cluster: TestCluster, members: number): Promise<void> {
  await until(() => {
    const states = [...cluster.nodes.values()].map(({ driver }) => driver.status());
    const epochs = new Set(states.map(({ roster }) => roster?.epoch));
    return epochs.size === 1 &&
      states.every(({ roster, arriving }) => roster?.members.length === members && arriving === 0);
  }, { show: show(cluster), ms: 30_000 });
}

async function five(cluster: TestCluster): Promise<TestNode[]> {
  const nodes = [await cluster.start("A", "found")];
  for (const name of ["B", "C", "D", "E"]) nodes.push(await cluster.start(name));
  await whole(cluster, 5);
  return nodes;
}

function at(nodes: readonly TestNode[], index: number): TestNode {
  const node = nodes[index];
  assert(node !== undefined);
  return node;
}

Deno.test("agreement driver keeps a record of a node alone over a restart", async () => {
  await withCluster(async (cluster) => {
    const first = await cluster.start("A", "found");
    assert.equal(text(await put(first, "name", "value")), "value");
    const [roster] = first.driver.history();
    await cluster.drop(first);
    const again = await cluster.start("A", "join");
    assert.deepEqual(again.driver.history()[0], roster);
    assert.equal(text(await get(again, "name")), "value");
  });
});

Deno.test("agreement driver reads and writes through any of five nodes that joined", async () => {
  await withCluster(async (cluster) => {
    const first = await cluster.start("A", "found");
    // Written while alone: the handover must carry it to the later deciders.
    for (let n = 0; n < 40; n++) await put(first, `early${n}`, `by A ${n}`);
    for (const name of ["B", "C", "D", "E"]) await cluster.start(name);
    await whole(cluster, 5);
    const nodes = [...cluster.nodes.values()];
    for (let n = 0; n < 40; n++) {
      assert.equal(text(await get(at(nodes, n % 5), `early${n}`)), `by A ${n}`);
    }
    for (let n = 0; n < 20; n++) {
      assert.equal((await put(at(nodes, n % 5), `late${n}`, `${n}`)).kind, "ok");
      assert.equal(text(await get(at(nodes, (n + 1) % 5), `late${n}`)), `${n}`);
    }
  });
});

Deno.test("agreement driver lets exactly one of five racing creates win", async () => {
  await withCluster(async (cluster) => {
    const nodes = await five(cluster);
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.all(
        nodes.map((node, n) => create(node, `race${round}`, `${n}`)),
      );
      const kinds = outcomes.map(({ kind }) => kind).sort();
      assert.deepEqual(kinds, ["failed", "failed", "failed", "failed", "ok"]);
      const winner = outcomes.findIndex(({ kind }) => kind === "ok");
      const seen = await Promise.all(nodes.map((node) => get(node, `race${round}`)));
      assert.deepEqual(new Set(seen.map(text)), new Set([`${winner}`]));
    }
  });
});

Deno.test("agreement driver goes on with one of five nodes killed, and takes it back", async () => {
  await withCluster(async (cluster) => {
    const nodes = await five(cluster);
    for (let n = 0; n < 20; n++) await put(at(nodes, 0), `k${n}`, `${n}`);
    await cluster.drop(at(nodes, 3));
    // One of five: every slot still has two of its three deciders.
    for (let n = 0; n < 20; n++) {
      assert.equal(text(await get(at(nodes, 1), `k${n}`)), `${n}`);
      assert.equal((await put(at(nodes, 2), `k${n}`, `${n} again`)).kind, "ok");
    }
    const again = await cluster.start("D");
    await until(() => again.driver.status().answering > 0, { show: show(cluster) });
    for (let n = 0; n < 20; n++) assert.equal(text(await get(again, `k${n}`)), `${n} again`);
  });
});

Deno.test("agreement driver lists slots, and lets a leaver exit when its slots are settled", async () => {
  await withCluster(async (cluster) => {
    const nodes = await five(cluster);
    for (let n = 0; n < 20; n++) await put(at(nodes, n % 5), `k${n}`, `${n}`);
    const listed = new Map<string, string>();
    for (const slot of new Set(Array.from({ length: 20 }, (_, n) => slotOfKey(key(`k${n}`))))) {
      const page = await at(nodes, 3).driver.list(slot, "");
      assert(page !== undefined && page.next === null);
      for (const { key: { name }, value } of page.records) {
        listed.set(name, new TextDecoder().decode(value.body));
      }
    }
    const expected = Array.from({ length: 20 }, (_, n) => [`k${n}`, `${n}`] as const);
    assert.deepEqual(listed, new Map(expected));
    const leaver = at(nodes, 0);
    leaver.driver.propose({ kind: "leave" });
    await until(() => leaver.driver.status().mayExit, { show: show(cluster), ms: 40_000 });
    await cluster.drop(leaver);
    await whole(cluster, 4);
    for (let n = 0; n < 20; n++) assert.equal(text(await get(at(nodes, 2), `k${n}`)), `${n}`);
  });
});

Deno.test("agreement driver expels who is dead too long, and others take its slots", async () => {
  await withCluster(async (cluster) => {
    const nodes = await five(cluster);
    for (let n = 0; n < 20; n++) await put(at(nodes, n % 5), `k${n}`, `${n}`);
    const dead = at(nodes, 4);
    await cluster.drop(dead);
    cluster.giveUp(dead.id);
    await whole(cluster, 4);
    // Another may go now: what the first held has three deciders again.
    await cluster.drop(at(nodes, 3));
    for (let n = 0; n < 20; n++) {
      assert.equal(text(await get(at(nodes, n % 3), `k${n}`)), `${n}`);
      assert.equal((await put(at(nodes, n % 3), `k${n}`, "again")).kind, "ok");
    }
  });
});

Deno.test("agreement driver refuses a write where most deciders of the key are cut off", async () => {
  await withCluster(async (cluster) => {
    const nodes = await five(cluster);
    await put(at(nodes, 0), "name", "before");
    cluster.cut(["D", "E"]);
    const slot = slotOfKey(key("name"));
    const roster = at(nodes, 0).driver.roster();
    assert(roster !== undefined);
    const here = decidersOf(roster, slot).filter((id) => /[ABC]$/.test(id)).length;
    const [most, few] = here >= 2 ? [at(nodes, 0), at(nodes, 4)] : [at(nodes, 4), at(nodes, 0)];
    assert.equal((await put(most, "name", "during")).kind, "ok");
    assert.equal((await put(few, "name", "refused")).kind, "no_quorum");
    cluster.cut([]);
    for (const node of nodes) assert.equal(text(await get(node, "name")), "during");
  });
});

Deno.test("agreement driver makes one roster of two founded apart, without loss", async () => {
  await withCluster(async (cluster) => {
    const first = await cluster.start("A", "found");
    for (let n = 0; n < 20; n++) await put(first, `a${n}`, `A ${n}`);
    await put(first, "both", "older");
    cluster.cut(["A"]);
    const second = await cluster.start("B", "found");
    for (let n = 0; n < 20; n++) await put(second, `b${n}`, `B ${n}`);
    await put(second, "both", "newer");
    const third = await cluster.start("C");
    await until(() => second.driver.roster()?.members.length === 2, { show: show(cluster) });
    assert.notEqual(first.driver.roster()?.lineage, second.driver.roster()?.lineage);
    cluster.cut([]);
    await whole(cluster, 3);
    const nodes = [first, second, third];
    await until(() => nodes.every(({ driver }) => driver.status().aside === 0), {
      show: show(cluster),
      ms: 40_000,
    });
    for (const node of nodes) {
      assert.equal(node.driver.roster()?.founder, first.id);
      for (let n = 0; n < 20; n++) {
        assert.equal(text(await get(node, `a${n}`)), `A ${n}`);
        assert.equal(text(await get(node, `b${n}`)), `B ${n}`);
      }
      assert.equal(text(await get(node, "both")), "newer");
    }
  });
});

Deno.test("agreement driver goes on by force when the council is gone for good", async () => {
  await withCluster(async (cluster) => {
    const nodes = [await cluster.start("A", "found"), await cluster.start("B")];
    await whole(cluster, 2);
    nodes.push(await cluster.start("C"));
    await whole(cluster, 3);
    for (let n = 0; n < 20; n++) await put(at(nodes, n % 3), `k${n}`, `${n}`);
    await cluster.drop(at(nodes, 0));
    await cluster.drop(at(nodes, 1));
    const survivor = at(nodes, 2);
    assert.equal((await put(survivor, "k0", "refused")).kind, "no_quorum");
    survivor.driver.propose({
      kind: "force",
      lost: [at(nodes, 0).id, at(nodes, 1).id],
      foundedAt: Date.now(),
      salt: "ffeeddccbbaa99887766554433221100",
    });
    await whole(cluster, 1);
    for (let n = 0; n < 20; n++) assert.equal(text(await get(survivor, `k${n}`)), `${n}`);
    assert.equal((await put(survivor, "k0", "after")).kind, "ok");
  });
});
