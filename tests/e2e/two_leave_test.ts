// Two nodes told to leave at once: one after the other, the second also killed after the roster
// went on without the first; nothing is short of copies at the end.

import assert from "node:assert/strict";
import { digestOfBody, digestOfSeed, pushStream } from "./content.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const size = 20_000_000;

Deno.test("two nodes leave one after the other, one of them over a kill", async () => {
  await NodePool.with({ nodes: 4, flags: ["--grace=120s"] }, async (pool) => {
    const [a, b, c, d] = [pool.node(0), pool.node(1), pool.node(2), pool.node(3)];
    const pushed = await pushStream(a, "kept", { seed: 7, size });
    assert.equal(pushed.status, 201, await pushed.text());
    const told = await Promise.all([c, d].map(async (node) => {
      const response = await a.request(`/api/nodes/${node.name}/leave`, { method: "POST" });
      const answer = await response.json();
      assert.equal(response.status, 202, JSON.stringify(answer));
      return { node, job: answer.job as string };
    }));
    const members = async () => (await a.json("/api/status")).roster.members;
    const jobs = () => Promise.all(told.map(({ job }) => a.json(`/api/jobs/${job}`)));
    const seen = await until("the roster to go on without the first", async () => {
      const now = await jobs();
      return await members() === 3 ? now : undefined;
    }, { withinMs: 60_000, everyMs: 20, detail: () => a.output().slice(-2_000) });
    assert.equal(seen.filter(({ state }) => state === "waiting").length, 1, JSON.stringify(seen));
    const first = told[seen.findIndex(({ state }) => state !== "waiting")];
    assert.ok(first?.node.running === true);
    await first.node.kill();
    await first.node.start();
    const codes = await Promise.all(told.map(({ node }) => node.ended(90_000)));
    assert.deepEqual(codes, [0, 0]);
    assert.equal(await members(), 2);
    const ends = await jobs();
    assert.deepEqual(ends.map(({ state }) => state), ["done", "done"], JSON.stringify(ends));
    for (const node of [a, b]) {
      const response = await node.request("/api/files/kept");
      const read = await digestOfBody(response.body);
      assert.deepEqual(read, { size, digest: digestOfSeed(7, size) });
    }
    const { replicas } = await a.json("/api/files/kept?view=info", 20_000);
    assert.equal(replicas.least, 2, "as many copies as there are nodes");
    const last = await a.request(`/api/nodes/${b.name}/leave`, { method: "POST" });
    assert.equal(last.status, 202, await last.text());
    assert.equal(await b.ended(90_000), 0);
    const lone = await a.request(`/api/nodes/${a.name}/leave?force=1`, { method: "POST" });
    const refused = await lone.json();
    assert.deepEqual([lone.status, refused.code], [409, "conflict"]);
    assert.match(refused.detail, /last node/);
  });
});
