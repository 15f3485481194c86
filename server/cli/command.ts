// What every verb gets, and how many transfers run at once.

import type { ApiClient } from "./api_client.ts";
import type { CliArguments } from "./cli_arguments.ts";
import type { ExitCode } from "./cli_failure.ts";
import type { Terminal } from "./terminal.ts";

/** One run of one verb. */
export interface Command {
  readonly args: CliArguments;
  readonly client: ApiClient;
  readonly terminal: Terminal;
  /** Where the user stands: relative paths are relative to it. */
  readonly userFolder: string;
  readonly signal: AbortSignal;
  /** Milliseconds of a steady clock. */
  readonly now: () => number;
}

/** Does it, and says how it ended. @throws {CliFailure} */
export type Verb = (command: Command) => Promise<ExitCode>;

/** Files moved at once in a folder: hides latency, keeps memory small. */
export const transfersAtOnce = 8;

/**
 * Runs `work` over the items, at most `transfersAtOnce` at once; after a first failure no more
 * are begun. @throws the first failure, once all that were begun have ended
 */
export async function eachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for await (const item of items) {
    if (failures.length > 0) break;
    const task: Promise<void> = work(item)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= transfersAtOnce) await Promise.race(running);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
