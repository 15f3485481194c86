// The watch over the clock: who is off says so, a jump is noticed, a pool of one is left alone.

import assert from "node:assert/strict";
import { ClockWatch } from "../../../../server/engine/clock_watch.ts";
import type { StepReport } from "../../../../server/engine/workers.ts";
import { asNodeId } from "../../../../shared/base/ids.ts";

const hour = 3_600_000;

function watchOf(others: readonly (number | undefined)[]) {
  const time = { wall: 1_700_000_000_000, steady: 0 };
  let step: (signal: AbortSignal) => Promise<StepReport> = () => Promise.reject(new Error("none"));
  let woken = 0;
  const ids = others.map((_, at) => asNodeId(`node-${at}`));
  const watch = new ClockWatch({
    peers: () => ids,
    ask: (peer) => {
      const ahead = others[ids.indexOf(peer)];
      return Promise.resolve(ahead === undefined ? undefined : time.wall + ahead);
    },
    workers: {
      start: (options) => {
        step = options.step;
        return { wake: () => void woken++ };
      },
    },
    now: () => time.wall,
    monotonic: () => time.steady,
  });
  watch.start();
  const compare = () => step(new AbortController().signal);
  return { watch, time, compare, woken: () => woken };
}

Deno.test("ClockWatch says nothing while most others agree", async () => {
  const { watch, compare } = watchOf([20, -15, hour]);
  assert.match(watch.fault() ?? "", /being compared/, "before the first comparison");
  await compare();
  assert.equal(watch.fault(), undefined);
  watch.assertRight();
});

Deno.test("ClockWatch says that the clock is off when most others differ", async () => {
  const ahead = watchOf([-hour, -hour, 3]);
  await ahead.compare();
  assert.match(ahead.watch.fault() ?? "", /clock off: it is .* ahead of/);
  assert.throws(() => ahead.watch.assertRight(), { code: "clock_off", retriable: true });
  const behind = watchOf([hour, hour + 5, hour - 5]);
  await behind.compare();
  assert.match(behind.watch.fault() ?? "", /clock off: it is .* behind/);
});

Deno.test("ClockWatch notices a jump at once, and is content after the next comparison", async () => {
  const { watch, time, compare, woken } = watchOf([0, 0]);
  await compare();
  time.steady += 60_000;
  time.wall += 60_000;
  assert.equal(watch.fault(), undefined, "time that passed is no jump");
  time.wall += hour;
  assert.match(watch.fault() ?? "", /jumped/);
  assert.equal(woken(), 1);
  await compare();
  assert.equal(watch.fault(), undefined, "the others agree with the new time");
});

Deno.test("ClockWatch keeps its judgement when nobody answers, and leaves a lone node alone", async () => {
  const silent = watchOf([undefined, undefined]);
  await silent.compare();
  assert.match(silent.watch.fault() ?? "", /being compared/);
  const alone = watchOf([]);
  await alone.compare();
  assert.equal(alone.watch.fault(), undefined);
});
