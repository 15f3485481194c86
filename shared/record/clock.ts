// Hybrid logical clock: stamps that follow wall time closely and never go back, so that people
// and listings see changes in order across keys. Safety never depends on it (ballots do that).
//
// Two rules keep one wrong clock from spoiling the others: a stamp further ahead of our wall
// clock than `stampAheadMsMax` is refused and never observed; and the high-water mark, reserved
// on disk ahead of use, keeps stamps growing over restarts of a node whose clock went back.
// Source: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks" (2014), figure 5.

import { stampAheadMsMax } from "../base/limits.ts";
import type { Stamp } from "./value.ts";

/** The last stamp given or seen. */
export interface ClockState {
  readonly last: Stamp;
}

/** Orders stamps: negative when `left` is earlier. @throws never */
export function compareStamps(left: Stamp, right: Stamp): number {
  return left[0] - right[0] || left[1] - right[1];
}

/** A clock that gives no stamp at or below `highWaterMs`, the mark of the start before. */
export function createClock(highWaterMs: number): ClockState {
  return { last: [highWaterMs, 0] };
}

/** The next stamp for a local change at wall time `now` (ms), and the clock after it. */
export function nextStamp(clock: ClockState, now: number): { stamp: Stamp; clock: ClockState } {
  const [wall, counter] = clock.last;
  const stamp: Stamp = now > wall ? [now, 0] : [wall, counter + 1];
  return { stamp, clock: { last: stamp } };
}

/** Whether a stamp from another node is acceptable at wall time `now` (ms). */
export function stampIsPlausible(stamp: Stamp, now: number): boolean {
  return stamp[0] <= now + stampAheadMsMax;
}

/** The clock after seeing `stamp`; unchanged when the stamp is implausible or older. */
export function observeStamp(clock: ClockState, stamp: Stamp, now: number): ClockState {
  if (!stampIsPlausible(stamp, now)) return clock;
  return compareStamps(stamp, clock.last) > 0 ? { last: stamp } : clock;
}
