// A node whose clock is an hour ahead: it says so, stamps nothing, serves reads, and spoils no
// other node's clock.

import assert from "node:assert/strict";
import { get, put, store } from "./content.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const minuteMs = 60_000;

Deno.test("a node whose clock is an hour off refuses changes and names the clock", async () => {
  await NodePool.with({ nodes: 3 }, async (pool) => {
    await store(pool.node(0), "before", "as it was");
    const late = pool.add({
      wrapper: [
        "sh",
        "-c",
        'deno=$1; shift 2; exec "$deno" run --preload=tests/e2e/late_clock.ts "$@"',
        "sh",
      ],
    });
    await late.start();
    await until("the clock to be found off", async () => {
      const response = await late.request("/ready");
      const { detail } = await response.json();
      return response.status === 503 && /clock off.*ahead of/.test(detail);
    }, { withinMs: 60_000, detail: () => late.output().slice(-2_000) });

    const refused = await put(late, "after", { body: "from the late node" });
    assert.deepEqual([refused.status, refused.answer.code], [503, "clock_off"]);
    assert.match(refused.answer.detail, /clock off/);
    assert.equal((await get(late, "before")).text, "as it was", "it still reads");
    assert.equal((await get(pool.node(1), "after")).status, 404, "nothing was written");

    await store(pool.node(1), "before", "as it is");
    const { modifiedAt } = await pool.node(2).json("/api/files/before?view=info");
    const aheadMs = modifiedAt - Date.now();
    assert.ok(Math.abs(aheadMs) < minuteMs, `the others' clock is ${aheadMs} ms ahead`);
    await until("the late node to see the change", async () => {
      return (await get(late, "before")).text === "as it is";
    });
  });
});
