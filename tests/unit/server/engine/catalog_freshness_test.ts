import assert from "node:assert/strict";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { createFreshness } from "../../../../server/engine/catalog_freshness.ts";
import { until } from "../../../e2e/until.ts";

const peers = ["a", "b"].map((name) => asNodeId(`12D3KooWTestNode${name}`));

Deno.test("createFreshness() compares with all, and says whether all answered", async () => {
  const asked: string[] = [];
  const refuses = new Set<string>();
  const failed: unknown[] = [];
  const fresh = createFreshness({
    peers: () => peers,
    onFailed: (peer, error) => failed.push([peer, error]),
    compareWith: (peer) => {
      asked.push(peer);
      return refuses.has(peer) ? Promise.reject(new Error("away")) : Promise.resolve();
    },
  });
  assert.equal(await fresh(), true);
  assert.deepEqual(asked, peers);
  assert.deepEqual(failed, []);
  refuses.add(peers[1] ?? "");
  assert.equal(await fresh(), false);
  assert.deepEqual(failed, [[peers[1], new Error("away")]]);
});

Deno.test("createFreshness() never answers from a round that began before its call", async () => {
  let stored = 0;
  const seen: number[] = [];
  const turns: (() => void)[] = [];
  const fresh = createFreshness({
    peers: () => peers.slice(0, 1),
    onFailed: (_, error) => assert.fail(`${error}`),
    compareWith: async () => {
      seen.push(stored);
      await new Promise<void>((resolve) => turns.push(resolve));
    },
  });
  const settled: number[] = [];
  const first = fresh().then(() => settled.push(1));
  await until("the first round", () => seen.length === 1);
  stored = 1;
  const second = fresh().then(() => settled.push(2));
  const third = fresh().then(() => settled.push(3));
  turns[0]?.();
  await first;
  assert.deepEqual(settled, [1], "the others asked later");
  await until("the second round", () => seen.length === 2);
  turns[1]?.();
  await Promise.all([second, third]);
  assert.deepEqual(seen, [0, 1], "one round for both");
});

Deno.test("createFreshness() waits a second for a node that hangs, and no longer", async () => {
  const fresh = createFreshness({
    peers: () => peers,
    onFailed: (peer) => assert.equal(peer, peers[1]),
    compareWith: (peer, signal) =>
      peer === peers[0]
        ? Promise.resolve()
        : new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true })
        ),
  });
  const startMs = performance.now();
  assert.equal(await fresh(), false);
  assert.ok(performance.now() - startMs >= 900);
});

Deno.test("createFreshness() begins another round after one that could not begin", async () => {
  let broken = true;
  const fresh = createFreshness({
    peers: () => {
      if (broken) throw new Error("no netmap");
      return peers;
    },
    onFailed: (_, error) => assert.fail(`${error}`),
    compareWith: () => Promise.resolve(),
  });
  await assert.rejects(fresh(), { message: "no netmap" });
  broken = false;
  assert.equal(await fresh(), true);
});
