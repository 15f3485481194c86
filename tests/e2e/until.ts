// Waiting on a condition with a deadline.

import { waitFor } from "../../web/wait.ts";

/**
 * Polls until `probe` gives something other than undefined or false. A refused connection or a
 * request that took too long is a no; any other error ends the wait.
 * @returns what the probe gave
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T> | T,
  options: {
    readonly withinMs?: number;
    readonly everyMs?: number;
    readonly detail?: () => string;
  } = {},
): Promise<Exclude<T, undefined | false>> {
  const { withinMs = 20_000, everyMs = 50, detail } = options;
  const deadline = performance.now() + withinMs;
  let last: unknown;
  while (true) {
    try {
      const seen = await probe();
      if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>;
      last = seen;
    } catch (error) {
      const unreachable = error instanceof TypeError ||
        (error instanceof DOMException && error.name === "TimeoutError");
      if (!unreachable) throw error;
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Cannot see ${what} within ${withinMs} ms: ${last}\n${detail?.() ?? ""}`);
    }
    await waitFor(everyMs);
  }
}

/**
 * Polls a number until it stands still: for tests in which no more must come, and no event says so.
 * @returns the number after it was above zero and the same at each of twenty looks
 */
export async function standingStill(
  what: string,
  value: () => number,
  { withinMs = 20_000 }: { readonly withinMs?: number } = {},
): Promise<number> {
  let last = 0;
  let same = 0;
  await until(`${what} standing still`, () => {
    same = last > 0 && value() === last ? same + 1 : 0;
    last = value();
    return same === 20;
  }, { withinMs, everyMs: 15, detail: () => `now ${last}` });
  return last;
}
