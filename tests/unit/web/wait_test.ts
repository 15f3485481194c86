import assert from "node:assert/strict";
import { mock } from "node:test";
import { waitFor } from "../../../web/wait.ts";

/** A signal that counts who listens. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...given: Parameters<typeof add>) => (listeners++, add(...given));
  signal.removeEventListener = (...given: Parameters<typeof remove>) => (
    listeners--, remove(...given)
  );
  return { controller, signal, listeners: () => listeners };
}

Deno.test("waitFor() ends after its time or with its signal, and leaves no listener", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { controller, signal, listeners } = countedSignal();
    let ended = 0;
    const wait = () => waitFor(1_000, signal).then(() => ended++);
    const [first, second] = [wait(), wait()];
    mock.timers.tick(999);
    await Promise.resolve();
    assert.deepEqual([ended, listeners()], [0, 2]);
    mock.timers.tick(1);
    await Promise.all([first, second]);
    assert.equal(listeners(), 0);
    const third = wait();
    controller.abort();
    await third;
    assert.equal(listeners(), 0);
    await wait(); // aborted before: at once
    assert.equal(ended, 4);
  } finally {
    mock.timers.reset();
  }
});
