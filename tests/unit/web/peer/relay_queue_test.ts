import assert from "node:assert/strict";
import type { Cid } from "../../../../shared/base/ids.ts";
import { blockBytesMax, exchangePendingMax } from "../../../../shared/base/limits.ts";
import { relaysPerPeerMax } from "../../../../shared/base/tab_limits.ts";
import { RelayQueue } from "../../../../web/peer/relay_queue.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

function world(credit: number) {
  const state = { credit, running: 0, peak: 0 };
  const answers: [number, number | undefined][] = [];
  const fetches = new Map<string, PromiseWithResolvers<Uint8Array | undefined>>();
  const queue = new RelayQueue({
    fetch: (cid, signal) => {
      const waiter = Promise.withResolvers<Uint8Array | undefined>();
      fetches.set(cid, waiter);
      state.peak = Math.max(state.peak, ++state.running);
      signal.addEventListener("abort", () => waiter.resolve(undefined));
      return waiter.promise.finally(() => state.running--);
    },
    reserve: (bytes) => {
      if (bytes > state.credit) return false;
      state.credit -= bytes;
      return true;
    },
    release: (bytes) => void (state.credit += bytes),
    answer: (id, bytes, onSent) => {
      answers.push([id, bytes?.length]);
      onSent();
    },
  });
  const give = (cid: string, bytes: number | undefined) =>
    fetches.get(cid)?.resolve(bytes === undefined ? undefined : new Uint8Array(bytes));
  return { queue, state, answers, fetches, give };
}

const cid = (number: number) => `c${number}` as Cid;

Deno.test("relays run few at once, answer each once, and give unused credit back", async () => {
  const { queue, state, answers, give } = world(100 * blockBytesMax);
  for (let id = 1; id <= 10; id++) assert.ok(queue.add(id, cid(id)));
  assert.equal(state.running, relaysPerPeerMax);
  for (let id = 1; id <= 10; id++) {
    give(cid(id), id % 2 === 0 ? 10 : undefined);
    await turn();
  }
  assert.deepEqual(answers.map(([id]) => id), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(state.peak, relaysPerPeerMax);
  assert.equal(state.credit, 100 * blockBytesMax - 5 * 10);
});

Deno.test("a relay waits for credit, and starts when it comes", async () => {
  const { queue, state, answers, fetches, give } = world(blockBytesMax - 1);
  queue.add(1, cid(1));
  assert.equal(fetches.size, 0);
  state.credit += 1;
  queue.next();
  give(cid(1), 3);
  await turn();
  assert.deepEqual(answers, [[1, 3]]);
});

Deno.test("cancel() answers absent, of one that waits and of one that runs", async () => {
  const { queue, answers } = world(100 * blockBytesMax);
  for (let id = 1; id <= relaysPerPeerMax + 1; id++) queue.add(id, cid(id));
  queue.cancel(relaysPerPeerMax + 1);
  assert.deepEqual(answers, [[relaysPerPeerMax + 1, undefined]]);
  queue.cancel(1);
  await turn();
  assert.deepEqual(answers.at(-1), [1, undefined]);
});

Deno.test("add() refuses beyond its limit, and close() answers nothing more", async () => {
  const { queue, answers, give } = world(relaysPerPeerMax * blockBytesMax);
  const kept = relaysPerPeerMax + exchangePendingMax;
  for (let id = 1; id <= kept; id++) assert.ok(queue.add(id, cid(id)));
  assert.equal(queue.add(kept + 1, cid(0)), false);
  queue.close();
  give(cid(1), 5);
  await turn();
  assert.deepEqual(answers, []);
});
