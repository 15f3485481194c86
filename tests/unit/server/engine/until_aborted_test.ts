import assert from "node:assert/strict";
import { orAborted, untilAborted } from "../../../../server/engine/until_aborted.ts";

const never = new Promise<number>(() => {});

Deno.test("untilAborted() and orAborted() give the result, or end with the signal", async () => {
  const stop = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(1), stop.signal), 1);
  assert.equal(await orAborted(Promise.resolve(2), stop.signal), 2);
  assert.equal(await orAborted(Promise.resolve(3), undefined), 3);
  const waiting = untilAborted(never, stop.signal);
  const failing = assert.rejects(orAborted(never, stop.signal), /left/);
  stop.abort(new Error("left"));
  assert.equal(await waiting, undefined);
  await failing;
  assert.equal(await untilAborted(never, stop.signal), undefined);
  await assert.rejects(orAborted(never, stop.signal), /left/);
});

Deno.test("untilAborted() and orAborted() pass on a failure, and swallow one that comes too late", async () => {
  const stop = new AbortController();
  const broken = () => Promise.reject(new Error("broken"));
  await assert.rejects(untilAborted(broken(), stop.signal), /broken/);
  await assert.rejects(orAborted(broken(), stop.signal), /broken/);
  stop.abort();
  assert.equal(await untilAborted(broken(), stop.signal), undefined);
});
