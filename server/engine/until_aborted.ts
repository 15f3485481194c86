// Waiting that ends with a signal, whether or not the work itself ever answers: a peer that is
// being dialled, a body whose client is silent. The work is not stopped by this, only no longer
// waited for; a failure that comes later is not reported, because nobody wants it any more.

/** The work's result, or undefined as soon as the signal aborts. @throws what the work throws */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve(undefined);
    listen(signal, { work, leave });
    work.then(resolve, reject);
  });
}

/** The work's result. @throws the signal's reason as soon as it aborts; what the work throws */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    listen(signal, { work, leave });
    work.then(resolve, reject);
  });
}

/** Listens for the signal while the work goes on, so that no listener is left behind. */
function listen(
  signal: AbortSignal,
  wait: { readonly work: Promise<unknown>; readonly leave: () => void },
): void {
  if (signal.aborted) return wait.leave();
  signal.addEventListener("abort", wait.leave, { once: true });
  const unlisten = () => signal.removeEventListener("abort", wait.leave);
  wait.work.then(unlisten, unlisten);
}
