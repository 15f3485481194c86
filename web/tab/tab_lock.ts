// One worker of a browser runs the peer; the others wait their turn. Web Locks where they are: the
// browser gives the lock on at once when its holder goes. On an insecure origin there are none:
// then a lease in IndexedDB, renewed while its holder lives, taken over once it has run out.

import * as v from "valibot";
import type { KeyValues } from "./key_values.ts";
import { waitFor } from "../wait.ts";

const lockName = "skyring-tab";
const leaseKey = "lease";
const leaseMs = 8_000;
const renewMs = 2_000;
const leaseShape = v.object({ id: v.string(), until: v.number() });

/** What is used of the browser's own locks. */
export interface Locks {
  request(name: string, use: () => Promise<void>): Promise<unknown>;
}

/**
 * Runs `use` while this worker has the lock, once it has it. The signal given to `use` aborts
 * when the lock is lost (a lease that ran out while the machine slept): `use` must end then.
 */
export async function whileLocked(
  options: { readonly values: KeyValues; readonly id: string; readonly locks?: Locks },
  use: (lost: AbortSignal) => Promise<void>,
): Promise<void> {
  const { values, id, locks } = options;
  // Nothing is shared in memory, so there is nothing to fight over.
  if (values.kept === "memory") return await use(new AbortController().signal);
  if (locks !== undefined) {
    await locks.request(lockName, () => use(new AbortController().signal));
    return;
  }
  for (;;) {
    await leaseTaken(values, id);
    const lost = new AbortController();
    const renewing = renew(values, { id, lost });
    try {
      await use(lost.signal);
    } finally {
      lost.abort();
      await renewing;
    }
  }
}

async function leaseTaken(values: KeyValues, id: string): Promise<void> {
  const never = new AbortController().signal;
  while (!await hold(values, id)) await waitFor(renewMs, never);
}

async function renew(
  values: KeyValues,
  options: { readonly id: string; readonly lost: AbortController },
): Promise<void> {
  for (;;) {
    await waitFor(renewMs, options.lost.signal);
    if (options.lost.signal.aborted) return;
    if (!await hold(values, options.id)) options.lost.abort();
  }
}

/** Takes or renews the lease; false when another holds it. */
async function hold(values: KeyValues, id: string): Promise<boolean> {
  let mine = false;
  await values.update(leaseKey, (old) => {
    const lease = v.safeParse(leaseShape, old);
    const now = Date.now();
    // A clock set back must not hold a lease for hours.
    const held = lease.success && lease.output.until > now &&
      lease.output.until < now + 2 * leaseMs;
    mine = !held || lease.output.id === id;
    return mine ? { id, until: now + leaseMs } : old;
  });
  return mine;
}
