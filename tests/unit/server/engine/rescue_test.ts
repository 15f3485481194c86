// Repair of blocks that no member has, from tabs: in virtual time, with tabs that are a plain map.

import assert from "node:assert/strict";
import type { Cid } from "../../../../shared/base/ids.ts";
import type { ExtraCopies } from "../../../../server/engine/extra_copies.ts";
import { inVirtualTime, testBytes } from "./test_pool.ts";
import { createUpkeepPool, type UpkeepPool } from "./upkeep_pool.ts";

const MiB = 1024 ** 2;

function tabsOf() {
  const blocks = new Map<Cid, Uint8Array>();
  const asked: Cid[] = [];
  const extra: ExtraCopies = {
    search: () => ({
      get: (cid) => {
        asked.push(cid);
        return Promise.resolve(blocks.get(cid));
      },
    }),
  };
  return { blocks, asked, extra };
}

/** Takes every leaf from every node. @returns them */
async function lose(upkeep: UpkeepPool): Promise<Map<Cid, Uint8Array>> {
  const lost = new Map<Cid, Uint8Array>();
  for (const { node, service } of upkeep.nodes) {
    for (const { cid, kind, bytes } of node.store.list(undefined, 10_000)) {
      if (kind !== "leaf") continue;
      lost.set(cid, await node.store.get(cid) ?? new Uint8Array(0));
      await node.store.remove(cid);
      service.lost(cid, bytes);
    }
  }
  return lost;
}

Deno.test("Repair takes from tabs what no member has, and every owner has it again", () =>
  inVirtualTime(async (clock) => {
    const { blocks, extra } = tabsOf();
    const upkeep = createUpkeepPool(clock, 5, { extra });
    await upkeep.push("a", testBytes(3 * MiB));
    await upkeep.runAll("references", "repair");
    for (const [cid, bytes] of await lose(upkeep)) blocks.set(cid, bytes);
    assert.ok(blocks.size >= 12);
    await upkeep.runAll("references", "repair");
    for (const [cid, bytes] of blocks) {
      const holders = upkeep.nodes.filter(({ store }) => store.has(cid));
      assert.equal(holders.length, 3);
      assert.deepEqual(await holders[0]?.store.get(cid), bytes);
    }
    assert.ok(upkeep.members().every(({ service }) => service.view.missing === 0));
  }));

Deno.test("Repair asks tabs for lost blocks now and then, and at once when it is told to", () =>
  inVirtualTime(async (clock) => {
    const { blocks, asked, extra } = tabsOf();
    const upkeep = createUpkeepPool(clock, 1, { extra });
    await upkeep.push("a", testBytes(MiB), { replicas: 1 });
    await upkeep.runAll("references", "repair");
    const lost = await lose(upkeep);
    for (let turn = 0; turn < 5; turn++) {
      await upkeep.runAll("repair");
      upkeep.jump(11_000);
    }
    assert.equal(asked.length, lost.size, "once a minute while nobody has them");
    upkeep.jump(20_000);
    await upkeep.runAll("repair");
    assert.equal(asked.length, 2 * lost.size);
    await upkeep.push("b", testBytes(MiB, 2), { replicas: 1 });
    await upkeep.runAll("references");
    const more = await lose(upkeep);
    await upkeep.runAll("repair");
    assert.equal(asked.length, 2 * lost.size + more.size, "what is lost just now is asked for");
    for (const cid of more.keys()) lost.set(cid, new Uint8Array(0));
    assert.equal(upkeep.at(0).service.view.missing, lost.size);
    for (const cid of lost.keys()) blocks.set(cid, new Uint8Array(4));
    upkeep.at(0).service.memberBack();
    await upkeep.runAll("repair");
    assert.equal(upkeep.at(0).service.view.missing, 0);
  }));

Deno.test("Repair looks in silent tabs for a while only, and again in its next turn", () =>
  inVirtualTime(async (clock) => {
    const asked: Cid[] = [];
    const extra: ExtraCopies = {
      search: (signal) => ({
        get: async (cid) => {
          asked.push(cid);
          await clock.sleep(600_000, signal);
          return undefined;
        },
      }),
    };
    const upkeep = createUpkeepPool(clock, 1, { extra });
    await upkeep.push("a", testBytes(3 * MiB), { replicas: 1 });
    await upkeep.runAll("references", "repair");
    const lost = await lose(upkeep);
    const startedAt = clock.now();
    await upkeep.runAll("repair");
    assert.ok(clock.now() - startedAt < 32_000, `${clock.now() - startedAt} ms`);
    const { length } = asked;
    assert.ok(length > 0 && length < lost.size, "not all were reached");
    assert.equal(upkeep.at(0).service.view.missing, lost.size);
    upkeep.jump(11_000);
    await upkeep.runAll("repair");
    assert.ok(asked.length > length, "nothing counts as sought in vain");
  }));
