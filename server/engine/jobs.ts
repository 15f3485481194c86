// Long work of this node: each job has a row in the database, a runner that does it, and progress
// that everyone may see. After a restart unfinished jobs are run again from their last mark; a
// runner is written so that doing it again does no harm.
//
// Invariants: a job is in the database before it begins and its end before it is told; ended
// jobs are kept up to a limit; an abort by stop() leaves the job unfinished, by cancel() ends it.

import * as v from "valibot";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { jobsKeptMax, jobsRunningMax } from "../../shared/base/limits.ts";
import { jobEnded, type JobSnapshot, type JobState } from "../../shared/job.ts";
import type { Database, Migrations } from "../disk/database.ts";

/** The jobs' table, for openDatabase(). */
export const jobMigrations: Migrations = {
  name: "jobs",
  steps: [
    "CREATE TABLE job (id TEXT PRIMARY KEY, started INTEGER NOT NULL, snapshot TEXT NOT NULL, " +
    "params TEXT NOT NULL, mark TEXT NOT NULL) WITHOUT ROWID",
  ],
};

/** What a job needs to be run again: plain JSON, strings and numbers only. */
export type JobParams = Readonly<Record<string, string | number | boolean>>;

/** How far a job is; what is left out stays as it was. */
export interface JobReport {
  readonly note?: string;
  readonly state?: "waiting" | "running";
  readonly blocks?: { readonly done: number; readonly total: number };
  readonly bytes?: { readonly done: number; readonly total: number };
}

/** What a runner is given. */
export interface JobRun {
  readonly id: string;
  readonly params: JobParams;
  /** Aborts when the job is cancelled or the node stops. */
  readonly signal: AbortSignal;
  /** The mark set last, "" at first: where a run after a restart goes on. */
  readonly mark: string;
  report(report: JobReport): void;
  /** Sets the mark, durably; from `final` on the job cannot be cancelled. */
  setMark(mark: string, options: { readonly final: boolean }): Promise<void>;
}

/** Does a job of one kind; resolves when it is done, rejects when it failed. */
export type JobRunner = (run: JobRun) => Promise<void>;

export interface JobsOptions {
  readonly database: Database;
  /** This node: id and name. */
  readonly node: string;
  readonly name: string;
  readonly now: () => number;
  /** Told of every change worth showing. Must not throw. */
  readonly onChange: (job: JobSnapshot) => void;
  readonly onFailed: (job: JobSnapshot, error: unknown) => void;
}

interface Job {
  snapshot: JobSnapshot;
  readonly params: JobParams;
  mark: string;
  readonly abort: AbortController;
  cancelled: boolean;
  ended: Promise<void>;
  shownAt: number;
  /** Bytes done when this run began to count: for the time left. */
  base: { readonly at: number; readonly bytes: number } | undefined;
}

/** Progress is told this often at most; changes of state at once. */
const showMs = 500;
const paramsShape = v.record(v.string(), v.union([v.string(), v.number(), v.boolean()]));

/** The jobs of one node: make, register(), resume(), then start() what comes. */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #runners = new Map<string, JobRunner>();
  readonly #jobs = new Map<string, Job>();
  #stopping = false;

  /** Loads all rows; nothing runs before resume(). @throws {SkyringError} corrupt */
  constructor(options: JobsOptions) {
    this.#options = options;
    const rows = options.database.read<{ snapshot: string; params: string; mark: string }>(
      "SELECT snapshot, params, mark FROM job ORDER BY started",
    );
    for (const { snapshot, params, mark } of rows) {
      const job = jobOf(JSON.parse(snapshot) as JobSnapshot, {
        params: v.parse(paramsShape, JSON.parse(params)),
        mark,
      });
      this.#jobs.set(job.snapshot.id, job);
    }
  }

  /** Says how jobs of a kind are done. */
  register(kind: string, runner: JobRunner): void {
    this.#runners.set(kind, runner);
  }

  /** Runs again what an earlier process left unfinished. */
  resume(): void {
    for (const job of this.#jobs.values()) if (!jobEnded(job.snapshot)) this.#run(job);
  }

  /** Begins a job; it is durable when this resolves. @throws {SkyringError} busy, stopped */
  async start(
    kind: string,
    { what, params = {} }: { readonly what: string; readonly params?: JobParams },
  ): Promise<JobSnapshot> {
    if (this.#stopping) throw new SkyringError("stopped", `Cannot begin ${kind}: node is stopping`);
    const running = this.unfinished().length;
    if (running >= jobsRunningMax) {
      throw new SkyringError("busy", `Cannot begin ${kind}: ${running} jobs are under way`, {
        data: { limit: jobsRunningMax },
        retriable: true,
      });
    }
    const { node, name, now } = this.#options;
    const at = now();
    const none = { done: 0, total: 0 };
    const job = jobOf({
      ...{ id: randomId(), kind, what, node, name, state: "running", note: "begins" },
      ...{ blocks: none, bytes: none, timeLeftMs: null, error: null, cancellable: true },
      ...{ startedAt: at, updatedAt: at, endedAt: null },
    }, { params, mark: "" });
    this.#jobs.set(job.snapshot.id, job);
    try {
      await this.#save(job);
    } catch (error) {
      this.#jobs.delete(job.snapshot.id);
      throw error;
    }
    this.#options.onChange(job.snapshot);
    this.#run(job);
    await this.#forgetOld();
    return job.snapshot;
  }

  /** All jobs, in the order of their start. */
  list(): JobSnapshot[] {
    return [...this.#jobs.values()].map(({ snapshot }) => snapshot);
  }

  get(id: string): JobSnapshot | undefined {
    return this.#jobs.get(id)?.snapshot;
  }

  /** The jobs of a kind, or of any, that have not ended, with their marks. */
  unfinished(kind?: string): { readonly snapshot: JobSnapshot; readonly mark: string }[] {
    return [...this.#jobs.values()].filter(({ snapshot }) =>
      !jobEnded(snapshot) && (kind === undefined || snapshot.kind === kind)
    );
  }

  /**
   * Takes a job back; resolves when its runner has ended.
   * @throws {SkyringError} not_found, conflict
   */
  async cancel(id: string): Promise<JobSnapshot> {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new SkyringError("not_found", "Cannot find that job");
    const { what, state, cancellable } = job.snapshot;
    if (jobEnded(job.snapshot) || !cancellable) {
      const why = cancellable || jobEnded(job.snapshot) ? `it is ${state}` : "it went too far";
      throw new SkyringError("conflict", `Cannot cancel "${what}": ${why}`, { data: { id } });
    }
    job.cancelled = true;
    job.abort.abort();
    await job.ended;
    return job.snapshot;
  }

  /** Ends all runs, unfinished; resolves when their runners have returned. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const job of this.#jobs.values()) job.abort.abort();
    await Promise.all([...this.#jobs.values()].map(({ ended }) => ended));
  }

  #run(job: Job): void {
    const runner = this.#runners.get(job.snapshot.kind);
    job.ended = this.#carry(job, runner).catch((error) => {
      this.#options.onFailed(job.snapshot, error);
    });
  }

  async #carry(job: Job, runner: JobRunner | undefined): Promise<void> {
    try {
      if (runner === undefined) {
        throw new SkyringError("conflict", "Cannot go on: this version knows no such job");
      }
      await runner({
        id: job.snapshot.id,
        params: job.params,
        signal: job.abort.signal,
        mark: job.mark,
        report: (report) => this.#report(job, report),
        setMark: (mark, { final }) => this.#setMark(job, { mark, final }),
      });
      await this.#end(job, { state: "done", error: null });
    } catch (error) {
      if (job.cancelled) return await this.#end(job, { state: "cancelled", error: null });
      if (this.#stopping) return;
      this.#options.onFailed(job.snapshot, error);
      const code = error instanceof SkyringError ? error.code : "internal";
      const detail = messageOf(error).slice(0, 1_024);
      await this.#end(job, { state: "failed", error: { code, detail } });
    }
  }

  #report(job: Job, report: JobReport): void {
    const before = job.snapshot;
    const bytes = report.bytes ?? before.bytes;
    const now = this.#options.now();
    job.base ??= { at: now, bytes: bytes.done };
    job.snapshot = {
      ...before,
      ...report,
      note: (report.note ?? before.note).slice(0, 512),
      updatedAt: now,
      timeLeftMs: timeLeft(bytes, job.base, now),
    };
    const changed = before.state !== job.snapshot.state;
    if (!changed && now - job.shownAt < showMs) return;
    job.shownAt = now;
    this.#options.onChange(job.snapshot);
  }

  async #setMark(
    job: Job,
    { mark, final }: { readonly mark: string; readonly final: boolean },
  ): Promise<void> {
    job.abort.signal.throwIfAborted();
    const before = { mark: job.mark, snapshot: job.snapshot };
    job.mark = mark;
    job.snapshot = { ...job.snapshot, cancellable: job.snapshot.cancellable && !final };
    try {
      await this.#save(job);
    } catch (error) {
      Object.assign(job, before);
      throw error;
    }
  }

  async #end(
    job: Job,
    end: { readonly state: JobState; readonly error: JobSnapshot["error"] },
  ): Promise<void> {
    const at = this.#options.now();
    const { blocks, bytes, note } = job.snapshot;
    const done = end.state === "done";
    const snapshot: JobSnapshot = {
      ...job.snapshot,
      ...end,
      ...(done ? { blocks: whole(blocks), bytes: whole(bytes), timeLeftMs: 0 } : {}),
      note: end.error?.detail.slice(0, 512) ?? note,
      cancellable: false,
      updatedAt: at,
      endedAt: at,
    };
    await this.#save({ ...job, snapshot });
    job.snapshot = snapshot;
    this.#options.onChange(snapshot);
  }

  async #save(
    { snapshot, params, mark }: Pick<Job, "snapshot" | "params" | "mark">,
  ): Promise<void> {
    const sql = "INSERT OR REPLACE INTO job (id, started, snapshot, params, mark) " +
      "VALUES (?, ?, ?, ?, ?)";
    await this.#options.database.write([{
      sql,
      params: [
        snapshot.id,
        snapshot.startedAt,
        JSON.stringify(snapshot),
        JSON.stringify(params),
        mark,
      ],
    }]);
  }

  async #forgetOld(): Promise<void> {
    const ended = [...this.#jobs.values()].filter(({ snapshot }) => jobEnded(snapshot));
    const old = ended.slice(0, Math.max(0, ended.length - jobsKeptMax));
    for (const { snapshot: { id } } of old) {
      this.#jobs.delete(id);
      await this.#options.database.write([{ sql: "DELETE FROM job WHERE id = ?", params: [id] }]);
    }
  }
}

function jobOf(
  snapshot: JobSnapshot,
  { params, mark }: { readonly params: JobParams; readonly mark: string },
): Job {
  return {
    ...{ snapshot, params, mark, cancelled: false, shownAt: 0, base: undefined },
    abort: new AbortController(),
    ended: Promise.resolve(),
  };
}

function whole({ done, total }: { readonly done: number; readonly total: number }) {
  const most = Math.max(done, total);
  return { done: most, total: most };
}

/** By the mean rate of this run; null before there is one. */
function timeLeft(
  bytes: { readonly done: number; readonly total: number },
  base: { readonly at: number; readonly bytes: number },
  now: number,
): number | null {
  const moved = bytes.done - base.bytes;
  const left = bytes.total - bytes.done;
  // Nothing left to move is not the end: what follows has no rate.
  if (left <= 0 || moved <= 0 || now <= base.at) return null;
  return Math.round(left / moved * (now - base.at));
}

function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
