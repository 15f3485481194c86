// Slots of a window: who wants one when none is free waits its turn. The bound of a transfer's
// memory, and through it the back-pressure on its source.

import { assert } from "../../shared/base/assert.ts";

/** A counting semaphore, first come first served. */
export interface Window {
  /** Resolves when a slot is held. @throws never */
  acquire(): Promise<void>;
  /** Gives a held slot back. @throws {AssertionError} when none is held */
  release(): void;
}

/**
 * A window of `slots()` slots, at least one; asked anew at each step. A window that has shrunk
 * gives no slot until enough came back.
 */
export function createWindow(slots: () => number): Window {
  const waiting: (() => void)[] = [];
  let held = 0;
  const admit = () => {
    while (held < Math.max(1, slots())) {
      const next = waiting.shift();
      if (next === undefined) return;
      held++;
      next();
    }
  };
  return {
    acquire() {
      return new Promise((resolve) => {
        waiting.push(resolve);
        admit();
      });
    },
    release() {
      assert(held > 0, "a slot is given back once");
      held--;
      admit();
    },
  };
}
