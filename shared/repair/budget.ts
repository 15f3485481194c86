// How fast repair may go: a token bucket in bytes. It may go into debt by one block, so that a
// block larger than the bucket still passes, and the debt is paid by waiting: over any time the
// rate holds. Foreground work lowers the rate while it lasts; it never stops repair for good.

/** Bytes a second for repair, and while pushes and pulls run here. */
export interface BudgetRates {
  readonly bytesPerSecond: number;
  readonly busyBytesPerSecond: number;
}

/** Bytes that may pass at once after a rest: a tenth of a second's worth. */
const burstSeconds = 0.1;

/** A token bucket. Times are ms and may jump: a jump back gives nothing. */
export class Budget {
  readonly #rates: BudgetRates;
  #bytes = 0;
  #at: number | undefined;

  constructor(rates: BudgetRates) {
    this.#rates = rates;
  }

  /**
   * Milliseconds to wait before anything may pass; 0 when something may now.
   * @param busy whether foreground work is going on @throws never
   */
  waitMs(now: number, busy: boolean): number {
    const rate = this.#rate(busy);
    if (rate === Infinity) return 0;
    this.#refill(now, rate);
    return this.#bytes > 0 ? 0 : Math.ceil((1 - this.#bytes) / rate * 1_000);
  }

  /** Takes bytes that pass now. @throws never */
  take(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Gives back what was taken and did not pass. @throws never */
  giveBack(bytes: number): void {
    this.#bytes += bytes;
  }

  #rate(busy: boolean): number {
    const { bytesPerSecond, busyBytesPerSecond } = this.#rates;
    const rate = busy ? Math.min(bytesPerSecond, busyBytesPerSecond) : bytesPerSecond;
    // What passed at full speed is no debt.
    if (rate === Infinity) this.#bytes = 0;
    return rate;
  }

  #refill(now: number, rate: number): void {
    const passed = this.#at === undefined ? 1_000 : Math.max(0, now - this.#at);
    this.#at = now;
    this.#bytes = Math.min(rate * burstSeconds, this.#bytes + rate * passed / 1_000);
  }
}
