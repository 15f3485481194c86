// How fast one peer may ask about blocks: so many a second, with some at once after a rest. Asks
// beyond it are not refused, they are read later: the reader stops until they are paid for.
// Source: the token bucket of RFC 2697, single rate.

/** The pace of one peer. Milliseconds of one clock. */
export class AskPace {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #at: number;

  constructor(pace: { readonly perSecond: number; readonly burst: number; readonly now: number }) {
    this.#perSecond = pace.perSecond;
    this.#burst = pace.burst;
    this.#left = pace.burst;
    this.#at = pace.now;
  }

  /** Notes `asks` about a block each. @returns milliseconds to wait before the next is read */
  take(asks: number, now: number): number {
    const earned = Math.max(0, now - this.#at) * this.#perSecond / 1_000;
    this.#at = now;
    this.#left = Math.min(this.#burst, this.#left + earned) - asks;
    return this.#left >= 0 ? 0 : -this.#left * 1_000 / this.#perSecond;
  }
}
