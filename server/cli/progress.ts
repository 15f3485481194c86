// Progress of a transfer: a moving bar with rate and time left on a terminal, a plain line every
// few seconds elsewhere. The rate is smoothed over some seconds, so that the time left does not
// jump; bytes that were there before (a resumed part) count as done, not as transferred.

import { formatRate, formatSize, formatTimeLeft } from "../../shared/base/units.ts";
import type { Terminal } from "./terminal.ts";

const redrawMs = 100;
const plainLineMs = 5_000;
/** A sample this old weighs e times less than a new one. */
const smoothingMs = 4_000;

/** One transfer, of one file or many. */
export interface Progress {
  /** Bytes moved just now. */
  add(bytes: number): void;
  /** Bytes that need not move: they were here already. */
  skip(bytes: number): void;
  /** What is done now, for people: `3 of 120 files`. */
  label(text: string): void;
  /** Clears the bar. May be called twice. */
  end(): void;
}

export interface ProgressOptions {
  readonly label: string;
  /** Bytes in all; undefined when unknown (standard input). */
  readonly total: number | undefined;
  readonly terminal: Pick<Terminal, "errorIsTerminal" | "columns" | "quiet" | "json" | "complain">;
  /** Milliseconds of any steady clock. */
  readonly now: () => number;
}

/** Shows nothing when the terminal is quiet, nor with --json when nobody watches. @throws never */
export function startProgress(options: ProgressOptions): Progress {
  const { terminal, total, now } = options;
  const hidden = terminal.quiet || (terminal.json && !terminal.errorIsTerminal);
  const meter = createMeter(now);
  let { label } = options;
  let ended = false;
  let shownAt = terminal.errorIsTerminal ? -Infinity : now();
  const show = (force: boolean) => {
    const every = terminal.errorIsTerminal ? redrawMs : plainLineMs;
    if (hidden || ended || (!force && now() - shownAt < every)) return;
    shownAt = now();
    const line = progressLine({ label, total, ...meter.read() }, terminal);
    terminal.complain(terminal.errorIsTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  };
  show(terminal.errorIsTerminal);
  return {
    add: (bytes) => {
      meter.add(bytes);
      show(false);
    },
    skip: (bytes) => {
      meter.skip(bytes);
      show(false);
    },
    label: (text) => {
      label = text;
      show(false);
    },
    end: () => {
      if (!ended && !hidden && terminal.errorIsTerminal) terminal.complain("\r\x1b[K");
      ended = true;
    },
  };
}

interface Reading {
  readonly done: number;
  readonly bytesPerSecond: number;
}

function createMeter(now: () => number) {
  const startedAt = now();
  let done = 0;
  let moved = 0;
  let rate: number | undefined;
  let sampledAt = startedAt;
  let sampledMoved = 0;
  const sample = () => {
    const elapsed = now() - sampledAt;
    if (elapsed < redrawMs) return;
    const latest = ((moved - sampledMoved) / elapsed) * 1_000;
    const weight = 1 - Math.exp(-elapsed / smoothingMs);
    rate = rate === undefined ? latest : rate + (latest - rate) * weight;
    [sampledAt, sampledMoved] = [now(), moved];
  };
  return {
    add: (bytes: number) => {
      done += bytes;
      moved += bytes;
      sample();
    },
    skip: (bytes: number) => {
      done += bytes;
    },
    read: (): Reading => {
      sample();
      return { done, bytesPerSecond: rate ?? 0 };
    },
  };
}

/**
 * One line: label, bar or not, bytes, rate, time left. Where it does not fit, the bar goes first,
 * then the percentage, then the rate: what is left to wait stays longest. @throws never
 */
export function progressLine(
  state: Reading & { readonly label: string; readonly total: number | undefined },
  terminal: { readonly errorIsTerminal: boolean; readonly columns: number },
): string {
  const { done, total, bytesPerSecond, label } = state;
  const rate = formatRate(bytesPerSecond);
  const width = Math.max(10, terminal.columns - 1);
  if (total === undefined) return cut(`${label}  ${formatSize(done)}  ${rate}`, terminal, width);
  const parts = [
    label,
    ...(terminal.errorIsTerminal ? [bar(done, total)] : []),
    `${percent(done, total)} %`,
    `${formatSize(done)} of ${formatSize(total)}`,
    rate,
    formatTimeLeft(total - done, bytesPerSecond),
  ];
  const shown = [parts, without(parts, 1), without(parts, 1, 2), without(parts, 1, 2, 4)]
    .map((some) => some.join("  "));
  const line = shown.find((text) => text.length <= width) ?? shown.at(-1) ?? label;
  return terminal.errorIsTerminal ? cut(line, terminal, width) : parts.join("  ");
}

const without = (parts: readonly string[], ...places: readonly number[]) =>
  parts.filter((_, place) => !places.includes(place));

const cut = (line: string, terminal: { readonly errorIsTerminal: boolean }, width: number) =>
  terminal.errorIsTerminal ? line.slice(0, width) : line;

/** Whole percents, 100 only when all is done. */
function percent(done: number, total: number): number {
  return total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
}

function bar(done: number, total: number): string {
  const cells = 20;
  const filled = Math.floor((percent(done, total) / 100) * cells);
  return `[${"=".repeat(filled)}${" ".repeat(cells - filled)}]`;
}
