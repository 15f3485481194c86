// Jobs over a real database: progress and ends, cancelling, and going on after a restart.

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Database, openDatabase } from "../../../../server/disk/database.ts";
import { jobMigrations, type JobRun, Jobs } from "../../../../server/engine/jobs.ts";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { jobsRunningMax } from "../../../../shared/base/limits.ts";
import type { JobSnapshot } from "../../../../shared/job.ts";

interface Bench {
  readonly jobs: Jobs;
  readonly told: JobSnapshot[];
  readonly database: Database;
}

let clock = 1_700_000_000_000;

async function open(folder: string): Promise<Bench> {
  const database = await openDatabase({
    path: join(folder, "jobs.db"),
    migrations: [jobMigrations],
  });
  const told: JobSnapshot[] = [];
  const jobs = new Jobs({
    ...{ database, node: "12D3KooWA", name: "node-1", now: () => clock += 1_000 },
    onChange: (job) => told.push(job),
    onFailed: () => undefined,
  });
  return { jobs, told, database };
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function untilAborted(run: JobRun): Promise<void> {
  return new Promise((_, reject) => {
    run.signal.addEventListener("abort", () => reject(run.signal.reason), { once: true });
  });
}

/** Waits for a state that is told of; the runner's own promises decide when. */
async function ends(bench: Bench, id: string): Promise<JobSnapshot> {
  for (let turn = 0; turn < 1_000; turn++) {
    const job = bench.jobs.get(id);
    if (job !== undefined && job.endedAt !== null) return job;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("the job does not end");
}

Deno.test("Jobs.start() runs a job, tells its progress and keeps its end", () =>
  inFolder(async (folder) => {
    const bench = await open(folder);
    const go = Promise.withResolvers<void>();
    const moved = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    bench.jobs.register("count", async (run) => {
      assert.equal(run.params["to"], 9);
      run.report({ note: "3 of 9", bytes: { done: 3, total: 9 }, blocks: { done: 1, total: 3 } });
      run.report({ note: "6 of 9", bytes: { done: 6, total: 9 }, blocks: { done: 2, total: 3 } });
      await go.promise;
      run.report({ note: "9 of 9", bytes: { done: 9, total: 9 } });
      moved.resolve();
      await finish.promise;
    });
    const begun = await bench.jobs.start("count", { what: "counts", params: { to: 9 } });
    assert.equal(begun.state, "running");
    const middle = bench.jobs.get(begun.id);
    assert.deepEqual(middle?.bytes, { done: 6, total: 9 });
    assert.ok(middle.timeLeftMs !== null && middle.timeLeftMs > 0, "a time left is known");
    go.resolve();
    await moved.promise;
    assert.equal(
      bench.jobs.get(begun.id)?.timeLeftMs,
      null,
      "it runs still: no time left is known",
    );
    finish.resolve();
    const done = await ends(bench, begun.id);
    assert.equal(done.state, "done");
    assert.deepEqual([done.bytes, done.timeLeftMs], [{ done: 9, total: 9 }, 0]);
    assert.equal(bench.told.at(-1)?.state, "done");
    await bench.jobs.stop();
    await bench.database.stop();
    const again = await open(folder);
    assert.deepEqual(again.jobs.get(begun.id), done);
    await again.database.stop();
  }));

Deno.test("Jobs keeps what failed, with its code", () =>
  inFolder(async (folder) => {
    const bench = await open(folder);
    bench.jobs.register("fill", () => {
      return Promise.reject(new SkyringError("full", "Cannot fill: no room"));
    });
    const { id } = await bench.jobs.start("fill", { what: "fills" });
    const job = await ends(bench, id);
    assert.equal(job.state, "failed");
    assert.deepEqual(job.error, { code: "full", detail: "Cannot fill: no room" });
    await bench.database.stop();
  }));

Deno.test("Jobs.resume() goes on from the mark after a stop", () =>
  inFolder(async (folder) => {
    const first = await open(folder);
    const marked = Promise.withResolvers<void>();
    first.jobs.register("walk", async (run) => {
      await run.setMark("half", { final: false });
      marked.resolve();
      await untilAborted(run);
    });
    const { id } = await first.jobs.start("walk", { what: "walks", params: { far: true } });
    await marked.promise;
    await first.jobs.stop();
    assert.equal(first.jobs.get(id)?.endedAt, null, "a stop does not end a job");
    await first.database.stop();

    const second = await open(folder);
    const seen = Promise.withResolvers<string>();
    second.jobs.register("walk", (run) => {
      seen.resolve(`${run.mark} ${run.params["far"]}`);
      return Promise.resolve();
    });
    assert.deepEqual(second.jobs.unfinished("walk").map(({ mark }) => mark), ["half"]);
    second.jobs.resume();
    assert.equal(await seen.promise, "half true");
    assert.equal((await ends(second, id)).state, "done");
    await second.database.stop();
  }));

Deno.test("Jobs.cancel() ends a job, until its last mark", () =>
  inFolder(async (folder) => {
    const bench = await open(folder);
    const marked = Promise.withResolvers<void>();
    bench.jobs.register("wait", untilAborted);
    bench.jobs.register("final", async (run) => {
      await run.setMark("gone", { final: true });
      marked.resolve();
      await untilAborted(run);
    });
    const wait = await bench.jobs.start("wait", { what: "waits" });
    assert.equal((await bench.jobs.cancel(wait.id)).state, "cancelled");
    const code = { code: "conflict" };
    await assert.rejects(bench.jobs.cancel(wait.id), code, "twice");
    const final = await bench.jobs.start("final", { what: "goes" });
    await marked.promise;
    assert.equal(bench.jobs.get(final.id)?.cancellable, false);
    await assert.rejects(bench.jobs.cancel(final.id), code, "too far");
    await assert.rejects(bench.jobs.cancel("0123456789abcdef"), { code: "not_found" });
    await bench.jobs.stop();
    await bench.database.stop();
  }));

Deno.test("Jobs.start() refuses more than may be under way, and when stopping", () =>
  inFolder(async (folder) => {
    const bench = await open(folder);
    bench.jobs.register("wait", untilAborted);
    for (let count = 0; count < jobsRunningMax; count++) {
      await bench.jobs.start("wait", { what: "waits" });
    }
    await assert.rejects(bench.jobs.start("wait", { what: "waits" }), { code: "busy" });
    await bench.jobs.stop();
    await assert.rejects(bench.jobs.start("wait", { what: "waits" }), { code: "stopped" });
    await bench.database.stop();
  }));
