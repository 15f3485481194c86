// Waiting on a condition with a deadline.

/** Resolves after `ms`, or as soon as the signal aborts. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

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
    await delay(everyMs);
  }
}
