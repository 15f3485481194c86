// The clock port of the engines: time and waiting, so that tests run on a clock of their own.

import { waitFor } from "../../web/wait.ts";

/** Milliseconds and waiting. */
export interface Clock {
  /** Milliseconds since the epoch; may jump when the process was stopped. */
  now(): number;
  /** Waits `ms`, or until `signal` aborts: then it resolves early. @throws never */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: waitFor,
};
