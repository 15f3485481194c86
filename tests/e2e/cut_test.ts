// Five nodes on five machines, cut 3/2: the three go on, the two serve reads and refuse writes,
// and after the cut all is one again without loss.

import assert from "node:assert/strict";
import { needing } from "../gate/needs.ts";
import { get, put, store } from "./content.ts";
import { NetworkSpace } from "./network_space.ts";
import { filePath, type NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const majority = [0, 1, 2];
const minority = [3, 4];
const names = Array.from({ length: 30 }, (_, index) => `cut/${index}`);

Deno.test({
  ...needing(["ip"], "five nodes cut 3/2 go on with three, read with two, and heal without loss"),
  fn: async () => {
    const space = await NetworkSpace.make(5);
    try {
      const secret = "cut-secret";
      await NodePool.with({
        nodes: 5,
        flags: [`--secret=${secret}`, "--grace=15s"],
        place: (index) => ({
          host: space.address(index),
          token: "cut-token",
          wrapper: space.wrapper(index),
        }),
      }, (pool) => cutAndHeal(pool, space));
    } finally {
      await space.remove();
    }
  },
});

async function cutAndHeal(pool: NodePool, space: NetworkSpace): Promise<void> {
  const before = new Map(names.map((name) => [name, `before the cut ${name}`]));
  for (const [name, text] of before) await store(pool.node(0), name, text);
  await until("every catalog to know the names", async () => {
    const lists = await Promise.all(pool.nodes.map((node) => node.json("/api/files?prefix=cut/")));
    return lists.every(({ items }) => items.length === names.length);
  });
  await space.cut(majority, minority);
  const three = majority.map((index) => pool.node(index));
  const two = minority.map((index) => pool.node(index));
  const early = await writeEarly(two);
  await readOnly(two);
  await readsOf(two, before);
  const possible = new Map([...before].map(([name, text]) => [name, new Set([text])]));
  await goOn(three, possible);
  await until(
    "the expulsion of the two",
    async () => (await three[0]?.json("/api/status"))?.roster.members === 3,
    { withinMs: 60_000 },
  );
  await goOn(three, possible);
  await readOnly(two);
  const printed = three.map((node) => node.output().length);
  await space.heal(majority, minority);
  await until("one pool of five", async () => {
    const statuses = await Promise.all(pool.nodes.map((node) => node.json("/api/status")));
    return statuses.every(({ roster }) => roster.members === 5);
  }, { withinMs: 60_000, detail: () => pool.node(3).output().slice(-3_000) });
  await pool.formed();
  for (const [index, node] of three.entries()) {
    const since = node.output().slice(printed[index]);
    assert.doesNotMatch(since, /phase=joining/, `${node.name} was expelled by the two: ${since}`);
  }
  for (const node of pool.nodes) {
    await Promise.all(names.map(async (name) => {
      const { status, text } = await get(node, name);
      assert.equal(status, 200, `${name} at ${node.name}: ${text}`);
      assert.ok(possible.get(name)?.has(text), `${name} at ${node.name}: ${text}`);
    }));
    for (const name of early) assert.equal((await get(node, name)).text, "early", name);
    assert.equal((await get(node, "cut/refused")).status, 404);
    await store(node, `after/${node.name}`, "again");
  }
}

/**
 * Writes through the two before they know that they are cut off: those of names whose deciders
 * are mostly on their side may succeed, and must be found later. @returns the acknowledged names
 */
async function writeEarly(nodes: readonly NodeChild[]): Promise<string[]> {
  const written: string[] = [];
  await Promise.all(
    names.slice(0, 10).flatMap((name) =>
      nodes.map(async (node) => {
        const early = `early/${node.name}/${name}`;
        const { status, answer } = await put(node, early, { body: "early" });
        assert.ok([201, 503].includes(status), `${status} ${JSON.stringify(answer)}`);
        if (status === 201) written.push(early);
      })
    ),
  );
  console.log(`  the two wrote ${written.length} names before they noticed`);
  return written;
}

/** Writes are refused with 503 at each of them. */
async function readOnly(nodes: readonly NodeChild[]): Promise<void> {
  for (const node of nodes) {
    await until(`${node.name} to be read-only`, async () => {
      const { writable, phase } = await node.json("/api/status");
      return writable === false && phase.phase === "read-only";
    }, { withinMs: 40_000 });
    const { status, answer } = await put(node, "cut/refused", { body: "never" });
    assert.equal(status, 503, JSON.stringify(answer));
    const removed = await node.request(filePath(names[0] ?? ""), { method: "DELETE" });
    assert.equal(removed.status, 503, await removed.text());
  }
}

/** Reads with what the two have: one block in ten has all its copies on the other side. */
async function readsOf(nodes: readonly NodeChild[], files: ReadonlyMap<string, string>) {
  for (const node of nodes) {
    let stale = 0;
    let served = 0;
    await Promise.all([...files].map(async ([name, wanted]) => {
      const { status, text, headers } = await get(node, name);
      if (status === 504) return;
      assert.deepEqual([status, text], [200, wanted], `${name} at ${node.name}`);
      served += 1;
      if (headers.get("skyring-stale") === "1") stale += 1;
    }));
    assert.ok(served > files.size / 2, `${served} of ${files.size} files at ${node.name}`);
    assert.ok(stale > 0, `${node.name} read without a quorum and did not say so`);
  }
}

/**
 * Writes every name through the three until most were; those whose deciders are mostly on the
 * other side are refused. What each may hold afterwards goes into `possible`: an answer 503 may
 * leave the new text.
 */
async function goOn(
  nodes: readonly NodeChild[],
  possible: ReadonlyMap<string, Set<string>>,
): Promise<void> {
  const written = new Set<string>();
  await until("the three to write", async () => {
    await Promise.all(names.map(async (name, index) => {
      const [node, texts] = [nodes[index % nodes.length], possible.get(name)];
      if (node === undefined || texts === undefined) return;
      const text = `by ${node.name} ${crypto.randomUUID()}`;
      const { status, answer } = await put(node, name, { body: text });
      assert.ok([200, 503].includes(status), `${status} ${JSON.stringify(answer)}`);
      if (status === 200) texts.clear();
      texts.add(text);
      if (status === 200) written.add(name);
    }));
    return written.size >= names.length / 2;
  }, { withinMs: 60_000 });
  console.log(`  the three wrote ${written.size} of ${names.length} names`);
}
