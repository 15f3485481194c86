// Names over five real nodes: what was acknowledged is seen everywhere, races have one winner,
// who joins late or was away answers right, and nothing acknowledged is lost by kill -9.

import assert from "node:assert/strict";
import { bytesOf, digestOfBody, digestOfSeed, get, pushStream, put, store } from "./content.ts";
import type { NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "./until.ts";

const rounds = Number(Deno.env.get("SKYRING_E2E_ROUNDS") ?? 50);
const races = 30;
const storms = Number(Deno.env.get("SKYRING_E2E_STORMS") ?? 2);

Deno.test("five nodes agree on names", async (test) => {
  await NodePool.with({ nodes: 5 }, async (pool) => {
    const step = (name: string, run: (pool: NodePool) => Promise<void>) =>
      test.step({ name, fn: () => run(pool), sanitizeResources: false, sanitizeOps: false });
    await step("a GET through any node sees the version just acknowledged", readYourWrites);
    await step("a list at any node has every name just acknowledged at another", listYourWrites);
    await step("of two creating PUTs at two nodes exactly one is answered 201", oneWinner);
    await step("a deleted name is gone at every node", deleted);
    await step("a node that was away answers right when it is back", away);
    await step("a node that joins late lists and serves everything", late);
    await step(
      "what was acknowledged outlives kill -9 of one node after another",
      killWhilePushing,
    );
    await step("what was acknowledged outlives kill -9 of all nodes at once", killAll);
    await step("a clean stop of all nodes and a start keep everything", stopAll);
  });
});

async function readYourWrites(pool: NodePool): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const text = `version ${round}`;
    await store(pool.node(round % 5), "counter", text);
    const seen = await Promise.all(pool.nodes.map((node) => get(node, "counter")));
    assert.deepEqual(seen.map(({ status, text }) => [status, text]), Array(5).fill([200, text]));
  }
}

async function listYourWrites(pool: NodePool): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const name = `listed/${String(round).padStart(4, "0")}`;
    await store(pool.node(round % 5), name, name);
    const lists = await Promise.all(pool.nodes.map(listed));
    assert.deepEqual(lists, Array(5).fill(round + 1), name);
  }
}

/** Names in a list that promises to be whole; on a slow machine one or another may not. */
async function listed(node: NodeChild): Promise<number> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const response = await fetch(`${node.url}/api/files?prefix=listed/&limit=1000`);
    const { items } = await response.json();
    if (!response.headers.has("skyring-stale")) return items.length;
  }
  return -1;
}

async function oneWinner(pool: NodePool): Promise<void> {
  for (let round = 0; round < races; round++) {
    const name = `race/${round}`;
    const racers = [pool.node(round % 5), pool.node((round + 1 + round % 4) % 5)] as const;
    const headers = { "if-none-match": "*" };
    const answers = await Promise.all(
      racers.map((node, index) => put(node, name, { body: `racer ${index}`, headers })),
    );
    const statuses = answers.map(({ status }) => status);
    assert.deepEqual(statuses.toSorted(), [201, 412], JSON.stringify(answers));
    const winner = `racer ${statuses.indexOf(201)}`;
    for (const node of pool.nodes) assert.equal((await get(node, name)).text, winner);
  }
}

async function deleted(pool: NodePool): Promise<void> {
  await store(pool.node(0), "doomed", "soon gone");
  const response = await fetch(pool.node(1).file("doomed"), { method: "DELETE" });
  assert.equal(response.status, 204);
  for (const node of pool.nodes) assert.equal((await get(node, "doomed")).status, 404);
}

async function away(pool: NodePool): Promise<void> {
  const gone = pool.node(4);
  await store(pool.node(0), "while/changed", "before");
  await store(pool.node(0), "while/deleted", "before");
  assert.equal(await gone.stop(), 0, gone.output());
  await store(pool.node(1), "while/changed", "after");
  await store(pool.node(2), "while/made", "new");
  const response = await fetch(pool.node(3).file("while/deleted"), { method: "DELETE" });
  assert.equal(response.status, 204, await response.text());
  await gone.start();
  // From its first answer on: right, or not yet ready.
  const expected = { "while/changed": "after", "while/made": "new", "while/deleted": 404 };
  for (const [name, wanted] of Object.entries(expected)) {
    await until(`${name} at the node that was away`, async () => {
      const { status, text, headers } = await get(gone, name);
      if (status === 503 || headers.get("skyring-stale") === "1") return false;
      assert.equal(wanted === 404 ? status : text, wanted, `${name}: ${status} ${text}`);
      return true;
    });
  }
  await pool.formed();
  assert.deepEqual(await listOf(gone, "while/"), ["while/changed", "while/made"]);
}

async function late(pool: NodePool): Promise<void> {
  const joined = pool.add();
  const startedAt = performance.now();
  await joined.start();
  await pool.formed();
  console.log(`  sixth node ready after ${Math.round(performance.now() - startedAt)} ms`);
  await until("the same list at the late node", async () => {
    const [all, seen] = await Promise.all([listOf(pool.node(0), ""), listOf(joined, "")]);
    return all.join("\n") === seen.join("\n");
  });
  assert.equal((await get(joined, "counter")).text, `version ${rounds - 1}`);
  await store(joined, "by/late", "hello");
  for (const node of pool.nodes) assert.equal((await get(node, "by/late")).text, "hello");
}

/** All names with a prefix, page by page. */
async function listOf(node: NodeChild, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const query = new URLSearchParams({ prefix, limit: "100", ...(cursor && { cursor }) });
    const page = await node.json(`/api/files?${query}`, 20_000);
    names.push(...page.items.map((item: { name: string }) => item.name));
    cursor = page.next;
  }
  return names;
}

/** Pushes through the given nodes until told to stop; `into` gets each acknowledged name. */
async function pushing(
  nodes: readonly NodeChild[],
  options: {
    readonly prefix: string;
    readonly firstSeed: number;
    readonly stop: AbortSignal;
    readonly into: Map<string, number>;
  },
): Promise<void> {
  let seed = options.firstSeed;
  await Promise.all(nodes.map(async (node) => {
    while (!options.stop.aborted) {
      const mine = seed++;
      const name = `${options.prefix}/${mine}`;
      try {
        const signal = AbortSignal.timeout(20_000);
        const response = await pushStream(node, name, { seed: mine, size: sizeOf(mine), signal });
        const text = await response.text();
        if (response.status === 201) options.into.set(name, mine);
        else if (![503, 504, 429].includes(response.status)) throw new Error(text);
      } catch (error) {
        const broken = error instanceof TypeError || error instanceof DOMException;
        if (!broken) throw error;
        await waitFor(100); // killed under the push
      }
    }
  }));
}

/** Small, one block, many blocks. */
function sizeOf(seed: number): number {
  return [100, 300_000, 2_000_000][seed % 3] ?? 1;
}

async function seesAll(nodes: readonly NodeChild[], files: ReadonlyMap<string, number>) {
  for (const [name, seed] of files) {
    const node = nodes[seed % nodes.length];
    if (node === undefined) continue;
    const response = await fetch(node.file(name), { signal: AbortSignal.timeout(60_000) });
    assert.equal(response.status, 200, `${name} at ${node.name}`);
    const { digest } = await digestOfBody(response.body);
    assert.equal(digest, digestOfSeed(seed, sizeOf(seed)), `${name} at ${node.name}`);
  }
}

async function killWhilePushing(pool: NodePool): Promise<void> {
  const stop = new AbortController();
  const files = new Map<string, number>();
  const pushed = pushing(pool.nodes.slice(0, 2), {
    ...{ prefix: "kills", firstSeed: 10_000, stop: stop.signal, into: files },
  });
  for (const victim of [pool.node(3), pool.node(1)]) {
    await waitFor(500 + Math.random() * 1_500);
    await victim.kill();
    const before = files.size;
    await until("pushes that go on without it", () => files.size > before, { withinMs: 60_000 });
    await victim.start();
    await pool.formed();
  }
  stop.abort();
  await pushed;
  assert.ok(files.size > 5, `${files.size} pushes were acknowledged`);
  await seesAll(pool.nodes, files);
}

async function killAll(pool: NodePool): Promise<void> {
  for (let storm = 0; storm < storms; storm++) {
    const stop = new AbortController();
    const firstSeed = 20_000 + storm * 1_000;
    const files = new Map<string, number>();
    const pushed = pushing(pool.nodes.slice(0, 3), {
      ...{ prefix: `storm${storm}`, firstSeed, stop: stop.signal, into: files },
    });
    await until("pushes to be under way", () => files.size > storm * 10);
    await waitFor(Math.random() * 500);
    await Promise.all(pool.nodes.map((node) => node.kill()));
    stop.abort();
    await pushed;
    const startedAt = performance.now();
    await Promise.all(pool.nodes.map((node) => node.start()));
    await pool.formed();
    const tookMs = Math.round(performance.now() - startedAt);
    console.log(`  all back after ${tookMs} ms with ${files.size} files`);
    await seesAll(pool.nodes, files);
    assert.equal((await get(pool.node(storm % 5), "counter")).text, `version ${rounds - 1}`);
  }
}

async function stopAll(pool: NodePool): Promise<void> {
  await store(pool.node(0), "kept", bytesOf(7, 1_000_000));
  const before = await listOf(pool.node(0), "");
  const codes = await Promise.all(pool.nodes.map((node) => node.stop()));
  assert.deepEqual(codes, pool.nodes.map(() => 0));
  await Promise.all(pool.nodes.map((node) => node.start()));
  await pool.formed();
  for (const node of pool.nodes) {
    // Lists follow by comparison: the stop came right after the last write.
    let after: readonly string[] = [];
    await until(`${node.name} to list all names`, async () => {
      after = await listOf(node, "");
      return before.every((name) => after.includes(name));
    });
    // A push that was killed before its answer may have been decided: found later, it is whole.
    const late = after.filter((name) => !before.includes(name));
    assert.deepEqual(late.filter((name) => !/^(storm\d+|kills)\//.test(name)), []);
    await seesAll([node], new Map(late.map((name) => [name, Number(name.split("/")[1])])));
  }
  const response = await fetch(pool.node(2).file("kept"));
  assert.equal((await digestOfBody(response.body)).digest, digestOfSeed(7, 1_000_000));
}
