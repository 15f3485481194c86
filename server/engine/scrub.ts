// Reads every block back at a set pace and compares it with its CID: what does not match goes to
// quarantine, is wanted from then on, and comes back by repair. In the order of the CIDs, round
// after round; what was read back not long ago is passed over, so a restart costs no second read
// and the longest unread come first of each round.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { collectPageBlocks, scrubAgainMs, scrubBytesPerSecond } from "../../shared/base/limits.ts";
import type { HeldBlock, VerifiableStore } from "../../shared/block/block_store.ts";
import { getVerified } from "../disk/verified_store.ts";
import type { Activity } from "./activity.ts";
import type { Clock } from "./clock.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface ScrubOptions {
  /** Quarantine here must be watched (repair_service.ts), so that a bad block becomes wanted. */
  readonly store: VerifiableStore;
  readonly activity: Pick<Activity, "busy">;
  readonly workers: Pick<Workers, "start">;
  readonly clock: Clock;
  readonly bytesPerSecond?: number;
  readonly againMs?: number;
}

const everyMs = 60_000;
/** Blocks read before the marks are written and the loop turns. */
const stepBlocks = 16;
const busyPauseMs = 500;

/** The loop that reads blocks back. */
export class Scrub {
  readonly #options: ScrubOptions;
  #wake: () => void = () => undefined;
  #after: Cid | undefined;
  #oldest = Infinity;
  #lastRound: { readonly endedAt: number; readonly oldest: number } | undefined;
  #read = 0;
  #bad = 0;

  constructor(options: ScrubOptions) {
    this.#options = options;
  }

  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = this.#options.workers.start({ name: "scrubber", everyMs, step }).wake;
  }

  wake(): void {
    this.#wake();
  }

  /** Blocks found bad since the start. */
  get bad(): number {
    return this.#bad;
  }

  /** When the block that was verified longest ago was, as of the last round; ms since the epoch. */
  get oldestVerifiedAt(): number | undefined {
    return this.#lastRound?.oldest;
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { store, clock, activity } = this.#options;
    if (activity.busy) await clock.sleep(busyPauseMs, signal);
    const page = store.list(this.#after, collectPageBlocks);
    const again = clock.now() - (this.#options.againMs ?? scrubAgainMs);
    const verified: Cid[] = [];
    let bytes = 0;
    for (const held of page) {
      if (signal.aborted || verified.length >= stepBlocks) break;
      this.#after = held.cid;
      if (held.verifiedAt >= again) {
        this.#oldest = Math.min(this.#oldest, held.verifiedAt);
        continue;
      }
      bytes += held.bytes;
      if (await this.#check(held)) verified.push(held.cid);
    }
    await store.markVerified(verified);
    const last = page.at(-1)?.cid;
    const ended = page.length < collectPageBlocks && (last === undefined || this.#after === last);
    if (ended) this.#endRound();
    // Also without bytes to pay for: other work has its turn between two steps.
    await this.#pace(bytes, signal);
    return { more: !ended && !signal.aborted, progress: this.#progress() };
  }

  async #check({ cid }: HeldBlock): Promise<boolean> {
    this.#read++;
    try {
      return await getVerified(this.#options.store, cid) !== undefined;
    } catch (error) {
      if (!(error instanceof SkyringError) || error.code !== "corrupt") throw error;
      this.#bad++; // quarantined: wanted from now on
      return false;
    }
  }

  #endRound(): void {
    const endedAt = this.#options.clock.now();
    this.#lastRound = { endedAt, oldest: Math.min(endedAt, this.#oldest) };
    this.#after = undefined;
    this.#oldest = Infinity;
  }

  async #pace(bytes: number, signal: AbortSignal): Promise<void> {
    const rate = this.#options.bytesPerSecond ?? scrubBytesPerSecond;
    await this.#options.clock.sleep(bytes / rate * 1_000, signal);
  }

  #progress(): string {
    const oldest = this.#lastRound === undefined
      ? "first round under way"
      : `all verified since ${new Date(this.#lastRound.oldest).toISOString()}`;
    return `${oldest}; ${this.#read} blocks read back, ${this.#bad} bad`;
  }
}
