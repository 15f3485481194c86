// Handing off, over real placement and an exchange with faults: what a plan counts, what is sent,
// and when a node may call its blocks safe.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Clock } from "../../../../server/engine/clock.ts";
import { handOff } from "../../../../server/engine/hand_off.ts";
import type { JobReport } from "../../../../server/engine/jobs.ts";
import { assertPlan, planMoves } from "../../../../server/engine/move_plan.ts";
import { assertFits } from "../../../../server/engine/resize.ts";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Cid } from "../../../../shared/base/ids.ts";
import { sha256 } from "../../../../shared/base/hash.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { placement } from "../../../../shared/ring/placement.ts";
import type { Member } from "../../../../shared/ring/roster.ts";
import { slotOfCid } from "../../../../shared/ring/slot.ts";
import { createTestPool, inVirtualTime, testBytes, type TestPool } from "./test_pool.ts";

const blockBytes = 4_096;
const GiB = 2 ** 30;

interface Scene {
  readonly pool: TestPool;
  readonly members: readonly Member[];
  /** Copies wanted of each block. */
  readonly blocks: ReadonlyMap<Cid, number>;
}

/** Blocks at their owners, all but those of the nodes in `absent`. */
async function sceneOf(clock: Clock, options: {
  readonly nodes: number;
  readonly replicas: readonly number[];
  readonly storeOf?: Parameters<typeof createTestPool>[0]["storeOf"];
}): Promise<Scene> {
  const { nodes, storeOf } = options;
  const pool = createTestPool({ nodes, clock, ...(storeOf === undefined ? {} : { storeOf }) });
  const members = pool.ports(0).ring.placement().members;
  const blocks = new Map<Cid, number>();
  for (const [seed, replicas] of options.replicas.entries()) {
    const bytes = testBytes(blockBytes, seed + 1);
    const cid = cidOfDigest(sha256(bytes), "raw");
    blocks.set(cid, replicas);
    for (const id of placement({ members }).ownersOf(slotOfCid(cid), replicas)) {
      await pool.nodes.find((node) => node.id === id)?.store.put(cid, bytes, "leaf");
    }
  }
  return { pool, members, blocks };
}

function portsOf({ pool, blocks }: Scene, at = 0) {
  return {
    ...pool.ports(at),
    replicasOf: (cid: Cid) => blocks.get(cid) ?? 0,
    freeOf: () => GiB,
  };
}

const without = (scene: Scene, at: number) =>
  scene.members.filter(({ id }) => id !== scene.pool.node(at).id);

function leave(scene: Scene, force = false, signal = new AbortController().signal) {
  const reports: JobReport[] = [];
  const members = () => without(scene, 0);
  const report = (one: JobReport) => void reports.push(one);
  return { reports, done: handOff(portsOf(scene), { members, force, signal, report }) };
}

/** Copies of a block without the leaver's. */
function elsewhere({ pool }: Scene, cid: Cid): number {
  return pool.holdersOf(cid).filter((node) => node !== pool.node(0)).length;
}

Deno.test("handOff() leaves every block at its next owners, in any pool", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 7 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 30 }),
      (nodes, replicas) =>
        inVirtualTime(async (clock) => {
          const scene = await sceneOf(clock, { nodes, replicas });
          const held = scene.pool.node(0).store.use().blocks;
          const { done, reports } = leave(scene);
          await done;
          const placed = placement({ members: without(scene, 0) });
          for (const [cid, wanted] of scene.blocks) {
            if (!scene.pool.node(0).store.has(cid)) continue;
            for (const id of placed.ownersOf(slotOfCid(cid), wanted)) {
              const owner = scene.pool.nodes.find((node) => node.id === id);
              assert.ok(owner?.store.has(cid), "a next owner has it");
            }
          }
          assert.deepEqual(reports.at(-1)?.blocks, { done: held, total: held });
          assert.equal(scene.pool.node(0).store.use().blocks, held, "nothing is removed");
        }),
    ),
    { numRuns: 25 },
  );
});

Deno.test("planMoves() counts what handOff() then sends", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 5, replicas: Array(60).fill(3) });
    const signal = new AbortController().signal;
    const members = without(scene, 0);
    const plan = await planMoves(portsOf(scene), { action: "leave", members, signal });
    const before = scene.pool.nodes.slice(1).reduce((sum, one) => sum + one.store.use().blocks, 0);
    await leave(scene).done;
    const after = scene.pool.nodes.slice(1).reduce((sum, one) => sum + one.store.use().blocks, 0);
    assert.equal(plan.blocks, after - before);
    assert.equal(plan.bytes, plan.blocks * blockBytes);
    assert.equal(plan.held, scene.pool.node(0).store.use().blocks);
    assert.deepEqual([plan.below, plan.lost, plan.remaining], [0, 0, 4]);
    assertPlan(plan, { force: false });
  }));

Deno.test("handOff() lets another stand in for an owner that is full", () =>
  inVirtualTime(async (clock) => {
    const now = () => clock.now();
    const storeOf = (at: number) =>
      createMemoryStore({ capacityBytes: at === 2 ? blockBytes : GiB, now });
    const scene = await sceneOf(clock, { nodes: 5, replicas: Array(40).fill(2), storeOf });
    await leave(scene).done;
    for (const cid of scene.blocks.keys()) {
      if (!scene.pool.node(0).store.has(cid)) continue;
      assert.ok(elsewhere(scene, cid) >= 2, "two copies without the leaver");
    }
  }));

Deno.test("handOff() goes on until a silent owner answers, and never takes its word before", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 4, replicas: Array(20).fill(3) });
    scene.pool.node(1).manner = "unreachable";
    const { done } = leave(scene);
    let ended = false;
    void done.then(() => ended = true);
    await clock.sleep(20_000);
    assert.equal(ended, false, "blocks are short of copies");
    scene.pool.node(1).manner = "well";
    await done;
    for (const cid of scene.blocks.keys()) assert.ok(elsewhere(scene, cid) === 3);
  }));

Deno.test("handOff() is not content with who confirms puts and keeps nothing", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 2, replicas: [1, 1, 1, 1, 1, 1, 1, 1] });
    scene.pool.node(1).manner = "forgetful";
    const abort = new AbortController();
    const { done } = leave(scene, true, abort.signal);
    const outcome = done.then(() => "safe", () => "given up");
    await clock.sleep(60_000);
    abort.abort();
    assert.equal(await outcome, "given up");
  }));

Deno.test("handOff() goes on past a damaged block, which is in quarantine from then on", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 4, replicas: Array<number>(20).fill(3) });
    const { store } = scene.pool.node(0);
    const held = store.list(undefined, 100).map(({ cid }) => cid);
    const bad = held.find((cid) => {
      return placement({ members: without(scene, 0) }).ownersOf(slotOfCid(cid), 3)
        .some((id) => !scene.pool.holdersOf(cid).some((node) => node.id === id));
    });
    assert.ok(bad !== undefined);
    const get = async (cid: Cid) => {
      if (cid !== bad || !store.has(cid)) return await store.get(cid);
      await store.remove(cid);
      throw new SkyringError("corrupt", `Cannot read block ${cid}: its bytes do not match`);
    };
    const signal = new AbortController().signal;
    const members = () => without(scene, 0);
    const ports = { ...portsOf(scene), store: { ...store, get } };
    await handOff(ports, { members, force: false, signal, report: () => undefined });
    for (const cid of held) assert.equal(elsewhere(scene, cid), cid === bad ? 2 : 3);
  }));

Deno.test("handOff() by force is content with one verified copy, and with nothing less", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 4, replicas: Array(20).fill(3) });
    for (const at of [1, 2]) scene.pool.node(at).manner = "dead";
    await leave(scene, true).done;
    for (const cid of scene.blocks.keys()) {
      if (scene.pool.node(0).store.has(cid)) assert.ok(scene.pool.node(3).store.has(cid));
    }
    const lying = await sceneOf(clock, { nodes: 4, replicas: Array(5).fill(3) });
    for (const at of [1, 2]) lying.pool.node(at).manner = "dead";
    lying.pool.node(3).manner = "lying";
    const abort = new AbortController();
    const outcome = leave(lying, true, abort.signal).done.then(() => "safe", () => "given up");
    await clock.sleep(60_000);
    abort.abort();
    assert.equal(await outcome, "given up", "a copy that cannot be read back is none");
  }));

Deno.test("planMoves() tells what would be thin or lost, and assertPlan() refuses it", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 3, replicas: [3, 3, 3] });
    const signal = new AbortController().signal;
    const plan = () =>
      planMoves(portsOf(scene), { action: "leave", members: without(scene, 0), signal });
    scene.pool.node(1).manner = "dead";
    const thin = await plan();
    assert.deepEqual([thin.below, thin.lost], [3, 0]);
    assert.throws(() => assertPlan(thin, { force: false }), { code: "conflict" });
    assertPlan(thin, { force: true });
    scene.pool.node(2).manner = "dead";
    const lost = await plan();
    assert.equal(lost.lost, 3);
    assert.throws(() => assertPlan(lost, { force: true }), { code: "conflict" });
    for (const at of [1, 2]) scene.pool.node(at).manner = "well";
    const cramped = { ...await plan(), neededBytes: 10, freeBytes: 9 };
    assert.throws(() => assertPlan(cramped, { force: false }), { code: "full" });
    const kept = { ...cramped, action: "capacity" as const, keptBytes: 11 };
    assert.throws(() => assertFits(kept, 10), { code: "full" });
    assertFits(kept, 11);
  }));

Deno.test("planMoves() of a stop tells what is short of copies meanwhile", () =>
  inVirtualTime(async (clock) => {
    const scene = await sceneOf(clock, { nodes: 3, replicas: [3, 2, 1, 3] });
    const { members } = scene;
    const signal = new AbortController().signal;
    const plan = await planMoves(portsOf(scene), { action: "stop", members, signal });
    const held = [...scene.blocks].filter(([cid]) => scene.pool.node(0).store.has(cid));
    assert.equal(plan.below, held.length, "each loses a copy for the time being");
    assert.equal(plan.lost, held.filter(([, replicas]) => replicas === 1).length);
    assert.deepEqual([plan.blocks, plan.bytes], [0, 0]);
  }));
