// Background loops, each with a row that the API and the dashboard show: what it does, how far it
// is, its last error; and the means to pause it. A loop is a `step` that does one bounded piece of
// work; it runs again at once while it says so, else after `everyMs` or when woken. A step that
// throws is logged, shown, and tried again after a growing delay: no loop dies silently.
// Idea: garage's worker table (src/util/background).

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { WorkerSnapshot } from "../../shared/status.ts";

/** What one step did: `more` runs the next at once. */
export interface StepReport {
  readonly more: boolean;
  /** In plain words, with numbers: "120 of 3,000 blocks". */
  readonly progress: string;
}

export interface WorkerOptions {
  readonly name: string;
  readonly everyMs: number;
  readonly step: (signal: AbortSignal) => Promise<StepReport>;
}

/** A running loop. */
export interface WorkerHandle {
  /** Runs a step now, or once more when one is running. */
  wake(): void;
}

/** Told of every failed step. */
export type WorkerFailed = (name: string, error: unknown) => void;

const errorDelayMsMax = 60_000;

/** All loops of one node; start after what they use, stop before it. */
export class Workers {
  readonly #loops = new Map<string, Loop>();
  readonly #onFailed: WorkerFailed;

  constructor(onFailed: WorkerFailed) {
    this.#onFailed = onFailed;
  }

  /** Starts a loop. Names are unique. */
  start(options: WorkerOptions): WorkerHandle {
    if (this.#loops.has(options.name)) {
      throw new SkyringError("internal", `Cannot start worker ${options.name}: it runs already`);
    }
    const loop = new Loop(options, this.#onFailed);
    this.#loops.set(options.name, loop);
    return { wake: () => loop.wake() };
  }

  /** Pauses or resumes a loop; false when there is none of that name. */
  setPaused(name: string, paused: boolean): boolean {
    const loop = this.#loops.get(name);
    loop?.setPaused(paused);
    return loop !== undefined;
  }

  snapshot(): WorkerSnapshot[] {
    return [...this.#loops.values()].map((loop) => loop.snapshot());
  }

  /** Ends all loops; resolves when their running steps have returned. */
  async stop(): Promise<void> {
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop()));
  }
}

class Loop {
  readonly #options: WorkerOptions;
  readonly #onFailed: WorkerFailed;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #paused = false;
  #running = false;
  #woken = false;
  #progress = "not run yet";
  #failures = 0;
  #lastError: string | null = null;
  #lastErrorAt: number | null = null;
  #ring: () => void = () => undefined;

  constructor(options: WorkerOptions, onFailed: WorkerFailed) {
    this.#options = options;
    this.#onFailed = onFailed;
    this.#ended = this.#run();
  }

  wake(): void {
    this.#woken = true;
    this.#ring();
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.wake();
  }

  snapshot(): WorkerSnapshot {
    const state = this.#paused
      ? "paused"
      : this.#failures > 0
      ? "failed"
      : this.#running
      ? "running"
      : "idle";
    return {
      name: this.#options.name,
      state,
      progress: this.#progress,
      lastError: this.#lastError,
      lastErrorAt: this.#lastErrorAt,
    };
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#ring();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const more = this.#paused ? false : await this.#step(signal);
      if (!more && !signal.aborted) await this.#rest();
    }
  }

  async #step(signal: AbortSignal): Promise<boolean> {
    this.#running = true;
    this.#woken = false;
    try {
      const report = await this.#options.step(signal);
      this.#progress = report.progress;
      this.#failures = 0;
      return report.more || this.#woken;
    } catch (error) {
      if (signal.aborted) return false;
      this.#failures++;
      this.#lastError = messageOf(error);
      this.#lastErrorAt = Date.now();
      this.#onFailed(this.#options.name, error);
      return false;
    } finally {
      this.#running = false;
    }
  }

  /** Waits for the interval, longer after failures, or until woken. */
  async #rest(): Promise<void> {
    if (this.#woken && this.#failures === 0 && !this.#paused) return;
    const delay = Math.min(
      errorDelayMsMax,
      this.#options.everyMs * 2 ** Math.min(this.#failures, 6),
    );
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#ring = () => undefined;
  }
}
