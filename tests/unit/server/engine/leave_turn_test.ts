// One node leaves at a time: the turn, with answers that come in any order.

import assert from "node:assert/strict";
import fc from "fast-check";
import { waitingNote } from "../../../../server/engine/leave.ts";
import { type InTheWay, LeaveTurn } from "../../../../server/engine/leave_turn.ts";
import type { Clock } from "../../../../server/engine/clock.ts";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng, type Prng } from "../../../../shared/base/prng.ts";

/** Steps that wait, run in a random order: answers and sleeps overtake each other. */
class Shuffled {
  readonly #waiting: (() => void)[] = [];
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  step(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async run(done: () => boolean): Promise<void> {
    for (let turn = 0; turn < 20_000 && !done(); turn++) {
      const at = this.#waiting.length === 0 ? -1 : this.#prng.int(this.#waiting.length);
      if (at >= 0) this.#waiting.splice(at, 1)[0]?.();
      for (let tick = 0; tick < 8; tick++) await Promise.resolve();
    }
    assert.ok(done(), "it ends");
  }
}

Deno.test("LeaveTurn lets every node leave, and never two at once, in any order of answers", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 5 }), async (seed, count) => {
      const order = new Shuffled(createPrng(seed));
      const ids = Array.from({ length: count }, (_, at) => asNodeId(`node-${at}`));
      const turns = new Map<NodeId, LeaveTurn>();
      const clock: Clock = { now: () => 0, sleep: () => order.step() };
      for (const self of ids) {
        turns.set(
          self,
          new LeaveTurn({
            self,
            clock,
            peers: () => ids.filter((id) => id !== self && turns.has(id)),
            ask: async (peer) => {
              await order.step();
              const answer = turns.get(peer)?.answer(self);
              await order.step();
              return answer ?? true;
            },
          }),
        );
      }
      let inTurn = 0;
      let left = 0;
      const signal = new AbortController().signal;
      const leaving = ids.map(async (id) => {
        const turn = turns.get(id);
        await turn?.take(signal, { waiting: () => undefined });
        inTurn += 1;
        assert.equal(inTurn, 1, "one at a time");
        await order.step();
        await order.step();
        inTurn -= 1;
        left += 1;
        turns.delete(id);
      });
      await order.run(() => left === count);
      await Promise.all(leaving);
    }),
    { numRuns: 200 },
  );
});

Deno.test("LeaveTurn lets the lower of two go first who ask in the very same moments", async () => {
  const ids = [asNodeId("node-1"), asNodeId("node-2")] as const;
  const turns = new Map<NodeId, LeaveTurn>();
  let rounds = 0;
  const first = Promise.withResolvers<NodeId>();
  const over = new AbortController();
  const sleep = async () => {
    rounds += 1;
    if (rounds > 100) over.abort(new Error("nobody goes first"));
    for (let tick = 0; tick < 4; tick++) await Promise.resolve();
  };
  const takes = ids.map(async (self, at) => {
    const turn = new LeaveTurn({
      self,
      peers: () => ids.filter((id) => id !== self),
      ask: async (peer) => (await Promise.resolve(), turns.get(peer)?.answer(self)),
      clock: { now: () => 0, sleep },
    });
    turns.set(self, turn);
    await Promise.resolve(); // until both are there
    await turn.take(over.signal, { waiting: () => undefined });
    first.resolve(self);
    if (at === 0) over.abort(new Error("the other has waited enough"));
  });
  const ends = await Promise.allSettled(takes);
  assert.deepEqual(ends.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.equal(await first.promise, ids[0]);
});

Deno.test("LeaveTurn.take() waits for who does not answer, and gives up with its signal", async () => {
  const abort = new AbortController();
  const waited: string[] = [];
  const turn = new LeaveTurn({
    self: asNodeId("a"),
    peers: () => [asNodeId("b")],
    ask: () => Promise.resolve(undefined),
    clock: { now: () => 0, sleep: () => Promise.resolve(abort.abort(new Error("enough"))) },
  });
  const waiting = (others: InTheWay) => void waited.push(waitingNote(others, (id) => `node ${id}`));
  await assert.rejects(turn.take(abort.signal, { waiting }), /enough/);
  assert.match(waited.join(), /^waits for an answer of node b, .*leave with force$/);
  assert.equal(turn.answer(asNodeId("z")), true, "who gave up is in nobody's way");
});

Deno.test("LeaveTurn.take() names who leaves first; with force it ends though two are cut apart", async () => {
  const [a, b] = [asNodeId("a"), asNodeId("b")];
  const signal = new AbortController().signal;
  let rounds = 0;
  const answers = [false, undefined, undefined, true];
  const turn = new LeaveTurn({
    self: a,
    peers: () => [b],
    ask: () => Promise.resolve(answers[rounds++]),
    clock: { now: () => 0, sleep: () => Promise.resolve() },
  });
  const seen: InTheWay[] = [];
  await turn.take(signal, { waiting: (others) => void seen.push(others) });
  assert.deepEqual(seen, [
    { leaving: [b], silent: [] },
    { leaving: [], silent: [b] },
    { leaving: [], silent: [b] },
  ]);
  // Each of two that cannot reach one another is told to go without the other's answer.
  for (const self of [a, b]) {
    const cut = new LeaveTurn({
      self,
      peers: () => [self === a ? b : a],
      ask: () => Promise.resolve(undefined),
      clock: { now: () => 0, sleep: () => Promise.reject(new Error("it waits")) },
    });
    await cut.take(signal, { waiting: () => undefined, force: true });
    assert.equal(cut.answer(asNodeId("c")), false, "it is in turn");
  }
});

Deno.test("LeaveTurn.resume() holds the turn of a leave that a restart interrupted", () => {
  const turn = new LeaveTurn({
    self: asNodeId("a"),
    peers: () => [],
    ask: () => Promise.resolve(true),
    clock: { now: () => 0, sleep: () => Promise.resolve() },
  });
  turn.resume();
  assert.equal(turn.answer(asNodeId("b")), false);
  turn.release();
  assert.equal(turn.answer(asNodeId("b")), true);
});
