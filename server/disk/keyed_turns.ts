// One task at a time for each key, any number for different keys. The block store uses it so that
// a put of a block never meets the unlink of the same block half way.
//
// Invariant: tasks of one key start in the order of the calls, whether or not the last one failed.

export interface KeyedTurns<Key> {
  /** Runs `task` when all earlier ones of `key` have ended. @throws what the task throws */
  run<T>(key: Key, task: () => Promise<T>): Promise<T>;
  /** Resolves when nothing runs and nothing waits. Never throws. */
  idle(): Promise<void>;
}

/** Turns with nothing under way. @throws never */
export function createKeyedTurns<Key>(): KeyedTurns<Key> {
  const last = new Map<Key, Promise<unknown>>();
  const run = async <T>(key: Key, task: () => Promise<T>): Promise<T> => {
    const before = last.get(key);
    const mine = before === undefined ? task() : before.then(task, task);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
  const idle = async () => {
    while (last.size > 0) await Promise.allSettled(last.values());
  };
  return { run, idle };
}
