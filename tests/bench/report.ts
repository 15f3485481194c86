// What the bench found: rows for people, the same rows as JSON.

/** One figure. `note` says what it is compared with, or how many it is made of. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly note?: string;
}

/** Collects rows and prints each as it comes. */
export class Report {
  readonly #rows: Row[] = [];

  add(name: string, value: number, unit: string, note?: string): void {
    const row = { name, value, unit, ...(note === undefined ? {} : { note }) };
    this.#rows.push(row);
    const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    const figure = `${value.toFixed(digits)} ${unit}`;
    console.log(`${name.padEnd(46)} ${figure.padStart(16)}  ${note ?? ""}`.trimEnd());
  }

  heading(text: string): void {
    console.log(`\n${text}`);
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }
}

/** The value below which `share` of the sorted values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
