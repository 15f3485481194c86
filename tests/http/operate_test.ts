// Routes of operating: nodes told to leave, stop, be forgotten and resized; jobs; healing.

import assert from "node:assert/strict";
import { createFixture } from "./app_fixture.ts";
import { createFakeActions, job, plan } from "./fake_actions.ts";

const origin = { origin: "http://127.0.0.1:7000" };

function fixture() {
  const actions = createFakeActions();
  return { actions, ...createFixture({}, { nodeActions: actions }) };
}

Deno.test("POST leave answers 202 with the job and where to follow it", async () => {
  const { ask, actions } = fixture();
  const answer = await ask("/api/nodes/node-1/leave", { method: "POST", headers: origin });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("location"), `/api/jobs/${job.id}`);
  assert.equal((await answer.json()).job, job.id);
  assert.deepEqual(actions.orders, ["leave node-1"]);
});

Deno.test("?dry-run=1 answers 200 with the plan", async () => {
  const { ask, actions } = fixture();
  for (
    const [verb, init] of [
      ["leave", { method: "POST" }],
      ["stop", { method: "POST" }],
      ["capacity", {
        method: "PUT",
        body: '{"bytes":5}',
        headers: { "content-type": "application/json" },
      }],
    ] as const
  ) {
    const answer = await ask(`/api/nodes/node-1/${verb}?dry-run=1`, init);
    assert.equal(answer.status, 200, verb);
    assert.deepEqual((await answer.json()).plan, plan);
  }
  assert.deepEqual(actions.orders, ["leave node-1 dry", "stop node-1 dry", "resize 5 node-1 dry"]);
});

Deno.test("a leave that thins blocks out answers 409 with the plan; force goes on", async () => {
  const { ask } = fixture();
  const refused = await ask("/api/nodes/thin/leave", { method: "POST" });
  assert.equal(refused.status, 409);
  const problem = await refused.json();
  assert.deepEqual([problem.code, problem.below, problem.blocks], ["conflict", 3, plan.blocks]);
  const forced = await ask("/api/nodes/thin/leave?force=1", { method: "POST" });
  assert.equal(forced.status, 202);
});

Deno.test("unknown nodes are 404, unclear switches and bodies 422, and nothing is done", async () => {
  const { ask, actions } = fixture();
  assert.equal((await ask("/api/nodes/nobody/leave", { method: "POST" })).status, 404);
  assert.equal(
    (await ask("/api/nodes/node-1/leave?dry-run=maybe", { method: "POST" })).status,
    422,
  );
  for (const body of ['{"bytes":-1}', '{"bytes":0}', '{"bytes":1.5}', '{"bytes":"1"}', "{}"]) {
    const headers = { "content-type": "application/json" };
    const answer = await ask("/api/nodes/node-1/capacity", { method: "PUT", body, headers });
    assert.equal(answer.status, 422, body);
  }
  assert.deepEqual(actions.orders, []);
});

Deno.test("POST stop answers 202, POST forget says what may be lost", async () => {
  const { ask } = fixture();
  assert.equal((await ask("/api/nodes/node-1/stop", { method: "POST" })).status, 202);
  const answer = await ask("/api/nodes/node-1/forget?force=1", { method: "POST" });
  assert.equal(answer.status, 200);
  const { mayBeLost, forced, done } = await answer.json();
  assert.deepEqual([mayBeLost.blocksLost, mayBeLost.files, forced, done], [1, ["a"], true, true]);
});

Deno.test("orders from another origin are refused", async () => {
  const { ask, actions } = fixture();
  const headers = { origin: "http://elsewhere.example" };
  for (const verb of ["leave", "stop", "forget"]) {
    const answer = await ask(`/api/nodes/node-1/${verb}`, { method: "POST", headers });
    assert.equal(answer.status, 403, verb);
  }
  assert.deepEqual(actions.orders, []);
});

Deno.test("jobs are listed in pages, shown and cancelled", async () => {
  const { ask } = fixture();
  const first = await (await ask("/api/jobs?limit=1")).json();
  assert.deepEqual(first.items.map(({ id }: { id: string }) => id), [job.id]);
  const second = await (await ask(`/api/jobs?limit=1&cursor=${first.next}`)).json();
  assert.deepEqual([second.items.length, second.next], [1, null]);
  assert.deepEqual(await (await ask(`/api/jobs/${job.id}`)).json(), job);
  assert.equal((await ask("/api/jobs/ffffffffffffffff")).status, 404);
  const cancelled = await ask(`/api/jobs/${job.id}`, { method: "DELETE" });
  assert.deepEqual([cancelled.status, (await cancelled.json()).state], [200, "cancelled"]);
  assert.equal((await ask("/api/collect", { method: "POST" })).status, 202);
  const { jobs } = await (await ask("/api/status")).json();
  assert.deepEqual(jobs.map(({ id }: { id: string }) => id), [job.id, "fedcba9876543210"]);
});

Deno.test("POST /api/heal streams lines of JSON, the report last", async () => {
  const { ask } = fixture();
  const answer = await ask("/api/heal", { method: "POST" });
  assert.match(answer.headers.get("content-type") ?? "", /ndjson/);
  const lines = (await answer.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ kind }) => kind), ["progress", "report"]);
});

Deno.test("GET /api/ring/lookup tells a CID from a name, and refuses what is neither", async () => {
  const { ask } = fixture();
  assert.equal((await (await ask("/api/ring/lookup?key=a/b")).json()).kind, "file");
  const cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
  assert.equal((await (await ask(`/api/ring/lookup?key=${cid}`)).json()).kind, "block");
  assert.equal((await ask("/api/ring/lookup?key=a/../b")).status, 422);
  assert.equal((await ask("/api/ring/lookup")).status, 422);
});
