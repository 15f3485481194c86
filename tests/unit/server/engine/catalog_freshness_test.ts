import assert from "node:assert/strict";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { createFreshness } from "../../../../server/engine/catalog_freshness.ts";

const peers = ["a", "b"].map((name) => asNodeId(`12D3KooWTestNode${name}`));

Deno.test("createFreshness() compares with all, and says whether all answered", async () => {
  const asked: string[] = [];
  const refuses = new Set<string>();
  const fresh = createFreshness({
    peers: () => peers,
    compareWith: (peer) => {
      asked.push(peer);
      return refuses.has(peer) ? Promise.reject(new Error("away")) : Promise.resolve();
    },
  });
  assert.equal(await fresh(), true);
  assert.deepEqual(asked, peers);
  refuses.add(peers[1] ?? "");
  assert.equal(await fresh(), false);
});

Deno.test("createFreshness() never answers from a round that began before its call", async () => {
  let stored = 0;
  const seen: number[] = [];
  const turns: (() => void)[] = [];
  const fresh = createFreshness({
    peers: () => peers.slice(0, 1),
    compareWith: async () => {
      seen.push(stored);
      await new Promise<void>((resolve) => turns.push(resolve));
    },
  });
  const settled: number[] = [];
  const first = fresh().then(() => settled.push(1));
  await until(() => seen.length === 1);
  stored = 1;
  const second = fresh().then(() => settled.push(2));
  const third = fresh().then(() => settled.push(3));
  turns[0]?.();
  await first;
  assert.deepEqual(settled, [1], "the others asked later");
  await until(() => seen.length === 2);
  turns[1]?.();
  await Promise.all([second, third]);
  assert.deepEqual(seen, [0, 1], "one round for both");
});

Deno.test("createFreshness() waits a second for a node that hangs, and no longer", async () => {
  const fresh = createFreshness({
    peers: () => peers,
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

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}
