import assert from "node:assert/strict";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { slotOfCid } from "../../../../shared/ring/slot.ts";
import { hashBlockNow } from "../../../../server/engine/block_hash.ts";
import {
  copiesMinimum,
  remoteOwnersOf,
  targetsOf,
  usableRemotes,
} from "../../../../server/engine/place.ts";
import { createTestPool } from "./test_pool.ts";

const clock = { now: () => 0, sleep: () => Promise.resolve() };

Deno.test("targetsOf() gives live owners first, then every other live node once", () => {
  const pool = createTestPool({ nodes: 6, clock });
  const { ring } = pool.ports(0);
  pool.node(3).manner = "dead";
  for (let block = 0; block < 200; block++) {
    const cid = cidOfDigest(hashBlockNow(new Uint8Array([block])), "raw");
    const targets = [...targetsOf(ring, cid)];
    const owners = ring.placement().ownersOf(slotOfCid(cid), 3).filter((id) => ring.isUsable(id));
    assert.deepEqual(targets.slice(0, owners.length), owners);
    assert.equal(new Set(targets).size, 5);
    assert.ok(!targets.includes(pool.node(3).id));
    assert.deepEqual(remoteOwnersOf(ring, cid, 3), owners.filter((id) => id !== ring.self));
  }
  assert.equal(usableRemotes(ring).length, 4);
});

Deno.test("copiesMinimum() is two, one in a roster of two, and never above the replicas", () => {
  const minimum = (nodes: number, replicas: number) =>
    copiesMinimum(createTestPool({ nodes, clock }).ports(0).ring, replicas);
  assert.deepEqual([1, 2, 3, 5].map((nodes) => minimum(nodes, 3)), [1, 1, 2, 2]);
  assert.equal(minimum(5, 1), 1);
});
