// Whole parts of a whole: how many ticks of the ring each node gets, and each class of slots
// inside a node's arc, so that the picture's counts are as near to the truth as ticks allow and
// nothing that occurs is drawn as nothing.

/**
 * Shares `total` ticks by largest remainder, at least one for each share.
 * @param shares 0 or more, with a positive sum; at most `total` of them
 * @returns whole numbers with sum `total`. @throws never
 */
export function allot(shares: readonly number[], total: number): number[] {
  const sum = shares.reduce((left, right) => left + right, 0) || 1;
  const exact = shares.map((share) => (share / sum) * total);
  const counts = exact.map((value) => Math.max(1, Math.floor(value)));
  const order = exact.map((value, index) => ({ index, rest: value - Math.floor(value) }))
    .sort((left, right) => right.rest - left.rest);
  let left = total - counts.reduce((before, count) => before + count, 0);
  for (let turn = 0; left > 0 && order.length > 0; turn++, left--) {
    const { index = 0 } = order[turn % order.length] ?? {};
    counts[index] = (counts[index] ?? 0) + 1;
  }
  while (left < 0) {
    const largest = counts.indexOf(Math.max(...counts));
    if ((counts[largest] ?? 0) <= 1) break; // more shares than ticks: each keeps its one
    counts[largest] = (counts[largest] ?? 0) - 1;
    left++;
  }
  return counts;
}

/** Ticks of one arc: `count` ticks whose slots have `copies` copies. */
export interface TickRun {
  readonly copies: number;
  readonly count: number;
}

/**
 * `ticks` ticks for an arc whose slots are counted by copies, whole ones first.
 * @param slotsByCopies slots (positive) by number of copies
 * @returns runs with a sum of `ticks`, each class at least one tick. @throws never
 */
export function tickRuns(slotsByCopies: ReadonlyMap<number, number>, ticks: number): TickRun[] {
  const classes = [...slotsByCopies].filter(([, slots]) => slots > 0)
    .sort(([left], [right]) => right - left).slice(0, ticks);
  const counts = allot(classes.map(([, slots]) => slots), ticks);
  return classes.map(([copies], index) => ({ copies, count: counts[index] ?? 1 }));
}
