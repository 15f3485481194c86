// Waiting on the real clock, for every loop that must end at once when its owner does: until some
// time has passed or a signal aborts, whichever is first. No listener is left on the signal, which
// may live as long as the process.

/** Resolves after `ms`, or at once when `signal` aborts or has aborted. @throws never */
export function waitFor(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, ms);
  signal?.addEventListener("abort", end);
  return promise;
}
