// Bytes given and taken, in all and in each of the last seconds, and how late this worker's own
// clock runs: a browser that slows a tab down shows there first.

const secondsKept = 60;
/** Rates are means over so many seconds. */
const rateSeconds = 5;
/** A tick this late is an ordinary busy moment. */
const lateMinMs = 1_500;

/** Counts; tick() once a second. */
export class Meter {
  #taken = 0;
  #given = 0;
  #takenNow = 0;
  #givenNow = 0;
  readonly #takenSeries: number[] = [];
  readonly #givenSeries: number[] = [];
  #lateMs = 0;
  #tickedAt: number | undefined;

  addTaken(bytes: number): void {
    this.#taken += bytes;
    this.#takenNow += bytes;
  }

  addGiven(bytes: number): void {
    this.#given += bytes;
    this.#givenNow += bytes;
  }

  /** Ends a second. @param now milliseconds of any clock that does not jump */
  tick(now: number): void {
    push(this.#takenSeries, this.#takenNow);
    push(this.#givenSeries, this.#givenNow);
    this.#takenNow = 0;
    this.#givenNow = 0;
    const late = this.#tickedAt === undefined ? 0 : now - this.#tickedAt - 1_000;
    this.#tickedAt = now;
    // Fades, so that one pause does not stay on the page for ever.
    this.#lateMs = Math.max(late > lateMinMs ? late : 0, this.#lateMs * 0.9);
    if (this.#lateMs < lateMinMs / 2) this.#lateMs = 0;
  }

  read() {
    return {
      given: this.#given,
      taken: this.#taken,
      givenRate: mean(this.#givenSeries),
      takenRate: mean(this.#takenSeries),
      series: [[...this.#takenSeries], [...this.#givenSeries]] as const,
      lateMs: Math.round(this.#lateMs),
    };
  }
}

function push(series: number[], value: number): void {
  series.push(value);
  if (series.length > secondsKept) series.shift();
}

function mean(series: readonly number[]): number {
  const last = series.slice(-rateSeconds);
  return last.length === 0 ? 0 : last.reduce((sum, value) => sum + value, 0) / last.length;
}
