// The collector over the test pool: what it removes, what it spares, and whom it waits for.

import assert from "node:assert/strict";
import type { Cid } from "../../../../shared/base/ids.ts";
import { inVirtualTime, testBytes } from "./test_pool.ts";
import { createUpkeepPool, type UpkeepNode, type UpkeepPool, whileRunning } from "./upkeep_pool.ts";

const MiB = 1024 * 1024;
const hour = 3_600_000;

/** Pushes a file and deletes it. @returns how many of its blocks the node holds, all garbage now */
async function leaveUnreferenced(upkeep: UpkeepPool, node: UpkeepNode): Promise<number> {
  await upkeep.push("a", testBytes(2 * MiB));
  const held = node.store.use().blocks;
  assert.ok(held > 0);
  upkeep.remove("a");
  return held;
}

Deno.test("Collector removes what nothing references, spares leases and running pushes", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(3 * MiB, 1));
    await upkeep.push("b", testBytes(3 * MiB, 2));
    upkeep.jump(120_000);
    upkeep.remove("a");
    const node = upkeep.at(1);
    const collect = () => whileRunning(upkeep, node.service.collect());
    const end = upkeep.at(2).activity.pushBegan();
    upkeep.jump(90_000);
    const spared = node.store.list(undefined, 1)[0]?.cid as Cid;
    await node.store.touch([spared]);
    const before = node.store.use();
    const { freedBytes, blocks } = await collect();
    assert.ok(blocks > 0 && freedBytes > 0);
    assert.ok(node.store.has(spared), "its lease is newer than the oldest push");
    const after = node.store.use();
    const bytes = (use: typeof after) => use.blockBytes + use.metadataBytes;
    assert.equal(bytes(before) - bytes(after), freedBytes);
    end();
    await upkeep.runAll("references", "repair");
    assert.equal(upkeep.members().every(({ service }) => service.view.missing === 0), true);
    assert.equal((await collect()).blocks <= 1, true, "nothing of what is referenced");
  }));

Deno.test("Collector spares what was touched since a push began that runs on its own node", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    const node = upkeep.at(0);
    const end = node.activity.pushBegan();
    const held = await leaveUnreferenced(upkeep, node);
    upkeep.jump(90_000);
    const collect = () => whileRunning(upkeep, node.service.collect());
    assert.equal((await collect()).blocks, 0);
    end();
    assert.equal((await collect()).blocks, held);
  }));

Deno.test("Collector refuses while a member does not answer: it may be pushing", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(MiB));
    upkeep.at(3).node.manner = "unreachable";
    await assert.rejects(upkeep.at(0).service.collect(), { code: "unavailable" });
  }));

Deno.test("Collector spares what a write of unknown outcome may still need", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    const [node, other] = [upkeep.at(0), upkeep.at(2)];
    const held = await leaveUnreferenced(upkeep, node);
    upkeep.jump(120_000);
    const collect = () => whileRunning(upkeep, node.service.collect());
    for (const one of [node, other]) {
      one.quietMs = undefined;
      await assert.rejects(collect(), { code: "unavailable" }, "not through its registers yet");
      one.quietMs = 100_000;
      assert.equal(
        (await collect()).blocks,
        0,
        "a pass that began before the push sees no row of it",
      );
      one.quietMs = 0;
    }
    other.compares = false;
    await assert.rejects(collect(), { code: "unavailable" }, "what it found has not come here");
    assert.equal(node.store.use().blocks, held);
    other.compares = true;
    assert.equal((await collect()).blocks, held);
  }));

Deno.test("Collector waits in its time, too, until every member is through its registers", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    const [node, other] = [upkeep.at(0), upkeep.at(2)];
    const held = await leaveUnreferenced(upkeep, node);
    const passTime = async () => {
      upkeep.jump(2 * hour);
      for (let turn = 0; turn < 4; turn++) {
        await node.run("references");
        await node.run("collector");
      }
    };
    other.quietMs = undefined;
    await passTime();
    await passTime();
    other.quietMs = 0;
    other.node.manner = "unreachable";
    await passTime();
    other.node.manner = "well";
    other.quietMs = 9 * hour;
    await passTime();
    assert.equal(node.store.use().blocks, held);
    other.quietMs = 0;
    await passTime();
    assert.equal(node.store.use().blocks, 0);
  }));

Deno.test("Collector removes nothing while the catalog is rebuilt from the registers", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(2 * MiB));
    const node = upkeep.at(0);
    const held = node.store.use().blocks;
    upkeep.remove("a");
    upkeep.setRebuilding(true);
    for (let turn = 0; turn < 6; turn++) {
      upkeep.jump(2 * hour);
      await node.run("references");
      await node.run("collector");
    }
    await assert.rejects(node.service.collect(), { code: "unavailable" });
    assert.equal(node.store.use().blocks, held);
    upkeep.setRebuilding(false);
    assert.ok((await whileRunning(upkeep, node.service.collect())).blocks > 0);
  }));

Deno.test("Collector waits the keep time after a block was last referenced", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(2 * MiB));
    const node = upkeep.at(0);
    const held = node.store.use().blocks;
    assert.ok(held > 0);
    const passTime = async (ms: number) => {
      upkeep.jump(ms);
      for (let turn = 0; turn < 3; turn++) {
        await node.run("references");
        await node.run("collector");
      }
    };
    await passTime(2 * hour);
    assert.equal(node.store.use().blocks, held, "referenced");
    upkeep.remove("a");
    await passTime(hour / 2);
    assert.equal(node.store.use().blocks, held, "not yet");
    await passTime(hour / 4);
    assert.equal(node.store.use().blocks, held, "not yet");
    await passTime(hour);
    assert.equal(node.store.use().blocks, 0);
  }));
