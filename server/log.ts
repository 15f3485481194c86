// Log lines: a time, a level, an event name and fields; as text for people or as JSON, one line
// each. Values from outside are escaped, so that no peer or file name can forge a line.

/** Levels from most to least talkative. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a line can carry. An Error is written with its code, message and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines at or above its level. Event names are lower case with `_`. No method throws. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose lines carry these fields too. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly format: "text" | "json";
  readonly level: LogLevel;
  /** Takes one line without its end. */
  readonly write: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const fieldCharactersMax = 2_000;

/** A log that writes where `options.write` says. @throws never */
export function createLog(options: LogOptions, common: LogFields = {}): Log {
  const least = logLevels.indexOf(options.level);
  const line = (level: LogLevel) => (event: string, fields: LogFields = {}) => {
    if (logLevels.indexOf(level) < least) return;
    const at = new Date(options.now()).toISOString();
    const all = Object.entries({ ...common, ...fields }).filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, plain(value)] as const);
    options.write(
      options.format === "json"
        ? JSON.stringify({ at, level, event, ...Object.fromEntries(all) })
        : [at, level.padEnd(5), event, ...all.map(([name, value]) => `${name}=${asText(value)}`)]
          .join(" "),
    );
  };
  return {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    with: (fields) => createLog(options, { ...common, ...fields }),
  };
}

/** A log that writes to standard error. @throws never */
export function createStderrLog(options: Pick<LogOptions, "format" | "level">): Log {
  const encoder = new TextEncoder();
  const write = (line: string) => {
    const bytes = encoder.encode(`${line}\n`);
    try {
      for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
    } catch {
      // Nobody reads standard error any more: a node does not stop for its log.
    }
  };
  return createLog({ ...options, write, now: () => Date.now() });
}

type Plain = string | number | boolean | null;

function plain(value: unknown): Plain {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  const text = value instanceof Error ? errorText(value) : asString(value);
  return text.length > fieldCharactersMax ? `${text.slice(0, fieldCharactersMax)}...` : text;
}

function asString(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object") return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return String(value); // a cycle or a bigint inside
  }
}

function errorText(error: Error, depth = 0): string {
  const code = "code" in error ? `${String(error.code)}: ` : "";
  const inner = error.cause instanceof Error && depth < 4
    ? ` <- ${errorText(error.cause, depth + 1)}`
    : "";
  return `${code}${error.message}${inner}`;
}

/** Bare when it is one word; else quoted, with control characters escaped. */
function asText(value: Plain): string {
  const text = String(value);
  return /^[\w.:/@+,%-]+$/.test(text) ? text : JSON.stringify(text);
}
