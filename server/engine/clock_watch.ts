// Compares this node's clock with the members' now and then. A node whose clock differs from more
// than half of those that answer says so and stamps nothing: its changes would be refused by the
// others, or would come before older ones. A jump of the clock is noticed before the next change.
//
// Of two nodes that differ nobody can tell which is wrong: both say so.

import { SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import { stampAheadMsMax } from "../../shared/base/limits.ts";
import { formatDuration } from "../../shared/base/units.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface ClockWatchOptions {
  /** Members that can be asked now, this node left out. */
  readonly peers: () => readonly NodeId[];
  /** A member's time in ms since the epoch; undefined when it did not answer. */
  readonly ask: (peer: NodeId, signal: AbortSignal) => Promise<number | undefined>;
  readonly workers: Pick<Workers, "start">;
  /** Milliseconds since the epoch, and milliseconds that never go back. */
  readonly now: () => number;
  readonly monotonic: () => number;
}

const everyMs = 5_000;
const askedMax = 7;
/** Half of what others refuse: who is refused has been told why before. */
const offMsMin = stampAheadMsMax / 2;

/** The watch. check() tells what is wrong; the loop keeps it up to date. */
export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #wake: () => void = () => undefined;
  /** Wall clock less monotonic clock, as of the last comparison; undefined before the first. */
  #base: number | undefined;
  /** How far this clock is ahead of the others, when it is off. */
  #aheadMs: number | undefined;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = this.#options.workers.start({ name: "clock watch", everyMs, step }).wake;
  }

  /** Compares soon: a member came. @throws never */
  wake(): void {
    this.#wake();
  }

  /** What is wrong with the clock, in plain words; undefined when nothing is known to be. */
  fault(): string | undefined {
    if (this.#aheadMs !== undefined) {
      const by = formatDuration(Math.abs(this.#aheadMs));
      const way = this.#aheadMs > 0 ? "ahead of" : "behind";
      return `clock off: it is ${by} ${way} the other nodes' clocks`;
    }
    if (this.#options.peers().length === 0) return undefined;
    if (this.#base === undefined) return "its clock is being compared with the others'";
    const jump = this.#drift() - this.#base;
    if (Math.abs(jump) < offMsMin) return undefined;
    this.#wake();
    return `clock off: it jumped by ${formatDuration(Math.abs(jump))} and is being compared`;
  }

  /** @throws {SkyringError} clock_off */
  assertRight(): void {
    const fault = this.fault();
    if (fault === undefined) return;
    throw new SkyringError("clock_off", `Cannot change anything through this node: ${fault}`, {
      data: { aheadMs: Math.round(this.#aheadMs ?? 0), limit: stampAheadMsMax },
      retriable: true,
    });
  }

  #drift(): number {
    return this.#options.now() - this.#options.monotonic();
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { peers, ask, now, monotonic } = this.#options;
    const asked = peers().slice(0, askedMax);
    const ahead = (await Promise.all(asked.map(async (peer) => {
      const from = monotonic();
      const at = await ask(peer, signal);
      if (at === undefined) return undefined;
      return now() - at - (monotonic() - from) / 2;
    }))).filter((one) => one !== undefined).sort((one, other) => one - other);
    if (ahead.length === 0) {
      if (asked.length === 0) this.#base = this.#drift();
      return { more: false, progress: "nobody to compare with" };
    }
    const off = ahead.filter((ms) => Math.abs(ms) > offMsMin);
    const median = ahead[Math.floor(ahead.length / 2)] ?? 0;
    this.#aheadMs = off.length * 2 > ahead.length ? median : undefined;
    this.#base = this.#drift();
    const progress = `${Math.round(median)} ms ahead of ${ahead.length} others`;
    return { more: false, progress };
  }
}
