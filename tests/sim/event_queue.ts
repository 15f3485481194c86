// Virtual time: a binary heap of what is to happen, ordered by time and then by the order in
// which it was put in. Nothing in the simulator reads a clock; the same seed puts the same
// events in the same order, so a run is repeated by its seed alone.

/** What the simulator does at one instant of virtual time. */
export type Action = () => void;

/** Events in order of time; equal times keep the order of insertion. */
export interface EventQueue {
  /** Virtual milliseconds of the event last taken. */
  readonly now: number;
  readonly size: number;
  /** Puts `action` at `at`; a time already past is taken as now. */
  put(at: number, action: Action): void;
  /** Runs the next event. @returns false when there is none, or none up to `until` */
  runNext(until: number): boolean;
}

/** An empty queue whose time starts at `start`. @throws never */
export function createEventQueue(start: number): EventQueue {
  const times: number[] = [];
  const orders: number[] = [];
  const actions: Action[] = [];
  let now = start;
  let order = 0;

  const isBefore = (left: number, right: number) => {
    const difference = (times[left] as number) - (times[right] as number);
    return difference < 0 ||
      (difference === 0 && (orders[left] as number) < (orders[right] as number));
  };
  const swap = (left: number, right: number) => {
    [times[left], times[right]] = [times[right] as number, times[left] as number];
    [orders[left], orders[right]] = [orders[right] as number, orders[left] as number];
    [actions[left], actions[right]] = [actions[right] as Action, actions[left] as Action];
  };
  const siftUp = (start: number) => {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(index, parent)) return;
      swap(index, parent);
      index = parent;
    }
  };
  const siftDown = () => {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= times.length) return;
      const least = left + 1 < times.length && isBefore(left + 1, left) ? left + 1 : left;
      if (!isBefore(least, index)) return;
      swap(index, least);
      index = least;
    }
  };

  return {
    get now() {
      return now;
    },
    get size() {
      return times.length;
    },
    put(at, action) {
      times.push(Math.max(at, now));
      orders.push(order++);
      actions.push(action);
      siftUp(times.length - 1);
    },
    runNext(until) {
      const at = times[0];
      if (at === undefined || at > until) {
        now = Math.max(now, until);
        return false;
      }
      const action = actions[0] as Action;
      swap(0, times.length - 1);
      times.pop();
      orders.pop();
      actions.pop();
      siftDown();
      now = at;
      action();
      return true;
    },
  };
}
