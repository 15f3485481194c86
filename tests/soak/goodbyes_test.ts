// A pool of real processes that is stopped and started again without two of its nodes: one was
// told to stop before, one said its goodbye when nobody listened any more. Both stay members.

import assert from "node:assert/strict";
import { waitFor } from "../../web/wait.ts";
import type { NodeChild } from "../e2e/node_child.ts";
import { NodePool } from "../e2e/node_pool.ts";
import { until } from "../e2e/until.ts";

/** Silence is a death after 4 to 13 s, and the grace is one more: the older code expels by then. */
const silenceMs = 16_000;

interface Row {
  readonly name: string;
  readonly state: string;
}

async function stateOf(node: NodeChild, name: string): Promise<string | undefined> {
  const { items } = await node.json("/api/nodes");
  return items.find((row: Row) => row.name === name)?.state;
}

Deno.test("nodes that said goodbye are members still when the pool was stopped and started", async () => {
  await NodePool.with({ nodes: 5, flags: ["--grace=1s"] }, async (pool) => {
    const [a, b, c, extra, late] = pool.nodes as [
      NodeChild,
      NodeChild,
      NodeChild,
      NodeChild,
      NodeChild,
    ];
    const told = await fetch(`${a.url}/api/nodes/${extra.name}/stop`, { method: "POST" });
    assert.equal(told.status, 202, await told.text());
    await extra.ended();
    for (const node of [a, b, c, late]) {
      await until("the goodbye", async () => await stateOf(node, extra.name) === "left");
    }
    await Promise.all([a, b, c, late].map((node) => node.stop()));
    for (const node of [a, b, c]) node.spawn();
    for (const node of [a, b, c]) await node.listening();
    await pool.formed();
    assert.equal(await stateOf(a, extra.name), "left", "known at once, by its name");
    await waitFor(silenceMs, new AbortController().signal);
    for (const node of [a, b, c]) {
      const detail = JSON.stringify(await node.json("/api/nodes"));
      assert.equal(await stateOf(node, extra.name), "left", detail);
      assert.equal(await stateOf(node, late.name), "left", detail);
      assert.equal((await node.json("/api/status")).roster.members, 5, detail);
    }
    await extra.start();
    await pool.formed();
    assert.equal(await stateOf(a, extra.name), "alive");
  });
});
