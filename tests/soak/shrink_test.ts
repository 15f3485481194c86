// Shrinking a real node below what it uses: its blocks go to others first, no file is ever short of
// copies on the way, and in the end it holds no more than it offers. Outside the gate, because
// surplus is dropped a minute after a start at the earliest.

import assert from "node:assert/strict";
import { digestOfBody, digestOfSeed, pushStream } from "../e2e/content.ts";
import { NodePool } from "../e2e/node_pool.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "../e2e/until.ts";

const MiB = 2 ** 20;
const files = 12;
const fileBytes = 10_000_000;
const smallerBytes = 48 * MiB;

Deno.test("a node that shrinks below what it uses hands off first", async () => {
  await NodePool.with({ nodes: 5, flags: ["--capacity=256MiB"] }, async (pool) => {
    const [node, other] = [pool.node(1), pool.node(3)];
    for (let seed = 0; seed < files; seed++) {
      const pushed = await pushStream(other, `shrink/${seed}`, { seed, size: fileBytes });
      assert.equal(pushed.status, 201, await pushed.text());
    }
    await until("three copies", async () => await least(pool, 0) >= 3, { withinMs: 60_000 });
    const used = (await node.json("/api/status")).used;
    assert.ok(used > smallerBytes, `${used} bytes are used`);
    const order = `/api/nodes/${node.name}/capacity`;
    const body = JSON.stringify({ bytes: smallerBytes });
    const put = { method: "PUT", body, headers: { "content-type": "application/json" } };
    const { plan } = await (await other.request(`${order}?dry-run=1`, put)).json();
    assert.ok(plan.blocks > 0 && plan.bytes >= used - smallerBytes, JSON.stringify(plan));
    const told = await other.request(order, put);
    const { job } = await told.json();
    assert.equal(told.status, 202);
    let fewest = Infinity;
    let seed = 0;
    const states = new Set<string>();
    await until("the job to end", async () => {
      fewest = Math.min(fewest, await least(pool, seed++ % files));
      const { state, note } = await other.json(`/api/jobs/${job}`, 20_000);
      states.add(`${state}: ${note}`);
      assert.ok(!["failed", "cancelled"].includes(state), `${state}: ${note}`);
      await waitFor(200);
      return state === "done";
    }, { withinMs: 300_000, detail: () => [...states].join("\n") });
    assert.ok(fewest >= 3, `a file had ${fewest} copies on the way`);
    const status = await node.json("/api/status");
    assert.equal(status.capacity, smallerBytes);
    assert.ok(status.used <= smallerBytes, `${status.used} bytes are still used`);
    for (let each = 0; each < files; each++) {
      assert.ok(await least(pool, each) >= 3, `shrink/${each}`);
      const response = await node.request(`/api/files/shrink/${each}`);
      const { digest } = await digestOfBody(response.body);
      assert.equal(digest, digestOfSeed(each, fileBytes));
    }
    console.log(`  from ${used} to ${status.used} bytes; ${states.size} states of the job`);
  });
});

/** Copies of the weakest block of a file, counted now. */
async function least(pool: NodePool, seed: number): Promise<number> {
  const { replicas } = await pool.node(0).json(`/api/files/shrink/${seed}?view=info`, 30_000);
  return replicas.least;
}
