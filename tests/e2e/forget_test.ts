// The council's majority is gone for good: what is left refuses writes, forgets the dead one by one
// when told so by force, says what may be lost, and goes on.

import assert from "node:assert/strict";
import { digestOfBody, digestOfSeed, get, pushStream, put } from "./content.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const size = 5_000_000;

Deno.test("one of three nodes goes on alone by forget with force", async () => {
  await NodePool.with({ nodes: 3, flags: ["--grace=120s"] }, async (pool) => {
    const [a, b, c] = [pool.node(0), pool.node(1), pool.node(2)];
    assert.equal((await pushStream(a, "kept", { seed: 4, size })).status, 201);
    await Promise.all([b.kill(), c.kill()]);
    await until("both to be seen dead", async () => {
      const { items } = await a.json("/api/nodes");
      return items.filter(({ state }: { state: string }) => state === "dead").length === 2;
    }, { withinMs: 60_000 });
    const forget = async (name: string, query: string) => {
      const response = await a.request(`/api/nodes/${name}/forget${query}`, { method: "POST" });
      return { status: response.status, answer: await response.json() };
    };
    assert.equal((await put(a, "new", { body: "x" })).status, 503);
    const refused = await forget(b.name, "");
    assert.deepEqual([refused.status, refused.answer.code], [503, "read_only"]);
    const plan = await forget(b.name, "?dry-run=1");
    assert.deepEqual([plan.status, plan.answer.done], [200, false]);
    assert.equal((await a.json("/api/status")).roster.members, 3, "a plan does nothing");

    const first = await forget(b.name, "?force=1");
    assert.equal(first.status, 200, JSON.stringify(first.answer));
    assert.deepEqual([first.answer.done, first.answer.forced], [true, true]);
    assert.equal(first.answer.mayBeLost.blocksLost, 0, "every block is here");
    const second = await forget(c.name, "?force=1");
    assert.equal(second.status, 200, JSON.stringify(second.answer));
    assert.equal((await a.json("/api/status")).roster.members, 1);
    await until("writes to be taken again", async () => {
      return (await put(a, "new", { body: "x" })).status === 201;
    }, { withinMs: 60_000, detail: () => a.output().slice(-2_000) });
    assert.equal((await get(a, "new")).text, "x");
    const read = await digestOfBody((await a.request("/api/files/kept")).body);
    assert.deepEqual(read, { size, digest: digestOfSeed(4, size) });
  });
});
