// Who is behind in a push, on a clock that the test turns by hand.

import assert from "node:assert/strict";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { type Flight, PushLanes } from "../../../../server/engine/push_lanes.ts";
import type { BlockExchange, OfferOutcome } from "../../../../web/peer/block_exchange.ts";

const [self, one, other] = ["self", "one", "other"].map(asNodeId) as [NodeId, NodeId, NodeId];

/** Lanes whose puts the test answers itself. */
function setUp() {
  let now = 0;
  const open: { peer: NodeId; answer: (outcome: OfferOutcome) => void }[] = [];
  const exchange: BlockExchange = {
    want: () => assert.fail("a push wants nothing"),
    have: () => assert.fail("lanes count nothing"),
    put: (peer) => new Promise((answer) => void open.push({ peer, answer })),
    rating: () => ({ bytesPerSecond: 0, latencyMs: 0, inFlight: 0 }),
  };
  const store = createMemoryStore({ capacityBytes: 1_000, now: () => now });
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  const lanes = new PushLanes({ self, store, exchange, clock });
  let count = 0;
  const flight = (): Flight => ({
    cid: cidOfDigest(new Uint8Array(32).fill(count++), "raw"),
    bytes: new Uint8Array(1),
    kind: "leaf",
    first: undefined,
  });
  const turn = async () => {
    for (let count = 0; count < 10; count++) await Promise.resolve();
  };
  return {
    lanes,
    flight,
    /** Answers the eldest open put at a peer. */
    answer: async (peer: NodeId, outcome: OfferOutcome = { ok: true }) => {
      const at = open.findIndex((put) => put.peer === peer);
      assert.ok(at >= 0, `nothing is open at ${peer}`);
      open.splice(at, 1)[0]?.answer(outcome);
      await turn();
    },
    /** Lets time pass as a push does, sweeping on the way. */
    pass: (ms: number) => {
      for (const end = now + ms; now < end;) {
        now += 250;
        lanes.sweep(() => true);
      }
    },
    jump: (ms: number) => {
      now += ms;
      lanes.sweep(() => true);
    },
    turn,
  };
}

Deno.test("PushLanes puts out who has done nothing for 2 s while another did several blocks", async () => {
  const { lanes, flight, answer, pass, turn } = setUp();
  const stuck = lanes.send(one, flight());
  for (let count = 0; count < 5; count++) void lanes.send(other, flight());
  await turn();
  for (let count = 0; count < 4; count++) await answer(other);
  pass(1_750);
  assert.ok(!lanes.isOut(one));
  pass(250);
  assert.ok(lanes.isOut(one));
  assert.equal(await stuck, false);
  assert.ok(!lanes.isOut(other));
  lanes.stop();
});

Deno.test("PushLanes puts nobody out on a line that is slow for all", async () => {
  const { lanes, flight, answer, pass, turn } = setUp();
  for (let count = 0; count < 4; count++) {
    void lanes.send(one, flight());
    void lanes.send(other, flight());
  }
  await turn();
  for (let count = 0; count < 3; count++) {
    pass(6_000);
    await answer(one);
    pass(1_000);
    await answer(other);
  }
  assert.ok(!lanes.isOut(one) && !lanes.isOut(other));
  lanes.stop();
});

Deno.test("PushLanes puts out who holds a block back that is done elsewhere", async () => {
  const { lanes, flight, answer, pass, turn } = setUp();
  const shared = flight();
  void lanes.send(one, shared);
  void lanes.send(other, shared);
  await turn();
  await answer(other);
  // The slow one does finish other blocks meanwhile.
  for (let count = 0; count < 2; count++) {
    pass(750);
    void lanes.send(one, flight());
    await turn();
  }
  pass(750);
  assert.ok(lanes.isOut(one));
  lanes.stop();
});

Deno.test("PushLanes forgives everyone after a gap in its own time", async () => {
  const { lanes, flight, answer, pass, jump, turn } = setUp();
  void lanes.send(one, flight());
  void lanes.send(other, flight());
  await turn();
  await answer(other);
  jump(20_000);
  assert.ok(!lanes.isOut(one));
  pass(9_750);
  assert.ok(!lanes.isOut(one));
  pass(250);
  assert.ok(lanes.isOut(one));
  lanes.stop();
});

Deno.test("PushLanes gives a lone node 10 s without progress, and a second chance when asked", async () => {
  const { lanes, flight, answer, pass, turn } = setUp();
  const stuck = lanes.send(one, flight());
  await turn();
  pass(9_750);
  assert.ok(!lanes.isOut(one));
  pass(250);
  assert.equal(await stuck, false);
  lanes.forgive(() => false);
  assert.ok(lanes.isOut(one));
  lanes.forgive(() => true);
  assert.ok(!lanes.isOut(one));
  const refused = lanes.send(other, flight());
  await turn();
  await answer(other, { ok: false, code: "full" });
  assert.equal(await refused, false);
  lanes.forgive(() => true);
  assert.ok(lanes.isOut(other), "a full node stays out");
  lanes.stop();
});
