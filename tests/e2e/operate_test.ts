// Operating a pool of real processes: a node told by another to leave hands everything off and
// ends with 0, also when it is killed on the way; its folder starts again as a new node; stop,
// forget and another capacity do what they say; refusals lose nothing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { bytesOf } from "./content.ts";
import type { NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const MB = 1_000_000;
const GiB = 2 ** 30;

interface Stored {
  readonly name: string;
  readonly sha256: string;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function push(
  node: NodeChild,
  name: string,
  options: { readonly seed: number; readonly bytes: number; readonly replicas?: number },
): Promise<Stored> {
  const body = bytesOf(options.seed, options.bytes);
  const query = options.replicas === undefined ? "" : `?replicas=${options.replicas}`;
  const response = await fetch(node.file(name) + query, { method: "PUT", body });
  assert.equal(response.status, 201, await response.text());
  return { name, sha256: sha256(body) };
}

async function assertReads(node: NodeChild, stored: readonly Stored[]): Promise<void> {
  for (const { name, sha256: expected } of stored) {
    const response = await fetch(node.file(name));
    assert.equal(response.status, 200, `${name} from ${node.name}`);
    assert.equal(sha256(await response.bytes()), expected, `${name} from ${node.name}`);
  }
}

// deno-lint-ignore no-explicit-any
type Json = any;

async function call(
  method: string,
  url: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly json: Json }> {
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  return { status: response.status, json: await response.json() };
}

async function jobEnds(node: NodeChild, id: string, withinMs = 60_000): Promise<Json> {
  let last: Json;
  return await until(`job ${id} to end`, async () => {
    last = await node.json(`/api/jobs/${id}`);
    return ["done", "failed", "cancelled"].includes(last.state) ? last : undefined;
  }, {
    withinMs,
    everyMs: 100,
    detail: () => `${JSON.stringify(last)}\n${node.output().slice(-2_000)}`,
  });
}

async function membersAre(node: NodeChild, count: number, withinMs = 30_000): Promise<void> {
  await until(`a roster of ${count}`, async () => {
    return (await node.json("/api/status")).roster.members === count;
  }, { withinMs, detail: () => node.output().slice(-2_000) });
}

Deno.test("nodes are refused, resized, stopped, sent away and forgotten through others", async () => {
  await NodePool.with({ nodes: 5, flags: ["--grace=120s"] }, async (pool) => {
    const [a, b, c, d, e] = pool.nodes as [NodeChild, NodeChild, NodeChild, NodeChild, NodeChild];
    const started = performance.now();
    const say = (what: string) =>
      console.log(`  ${what} after ${((performance.now() - started) / 1_000).toFixed(1)} s`);
    const stored = await Promise.all([
      push(a, "big", { seed: 1, bytes: 60 * MB }),
      push(b, "folder/second", { seed: 2, bytes: 30 * MB }),
      push(c, "once", { seed: 3, bytes: 10 * MB, replicas: 1 }),
    ]);
    say("100 MB stored");

    await refusals(a, b);
    await resizes(a, b);
    say("resized twice");

    const stopped = await call("POST", `${a.url}/api/nodes/${d.name}/stop`);
    assert.equal(stopped.status, 202, JSON.stringify(stopped.json));
    assert.equal(await d.ended(), 0, "told to stop is no failure");
    await until("the stop to be no death", async () => {
      const { items } = await a.json("/api/nodes");
      return items.find(({ name }: Json) => name === d.name)?.state === "left";
    });
    assert.equal((await a.json("/api/status")).roster.members, 5, "it stays in the roster");
    await d.start();
    await pool.formed();
    say("stopped and back");

    await leavesThroughKill(a, e);
    say("left, killed on the way");
    await membersAre(b, 4);
    await assertReads(b, stored);
    const idOf = async (node: NodeChild): Promise<string> => (await node.json("/api/status")).id;
    const before = e.output().match(/12D3KooW\w+/)?.[0];
    await e.start();
    await membersAre(b, 5);
    assert.notEqual(await idOf(e), before, "its folder begins as a new node");
    say("joined as a new node");

    const gone = await idOf(d);
    await d.kill();
    await until("the death to be seen", async () => {
      const { items } = await b.json("/api/nodes");
      return items.find(({ id }: Json) => id === gone)?.state === "dead";
    }, { withinMs: 60_000 });
    const forgotten = await call("POST", `${b.url}/api/nodes/${gone}/forget`);
    assert.equal(forgotten.status, 200, JSON.stringify(forgotten.json));
    assert.equal(forgotten.json.forced, false);
    assert.equal(forgotten.json.mayBeLost.slotsUndecided, 0);
    await membersAre(a, 4);
    say("forgotten");
    const three = stored.filter(({ name }) => name !== "once");
    await assertReads(e, three);
    say("read back");
  });
});

/** What cannot be done says why, and does nothing. */
async function refusals(a: NodeChild, b: NodeChild): Promise<void> {
  const asked = (method: string, path: string, body?: unknown) =>
    call(method, `${a.url}/api/nodes/${path}`, body);
  const unknown = await asked("POST", "nobody/leave");
  assert.deepEqual([unknown.status, unknown.json.code], [404, "not_found"]);
  const alive = await asked("POST", `${b.name}/forget`);
  assert.deepEqual([alive.status, alive.json.code], [409, "conflict"]);
  assert.match(alive.json.detail, /alive/);
  const own = await asked("POST", `${a.name}/forget`);
  assert.equal(own.status, 409);
  for (const bytes of [0, -5, 1.5]) {
    assert.equal((await asked("PUT", `${b.name}/capacity`, { bytes })).status, 422);
  }
  const small = await asked("PUT", `${b.name}/capacity`, { bytes: 1_000 });
  assert.deepEqual([small.status, small.json.code], [422, "bad_setting"]);
  const vast = await asked("PUT", `${b.name}/capacity`, { bytes: 2 ** 52 });
  assert.deepEqual([vast.status, vast.json.code], [507, "full"]);
  assert.equal((await b.json("/api/status")).capacity, 4 * GiB, "nothing was changed");
  assert.equal((await call("GET", `${a.url}/api/jobs/0123456789abcdef`)).status, 404);
}

/** Down and up again, from another node, over a restart. */
async function resizes(a: NodeChild, b: NodeChild): Promise<void> {
  const plan = await call("PUT", `${a.url}/api/nodes/${b.name}/capacity?dry-run=1`, { bytes: GiB });
  assert.equal(plan.status, 200, JSON.stringify(plan.json));
  assert.ok(plan.json.plan.blocks > 0, "less space moves blocks away");
  const shrunk = await call("PUT", `${a.url}/api/nodes/${b.name}/capacity`, { bytes: GiB });
  assert.equal(shrunk.status, 202, JSON.stringify(shrunk.json));
  assert.equal((await jobEnds(a, shrunk.json.job)).state, "done");
  const seen = async (node: NodeChild) => {
    const { items } = await node.json("/api/nodes");
    return items.find(({ name }: Json) => name === b.name)?.capacity;
  };
  await until("the new capacity", async () => await seen(a) === GiB);
  await b.kill();
  await b.start();
  assert.equal((await b.json("/api/status")).capacity, GiB, "the next start keeps it");
  await until("the restarted node to be ready", async () => {
    const response = await fetch(`${b.url}/ready`);
    await response.body?.cancel();
    return response.ok;
  }, { withinMs: 60_000 });
  const grown = await call("PUT", `${b.url}/api/nodes/${b.name}/capacity`, { bytes: 2 * GiB });
  assert.equal(grown.status, 202, JSON.stringify(grown.json));
  assert.equal((await jobEnds(b, grown.json.job)).state, "done");
  await until("the greater capacity", async () => await seen(a) === 2 * GiB);
}

/** Told by another to leave, killed as soon as it began, started again: it goes on leaving. */
async function leavesThroughKill(a: NodeChild, leaver: NodeChild): Promise<void> {
  const dry = await call("POST", `${a.url}/api/nodes/${leaver.name}/leave?dry-run=1`);
  assert.equal(dry.status, 200, JSON.stringify(dry.json));
  assert.deepEqual([dry.json.plan.remaining, dry.json.plan.below], [4, 0]);
  assert.ok(dry.json.plan.blocks > 0 && dry.json.plan.bytes > 10 * MB);
  const told = await call("POST", `${a.url}/api/nodes/${leaver.name}/leave`);
  assert.equal(told.status, 202, JSON.stringify(told.json));
  await leaver.kill();
  await leaver.start();
  const ended = leaver.ended(90_000);
  const last = await jobEnds(a, told.json.job, 90_000);
  assert.equal(last.state, "done", JSON.stringify(last));
  assert.equal(await ended, 0, leaver.output().slice(-2_000));
}
