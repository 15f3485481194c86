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

/** A window of so many slots. @throws {AssertionError} without any */
export function createWindow(slots: number): Window {
  assert(slots >= 1, "a window has at least one slot");
  const waiting: (() => void)[] = [];
  let held = 0;
  return {
    acquire() {
      if (held < slots) {
        held++;
        return Promise.resolve();
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    release() {
      assert(held > 0, "a slot is given back once");
      const next = waiting.shift();
      if (next === undefined) held--;
      else next();
    },
  };
}
