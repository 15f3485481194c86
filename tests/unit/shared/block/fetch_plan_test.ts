// The scheduler in virtual time, against holders that serve, stall, lie, lack, or are away.

import assert from "node:assert/strict";
import fc from "fast-check";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng, type Prng } from "../../../../shared/base/prng.ts";
import {
  createFetchPlan,
  type FetchFault,
  type FetchInput,
  type FetchLimits,
  type FetchOutput,
} from "../../../../shared/block/fetch_plan.ts";

const limits: FetchLimits = {
  perPeerMax: 4,
  hedgesMax: 3,
  requestTimeoutMs: 5_000,
  searchTimeoutMs: 3_000,
  patienceMs: 10_000,
  roundsMax: 2,
};

type Manner = "serves" | "slow" | "stalls" | "lies" | "lacks" | "away" | "often busy" | "dies";

/** Carries a plan's outputs out in virtual time, and checks its invariants at every step. */
class World {
  readonly ready: number[] = [];
  readonly failed: number[] = [];
  readonly asked: { index: number; peer: NodeId; at: number }[] = [];
  now = 0;
  readonly #plan = createFetchPlan(limits);
  readonly #manners: ReadonlyMap<NodeId, Manner>;
  readonly #prng: Prng;
  #events: { at: number; input: FetchInput }[] = [];
  readonly #open = new Map<number, { peer: NodeId; index: number; good: boolean }>();
  readonly #banned = new Set<NodeId>();

  constructor(manners: ReadonlyMap<NodeId, Manner>, seed: number) {
    this.#manners = manners;
    this.#prng = createPrng(seed);
  }

  want(index: number, holders: readonly NodeId[]): void {
    this.#step({ kind: "want", index, holders: holders.map((id) => ({ id, expectedMs: 20 })) });
  }

  /** Runs until every wanted block has ended. */
  run(count: number): void {
    for (let steps = 0; this.ready.length + this.failed.length < count; steps++) {
      assert.ok(steps < 20_000, "the plan ends");
      this.#events.sort((one, other) => one.at - other.at);
      const wake = this.#plan.wakeAt() ?? Infinity;
      const event = this.#events[0];
      if (event !== undefined && event.at <= wake) {
        this.#events.shift();
        this.now = Math.max(this.now, event.at);
        this.#step(event.input);
      } else {
        assert.notEqual(wake, Infinity, "a plan with open blocks has something to wait for");
        assert.ok(wake > this.now, "time goes on");
        this.now = wake;
        this.#step({ kind: "tick" });
      }
    }
    // Rounds of deadlines for each batch that fits a stalled holder, and patience with busy ones.
    const bound = 40_000 * Math.ceil(count / limits.perPeerMax) + limits.patienceMs;
    assert.ok(this.now < bound, `ended after ${this.now} ms`);
  }

  #step(input: FetchInput): void {
    if (input.kind === "failed") this.#open.delete(input.request);
    for (const output of this.#plan.step(input, this.now)) this.#carry(output);
  }

  #carry(output: FetchOutput): void {
    if (output.kind === "fetch") {
      assert.ok(!this.#banned.has(output.peer), "a liar is not asked again");
      this.asked.push({ index: output.index, peer: output.peer, at: this.now });
      this.#ask(output.request, output.peer, output.index);
      const there = [...this.#open.values()].filter((open) => open.peer === output.peer);
      assert.ok(there.length <= limits.perPeerMax, "the cap of one holder is kept");
    } else if (output.kind === "cancel") {
      this.#open.delete(output.request);
    } else if (output.kind === "search") {
      const holders = [...this.#manners].filter(([, manner]) =>
        manner !== "lacks" && manner !== "away"
      ).map(([id]) => ({ id, expectedMs: 20 }));
      this.#events.push({
        at: this.now + 50,
        input: { kind: "holders", index: output.index, holders },
      });
    } else if (output.kind === "ready") {
      const request = this.#open.get(output.request);
      assert.ok(request?.good === true && request.index === output.index, "only verified bytes");
      assert.ok(!this.ready.includes(output.index), "ready once");
      this.#open.delete(output.request);
      this.ready.push(output.index);
    } else if (output.kind === "fail") {
      this.failed.push(output.index);
    } else {
      assert.equal(output.kind, "ban");
      this.#banned.add(output.peer);
    }
  }

  #ask(request: number, peer: NodeId, index: number): void {
    const manner = this.#manners.get(peer);
    const end = (delay: number, fault?: FetchFault) => {
      this.#open.set(request, { peer, index, good: fault === undefined });
      const input: FetchInput = fault === undefined
        ? { kind: "done", request }
        : { kind: "failed", request, fault };
      this.#events.push({ at: this.now + delay, input });
    };
    const delay = this.#prng.between(1, 40);
    if (manner === "serves") end(delay);
    else if (manner === "slow") end(delay * 50);
    else if (manner === "lies") end(delay, "bad_block");
    else if (manner === "lacks") end(delay, "dont_have");
    else if (manner === "away") end(delay, "unreachable");
    else if (manner === "often busy") end(delay, this.#prng.chance(0.7) ? "busy" : undefined);
    else if (manner === "dies" && this.now < 500) end(delay);
    else this.#open.set(request, { peer, index, good: false });
  }
}

const manners = fc.constantFrom<Manner>(
  "serves",
  "slow",
  "stalls",
  "lies",
  "lacks",
  "away",
  "often busy",
  "dies",
);

Deno.test("createFetchPlan() gets every block that an honest holder has, and ends on all others", () => {
  fc.assert(
    fc.property(
      fc.array(manners, { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer(),
      (list, count, seed) => {
        const nodes = new Map(list.map((manner, at) => [asNodeId(`node-${at}`), manner]));
        const world = new World(nodes, seed);
        const prng = createPrng(seed);
        for (let index = 0; index < count; index++) {
          world.want(index, prng.shuffle([...nodes.keys()]).slice(0, 1 + prng.int(3)));
        }
        world.run(count);
        if (list.includes("serves")) assert.deepEqual(world.failed, []);
        if (!list.some((manner) => ["serves", "slow", "often busy", "dies"].includes(manner))) {
          assert.deepEqual(world.ready, []);
        }
      },
    ),
    { numRuns: 300 },
  );
});

const [fast, slow, stuck] = ["fast", "slow", "stuck"].map(asNodeId) as [NodeId, NodeId, NodeId];

Deno.test("createFetchPlan() asks the faster of two holders more", () => {
  const world = new World(new Map([[fast, "serves"], [slow, "slow"]]), 1);
  for (let index = 0; index < 100; index++) world.want(index, [slow, fast]);
  world.run(100);
  const count = (peer: NodeId) => world.asked.filter((ask) => ask.peer === peer).length;
  assert.ok(count(fast) > 4 * count(slow), `${count(fast)} against ${count(slow)}`);
});

Deno.test("createFetchPlan() asks a second holder when the first is overdue, long before its deadline", () => {
  const world = new World(new Map([[stuck, "stalls"], [fast, "serves"]]), 2);
  for (let index = 0; index < 30; index++) world.want(index, [stuck, fast]);
  world.run(30);
  assert.deepEqual(world.failed, []);
  assert.ok(world.now < 3_000, `took ${world.now} ms with a deadline of 5,000 each`);
});

Deno.test("createFetchPlan() searches everyone when no known holder has the block", () => {
  const world = new World(new Map([[stuck, "lacks"], [fast, "serves"]]), 3);
  world.want(0, [stuck]);
  world.run(1);
  assert.deepEqual(world.ready, [0]);
});

Deno.test("createFetchPlan() fails loudly, with counted reasons, when nobody gives the block", () => {
  const plan = createFetchPlan(limits);
  const want = plan.step(
    { kind: "want", index: 0, holders: [{ id: stuck, expectedMs: 20 }] },
    0,
  );
  const [ask] = want;
  assert.ok(ask?.kind === "fetch");
  const search = plan.step({ kind: "failed", request: ask.request, fault: "dont_have" }, 10);
  assert.deepEqual(search, [{ kind: "search", index: 0 }]);
  const end = plan.step({ kind: "holders", index: 0, holders: [] }, 20);
  assert.deepEqual(end, [{ kind: "fail", index: 0, faults: { dont_have: 1 } }]);
  assert.equal(plan.wakeAt(), undefined);
});
