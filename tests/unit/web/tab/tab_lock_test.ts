import assert from "node:assert/strict";
import { memoryValues } from "../../../../web/tab/key_values.ts";
import { whileLocked } from "../../../../web/tab/tab_lock.ts";

/** Shared like a database of one browser. */
const shared = () => ({ ...memoryValues(), kept: "indexeddb" as const });

Deno.test("whileLocked() by lease lets one in, and the next once the lease has run out", async () => {
  const values = shared();
  const first = Promise.withResolvers<void>();
  const order: string[] = [];
  const lost = Promise.withResolvers<AbortSignal>();
  void whileLocked({ values, id: "one" }, async (signal) => {
    order.push("one");
    lost.resolve(signal);
    await first.promise;
    // Never ends by itself: the lease must be taken from it.
    await new Promise(() => undefined);
  });
  const signal = await lost.promise;
  first.resolve();
  // What a machine that slept finds: its lease has run out, and another has taken it.
  await values.update("lease", () => ({ id: "one", until: 0 }));
  const second = Promise.withResolvers<void>();
  void whileLocked({ values, id: "two" }, async () => {
    order.push("two");
    second.resolve();
    await new Promise(() => undefined);
  });
  await second.promise;
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  assert.deepEqual(order, ["one", "two"]);
});
