// What goes on in the foreground of this node: pushes and pulls under way. Repair goes slowly
// while there are any, and the collector never takes what a push that still runs has put.

import type { Pool } from "./pool.ts";

/** A read that goes on counts as foreground for this long after its last byte. */
const readLingerMs = 500;

/** Running pushes and pulls. No method throws. */
export class Activity {
  readonly #now: () => number;
  readonly #pushes = new Set<{ readonly startedAt: number }>();
  #lastReadAt = -Infinity;

  /** @param now ms of a clock that does not go back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether foreground work goes on. */
  get busy(): boolean {
    return this.#pushes.size > 0 || this.#now() - this.#lastReadAt < readLingerMs;
  }

  /** A push began; call what is returned when its name is decided or it failed. */
  pushBegan(): () => void {
    const push = { startedAt: this.#now() };
    this.#pushes.add(push);
    return () => this.#pushes.delete(push);
  }

  /** Bytes were given to a reader. */
  readOn(): void {
    this.#lastReadAt = this.#now();
  }

  /** Milliseconds since the oldest running push began; 0 when there is none. */
  oldestPushMs(): number {
    let oldest = this.#now();
    for (const { startedAt } of this.#pushes) oldest = Math.min(oldest, startedAt);
    return this.#now() - oldest;
  }
}

/** The same pool, its pushes and pulls counted. */
export function countedPool(pool: Pool, activity: Activity): Pool {
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    const end = activity.pushBegan();
    try {
      return await work();
    } finally {
      end();
    }
  };
  const countReads = <Open extends Awaited<ReturnType<Pool["open"]>>>(open: Open): Open => ({
    ...open,
    read: (range, signal) => readCounted(open.read(range, signal), activity),
  });
  return {
    ...pool,
    push: (body, options) => counted(() => pool.push(body, options)),
    link: (cid, options) => counted(() => pool.link(cid, options)),
    open: async (name, signal) => countReads(await pool.open(name, signal)),
    openCid: async (cid, signal) => countReads(await pool.openCid(cid, signal)),
  };
}

async function* readCounted(
  bytes: AsyncIterable<Uint8Array>,
  activity: Activity,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of bytes) {
    activity.readOn();
    yield piece;
  }
}
