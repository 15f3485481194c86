// Repair, trim and scrubber of several nodes at once, in virtual time.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Cid } from "../../../../shared/base/ids.ts";
import { collectPageBlocks } from "../../../../shared/base/limits.ts";
import { sha256 } from "../../../../shared/base/hash.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { placement } from "../../../../shared/ring/placement.ts";
import { slotOfCid } from "../../../../shared/ring/slot.ts";
import { quarantineUnreadable } from "../../../../server/engine/repair_service.ts";
import { inVirtualTime, testBytes } from "./test_pool.ts";
import { createUpkeepPool, type UpkeepPool, whileRunning } from "./upkeep_pool.ts";

const MiB = 1024 ** 2;
const hour = 3_600_000;

/** Leaves held anywhere, with their holders among the members. */
function leaves(upkeep: UpkeepPool): Map<Cid, number> {
  const counts = new Map<Cid, number>();
  for (const { store } of upkeep.nodes) {
    for (const { cid, kind } of store.list(undefined, 10_000)) {
      if (kind === "leaf") counts.set(cid, 0);
    }
  }
  for (const cid of counts.keys()) {
    counts.set(cid, upkeep.members().filter(({ store }) => store.has(cid)).length);
  }
  return counts;
}

function assertCopies(upkeep: UpkeepPool, copies: number): void {
  for (const [cid, count] of leaves(upkeep)) assert.ok(count >= copies, `${cid}: ${count} copies`);
}

function restored(upkeep: UpkeepPool): number {
  return upkeep.nodes.reduce((sum, { service }) => sum + service.counts().blocks, 0);
}

Deno.test("Repair brings every block back to three copies when two of five are gone", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(6 * MiB));
    await upkeep.runAll("references", "repair");
    assert.equal(restored(upkeep), 0, "nothing is fetched while nothing lacks");
    for (const at of [3, 4]) upkeep.at(at).node.manner = "dead";
    upkeep.setMembers([0, 1, 2]);
    assert.equal(upkeep.at(0).service.view.known, false);
    await upkeep.runAll("references", "repair");
    assertCopies(upkeep, 3);
    for (const { service } of upkeep.members()) {
      assert.deepEqual([service.view.known, service.view.missing], [true, 0]);
    }
    const before = restored(upkeep);
    await upkeep.runAll("references", "repair");
    assert.equal(restored(upkeep), before, "nothing is fetched twice");
  }));

Deno.test("Repair fetches nothing for a node that returns with its data", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(4 * MiB));
    upkeep.setMembers([0, 1, 2]);
    await upkeep.runAll("references", "repair");
    const before = restored(upkeep);
    upkeep.setMembers([0, 1, 2, 3, 4]);
    await upkeep.runAll("references", "repair");
    assert.equal(restored(upkeep), before);
  }));

Deno.test("Repair waits until the node is writable", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(2 * MiB));
    upkeep.setMembers([0, 1, 2]);
    for (const one of upkeep.nodes) one.writable = false;
    await upkeep.runAll("references", "repair");
    assert.equal(restored(upkeep), 0);
    assert.ok(upkeep.members().some(({ service }) => service.view.missing > 0));
    for (const one of upkeep.nodes) one.writable = true;
    await upkeep.runAll("repair");
    assertCopies(upkeep, 3);
  }));

Deno.test("Repair names what nobody has, and brings it when a holder returns", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(8 * MiB));
    for (const at of [1, 2, 3]) upkeep.at(at).node.manner = "dead";
    upkeep.setMembers([0, 4]);
    await upkeep.runAll("references", "repair");
    const missing = upkeep.members().reduce((sum, { service }) => sum + service.view.missing, 0);
    assert.ok(missing > 0, "three of five nodes had some blocks alone");
    assert.ok(upkeep.at(0).service.wantedPage(undefined, 1).items[0]?.file === "a");
    for (const at of [1, 2, 3]) upkeep.at(at).node.manner = "well";
    upkeep.setMembers([0, 1, 2, 3, 4]);
    for (const { service } of upkeep.members()) service.memberBack();
    await upkeep.runAll("references", "repair");
    assertCopies(upkeep, 3);
  }));

Deno.test("Repair places stand-ins for what an owner is too full to take, and they hand over", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock, 7);
    await upkeep.push("a", testBytes(12 * MiB));
    const [gone, full] = [upkeep.at(5), upkeep.at(2)];
    const roomBefore = full.store.use().capacityBytes;
    // One node dies for good; another that should take over has no room for it.
    gone.node.manner = "dead";
    full.store.resize(full.store.use().blockBytes);
    upkeep.setMembers([0, 1, 2, 3, 4, 6]);
    await upkeep.runAll("references", "repair");
    assert.ok(full.store.use().full && full.service.view.missing > 0);
    for (const one of upkeep.members()) one.service.profilesChanged();
    await upkeep.runAll("references", "repair");
    assertCopies(upkeep, 3);
    const copies = () => upkeep.members().reduce((sum, { store }) => sum + store.use().blocks, 0);
    const stood = copies();
    await upkeep.runAll("references", "repair");
    assert.equal(copies(), stood, "each stood in for once");
    // It has room again: it takes what is its own, and the stand-ins let go.
    full.store.resize(roomBefore);
    for (const one of upkeep.members()) one.service.profilesChanged();
    upkeep.jump(61_000);
    await upkeep.runAll("references", "repair");
    assert.equal(full.service.view.missing, 0);
    for (let round = 0; round < 3; round++) {
      upkeep.jump(61_000);
      await upkeep.runAll("references", "trim");
    }
    assertCopies(upkeep, 3);
    assert.equal(copies(), stood);
    assert.ok(upkeep.members().every(({ service }) => service.view.surplus === 0));
  }));

Deno.test("Repair forgets nothing that it wants while the catalog is rebuilt, and calls no walk whole", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(6 * MiB));
    await upkeep.runAll("references", "repair");
    const node = upkeep.at(1);
    const lost = node.store.list(undefined, 1_000).filter(({ kind }) => kind === "leaf").slice(
      0,
      3,
    );
    for (const { cid } of lost) await node.store.remove(cid);
    const whileEmptied = upkeep.forget("a");
    upkeep.setRebuilding(true);
    node.service.rosterChanged();
    await node.run("references");
    assert.equal(node.service.view.known, false, "nobody may leave on the word of this walk");
    for (const { cid } of node.store.list(undefined, 10)) {
      assert.equal(node.service.replicasOf(cid), 3, "still referenced as far as is known");
    }
    whileEmptied();
    upkeep.setRebuilding(false);
    await node.run("references");
    assert.equal(node.service.view.known, true);
    assert.equal(node.service.view.missing, lost.length);
    await node.run("repair");
    assert.ok(lost.every(({ cid }) => node.store.has(cid)));
  }));

Deno.test("Repair gets past liars, busy and silent holders", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(4 * MiB));
    upkeep.at(4).node.manner = "dead";
    upkeep.at(3).node.manner = "lying";
    upkeep.at(2).node.manner = "busy";
    upkeep.setMembers([0, 1, 2, 3]);
    for (let round = 0; round < 8; round++) {
      await upkeep.runAll("references", "repair");
      upkeep.jump(11_000);
    }
    for (const { service } of upkeep.members().slice(0, 2)) {
      assert.equal(service.view.missing, 0);
    }
  }));

Deno.test("Trim drops surplus after the owners vouched, and never below what owners hold", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(6 * MiB));
    upkeep.setMembers([0, 1, 2]);
    await upkeep.runAll("references", "repair");
    upkeep.setMembers([0, 1, 2, 3, 4]);
    await upkeep.runAll("references", "repair", "trim");
    assert.ok([...leaves(upkeep).values()].some((count) => count > 3), "too young to be dropped");
    for (let round = 0; round < 6; round++) {
      upkeep.jump(61_000);
      await upkeep.runAll("trim");
      assertCopies(upkeep, 3);
    }
    const ring = placement({ members: upkeep.pool.ports(0).ring.placement().members });
    for (const [cid, count] of leaves(upkeep)) {
      assert.equal(count, 3);
      for (const id of ring.ownersOf(slotOfCid(cid), 3)) {
        assert.ok(upkeep.pool.holdersOf(cid).some((node) => node.id === id));
      }
    }
  }));

Deno.test("Trim keeps a copy while an owner lacks its own", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(4 * MiB));
    upkeep.setMembers([0, 1, 2]);
    await upkeep.runAll("references", "repair");
    const all = new Map(
      upkeep.nodes.slice(3).map(({ store }) => [
        store,
        store.list(undefined, 10_000).filter(({ kind }) => kind === "leaf").map(({ cid }) => cid),
      ]),
    );
    for (const [store, cids] of all) for (const cid of cids) await store.remove(cid);
    upkeep.setMembers([0, 1, 2, 3, 4]);
    await upkeep.runAll("references");
    upkeep.jump(61_000);
    await upkeep.runAll("trim");
    assertCopies(upkeep, 3);
  }));

Deno.test("Scrub finds a damaged block, which is fetched again", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(2 * MiB));
    await upkeep.runAll("references");
    const node = upkeep.at(1);
    const victim = node.store.list(undefined, 1_000).find(({ kind }) => kind === "leaf")?.cid;
    assert.ok(victim !== undefined);
    await node.node.store.remove(victim);
    await node.node.store.put(victim, testBytes(1_000, 9), "leaf");
    upkeep.jump(8 * 24 * hour);
    await node.run("scrubber");
    assert.equal(node.store.has(victim), false, "quarantined");
    assert.equal(node.service.view.missing, 1);
    await node.run("repair");
    assert.ok(node.store.has(victim));
    assert.equal(restored(upkeep), 1);
  }));

Deno.test("Heal repairs every node and reports", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(4 * MiB));
    await upkeep.runAll("references");
    let damaged = 0;
    const { store } = upkeep.at(1);
    for (const { cid, kind } of store.list(undefined, 5)) {
      if (kind === "leaf" && await store.remove(cid)) damaged++;
    }
    assert.ok(damaged > 2);
    upkeep.at(4).node.manner = "unreachable";
    const healing = upkeep.at(0).service.heal(new AbortController().signal);
    const lines = await whileRunning(upkeep, Array.fromAsync(healing));
    assert.deepEqual(lines.at(-1), {
      kind: "report",
      nodesChecked: 5,
      nodesDead: 1,
      blocksRestored: damaged,
      blocksLost: 0,
    });
    assert.ok(lines.slice(0, -1).every(({ kind }) => kind === "progress"));
  }));

Deno.test("quarantineUnreadable() makes a block wanted that could not be read for a peer", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(2 * MiB));
    await upkeep.runAll("references");
    const node = upkeep.at(1);
    const cid = node.store.list(undefined, 1_000).find(({ kind }) => kind === "leaf")?.cid;
    assert.ok(cid !== undefined);
    const failure = (code: "corrupt" | "busy") =>
      new SkyringError(code, `Cannot read block ${cid}: gone`, { data: { cid } });
    await quarantineUnreadable(node.store, failure("busy"));
    await quarantineUnreadable(node.store, new Error("other"));
    await quarantineUnreadable(node.store, failure("corrupt"));
    assert.equal(node.service.view.missing, 0, "a good copy came meanwhile");
    await node.store.remove(cid);
    await node.store.put(cid, new Uint8Array(9), "leaf");
    await quarantineUnreadable(node.store, failure("busy"));
    assert.ok(node.store.has(cid));
    await quarantineUnreadable(node.store, failure("corrupt"));
    assert.equal(node.service.view.missing, 1);
    await node.run("repair");
    assert.ok(node.store.has(cid));
  }));

Deno.test("Repair fetches two blocks at once while pushes run, many when they are over", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock);
    await upkeep.push("a", testBytes(12 * MiB));
    upkeep.setMembers([0, 1, 2]);
    const node = upkeep.at(1);
    await node.run("references");
    const missing = node.service.view.missing;
    assert.ok(missing > 8);
    for (const other of [0, 2]) upkeep.at(other).node.manner = "slow"; // a second for each block
    const end = node.activity.pushBegan();
    const startedAt = clock.now();
    const repaired = node.run("repair");
    while (clock.now() - startedAt < 4_000) await clock.sleep(500);
    const slowly = node.service.counts().blocks;
    assert.ok(slowly >= 2 && slowly <= 10, `${slowly} in four seconds`);
    end();
    await repaired;
    assert.equal(node.service.counts().blocks, missing);
    assert.ok(clock.now() - startedAt < 4_000 + missing * 500, "more than two at once");
  }));

Deno.test("Scrub ends its round when the blocks fill the last page exactly", () =>
  inVirtualTime(async (clock) => {
    const upkeep = createUpkeepPool(clock, 1);
    const node = upkeep.at(0);
    for (let at = 0; at < collectPageBlocks; at++) {
      const bytes = testBytes(64, at + 1);
      await node.store.put(cidOfDigest(sha256(bytes), "raw"), bytes, "leaf");
    }
    upkeep.jump(8 * 24 * hour);
    await node.run("scrubber");
    await node.run("scrubber");
    const oldest = Math.min(...node.store.list(undefined, 1_000).map((held) => held.verifiedAt));
    assert.ok(upkeep.now() - oldest < hour, "every block was read back");
  }));
