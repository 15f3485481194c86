// Where a command writes: results to standard output, progress and complaints to standard error.
// With --json a command writes one JSON document and nothing else to standard output.

/** Nobody reads what a command writes any more: it ends without a word, as `ls | head` does. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}

/** The two streams of a command, and how it was told to use them. */
export interface Terminal {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether standard error is a terminal: bars there, plain lines elsewhere. */
  readonly errorIsTerminal: boolean;
  readonly columns: number;
  /** A line for people; dropped with --json. */
  say(line: string): void;
  /** The result as data; dropped without --json. */
  give(value: unknown): void;
  /** Raw bytes of a file. */
  writeBytes(bytes: Uint8Array): Promise<void>;
  /** Text to standard error, as it is. */
  complain(text: string): void;
}

/** Writes to the process's own streams. */
export function createTerminal(options: { json: boolean; quiet: boolean }): Terminal {
  const encoder = new TextEncoder();
  const errorIsTerminal = Deno.stderr.isTerminal();
  return {
    ...options,
    errorIsTerminal,
    columns: errorIsTerminal ? columnsOf() : 80,
    say: (line) => {
      if (!options.json) writeSync(Deno.stdout, encoder.encode(`${line}\n`));
    },
    give: (value) => {
      if (options.json) writeSync(Deno.stdout, encoder.encode(`${JSON.stringify(value)}\n`));
    },
    writeBytes: async (bytes) => {
      try {
        for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
      } catch (error) {
        throw writeFailure(error);
      }
    },
    complain: (text) => writeSync(Deno.stderr, encoder.encode(text)),
  };
}

function columnsOf(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // a terminal without a size
  }
}

function writeSync(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    throw writeFailure(error);
  }
}

function writeFailure(error: unknown): unknown {
  if (!(error instanceof Deno.errors.BrokenPipe)) return error;
  return new ReaderGone("Cannot write: the reader has gone", { cause: error });
}

/** Rows as aligned columns, the last one left ragged. @throws never */
export function tableLines(rows: ReadonlyArray<readonly string[]>): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row.map((cell, column) => column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))
      .join("  ")
  );
}

/** Text from elsewhere, safe for a terminal: control characters are shown as `?`. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what must not reach the terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?");
}
