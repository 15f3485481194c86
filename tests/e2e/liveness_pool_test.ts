// Who is alive, as real processes see it: deaths are seen in time, pauses are no deaths, a paused
// node refutes, and a clean stop is announced.

import assert from "node:assert/strict";
import type { NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "./until.ts";

const nodes = Number(Deno.env.get("SKYRING_E2E_NODES") ?? 8);
const kills = Number(Deno.env.get("SKYRING_E2E_KILLS") ?? 3);
const shortPauses = Number(Deno.env.get("SKYRING_E2E_PAUSES") ?? 4);
const deadWithinMs = 8_000;

Deno.test(`${nodes} nodes see who is alive`, async (test) => {
  await NodePool.with({ nodes, flags: ["--grace=10m"] }, async (pool) => {
    const step = (name: string, run: (pool: NodePool) => Promise<void>) =>
      test.step({ name, fn: () => run(pool), sanitizeResources: false, sanitizeOps: false });
    await step("a killed node is seen dead by all within 8 s", killed);
    await step("a node stopped for 3 s is never seen dead", pausedShortly);
    await step("a node stopped for 20 s is seen dead, and refutes when it goes on", pausedLong);
    await step("a clean stop is seen as left, not as a death", stopped);
  });
});

/** State of a node in the netmap of another. */
async function stateAt(witness: NodeChild, name: string): Promise<string | undefined> {
  const { items } = await witness.json("/api/nodes");
  return items.find((item: { name: string }) => item.name === name)?.state;
}

function othersOf(pool: NodePool, one: NodeChild): NodeChild[] {
  return pool.nodes.filter((node) => node !== one && node.running);
}

/** Ms from now until each of the others gives this state. */
async function seenAfter(
  pool: NodePool,
  one: NodeChild,
  options: { readonly state: string; readonly withinMs: number },
): Promise<number[]> {
  const startedAt = performance.now();
  return await Promise.all(
    othersOf(pool, one).map(async (witness) => {
      await until(
        `${one.name} ${options.state} at ${witness.name}`,
        async () => await stateAt(witness, one.name) === options.state,
        { withinMs: options.withinMs, everyMs: 100 },
      );
      return Math.round(performance.now() - startedAt);
    }),
  );
}

async function killed(pool: NodePool): Promise<void> {
  const slowest: number[] = [];
  for (let round = 0; round < kills; round++) {
    const victim = pool.node((round * 3 + 1) % nodes);
    await victim.kill();
    const after = await seenAfter(pool, victim, { state: "dead", withinMs: 30_000 });
    slowest.push(Math.max(...after));
    await victim.start();
    await pool.formed();
  }
  console.log(`  seen dead by all after ${slowest.join(", ")} ms`);
  assert.ok(Math.max(...slowest) <= deadWithinMs, `${slowest} ms`);
}

async function pausedShortly(pool: NodePool): Promise<void> {
  for (let round = 0; round < shortPauses; round++) {
    const victim = pool.node((round * 5 + 2) % nodes);
    const seen = new Set<string | undefined>();
    const watching = new AbortController();
    const watched = Promise.all(
      othersOf(pool, victim).map(async (witness) => {
        while (!watching.signal.aborted) {
          seen.add(await stateAt(witness, victim.name));
          await waitFor(150);
        }
      }),
    );
    victim.signal("SIGSTOP");
    await waitFor(3_000);
    victim.signal("SIGCONT");
    await waitFor(2_000);
    watching.abort();
    await watched;
    assert.ok(!seen.has("dead") && !seen.has("left"), [...seen].join(" "));
    await pool.formed();
  }
}

async function pausedLong(pool: NodePool): Promise<void> {
  const victim = pool.node(3);
  victim.signal("SIGSTOP");
  const stoppedAt = performance.now();
  const dead = await seenAfter(pool, victim, { state: "dead", withinMs: 15_000 });
  await waitFor(20_000 - (performance.now() - stoppedAt));
  victim.signal("SIGCONT");
  const back = await seenAfter(pool, victim, { state: "alive", withinMs: 15_000 });
  console.log(`  dead after ${Math.max(...dead)} ms, alive again after ${Math.max(...back)} ms`);
  await pool.formed();
}

async function stopped(pool: NodePool): Promise<void> {
  const leaver = pool.node(nodes - 1);
  const witness = pool.node(0);
  const { items: before } = await witness.json("/api/nodes");
  const states: (string | undefined)[] = [];
  const ended = leaver.stop();
  await until("the stop at every other node", async () => {
    const seen = await Promise.all(
      othersOf(pool, leaver).filter((node) => node !== leaver).map((node) =>
        stateAt(node, leaver.name)
      ),
    );
    states.push(...seen);
    return seen.every((state) => state === "left");
  });
  assert.equal(await ended, 0);
  await waitFor(deadWithinMs);
  for (const node of othersOf(pool, leaver)) states.push(await stateAt(node, leaver.name));
  assert.ok(!states.includes("dead"), states.join(" "));
  const { items: after } = await witness.json("/api/nodes");
  assert.equal(after.length, before.length);
  await leaver.start();
  await pool.formed();
}
