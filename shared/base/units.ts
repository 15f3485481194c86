// Sizes, durations, rates and times left: read from settings and queries, and written for people.
// The API speaks bytes and milliseconds; people write `512MiB` or `2GB` and read GB (10^9) and
// GiB (2^30), told apart always. Fractions are read (`1.5GiB`) and rounded to whole units.

/** A number read from text; undefined when the text is none. */
type Read = number | undefined;

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  pb: 1e15,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  pib: 2 ** 50,
};

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Examples for messages about a size or a duration that cannot be read. */
export const sizeExamples = "a size such as 512MiB, 2GB or a number of bytes";
export const durationExamples = "a duration such as 500ms, 30s, 10m, 24h or 7d";

/** Reads a size: a number with B, kB ... PB, KiB ... PiB or nothing, in any case. @returns bytes */
export function parseSize(text: string): Read {
  return readWithUnit(text, byteUnits);
}

/** Reads a duration: a number with ms, s, m, h or d; 0 needs no unit. @returns milliseconds */
export function parseDuration(text: string): Read {
  return text.trim() === "0" ? 0 : readWithUnit(text, durationUnits);
}

function readWithUnit(text: string, units: Readonly<Record<string, number>>): Read {
  const match = /^(\d{1,16}(?:\.\d{1,6})?)\s?([a-z]*)$/i.exec(text.trim());
  const unit = units[match?.[2]?.toLowerCase() ?? "?"];
  if (match?.[1] === undefined || unit === undefined) return undefined;
  const value = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Bytes in units of 1000 for people: `0 B`, `999 B`, `1.50 GB`. @param bytes finite, 0 or more */
export function formatSize(bytes: number): string {
  return scaled(bytes, 1_000, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

/** Bytes in units of 1024 for people: `1.50 GiB`. @param bytes finite, 0 or more */
export function formatBinarySize(bytes: number): string {
  return scaled(bytes, 1_024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
}

/** A count with its noun: `1 zone`, `2 zones`. @param noun takes an s in the plural */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A rate for people: `12.3 MB/s`. @param bytesPerSecond finite, 0 or more */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}

/** Three digits at least where there is a fraction, never `1000 kB` for 1 MB. */
function scaled(value: number, base: number, units: readonly string[]): string {
  let rank = 0;
  let rest = value;
  while (rank < units.length - 1 && Number(rest.toFixed(digitsFor(rest, rank))) >= base) {
    rest /= base;
    rank++;
  }
  return `${rest.toFixed(digitsFor(rest, rank))} ${units[rank]}`;
}

function digitsFor(value: number, rank: number): number {
  if (rank === 0 || value >= 100) return 0;
  return value >= 10 ? 1 : 2;
}

/** A duration for people, two units at most: `250 ms`, `12 s`, `3 m 20 s`, `2 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  const parts: ReadonlyArray<readonly [number, string]> = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** Time left at a rate: `3 m 20 s left`, or `time left unknown` while nothing moves. */
export function formatTimeLeft(bytesLeft: number, bytesPerSecond: number): string {
  if (bytesLeft <= 0) return "0 s left";
  if (!(bytesPerSecond > 0)) return "time left unknown";
  return `${formatDuration(Math.max(1_000, (bytesLeft / bytesPerSecond) * 1_000))} left`;
}
