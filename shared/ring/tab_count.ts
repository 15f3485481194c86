// How many different tabs are connected to a pool, though each node knows only its own and a tab
// may be connected to several. Each node tells how many it has, and a few marks: the smallest
// hashes of their ids. While every node has few tabs the marks name them all, and the count is
// exact; beyond that the spread of the smallest marks tells about how many there are.
// Source: Bar-Yossef and others, Counting Distinct Elements in a Data Stream, RANDOM 2002.

import { sha256Text } from "../base/hash.ts";
import type { TabSketch } from "../status.ts";

/** Marks of one node: few enough to ride on every liveness message. */
export const tabMarksMax = 16;

const markEnd = 2 ** 32;

/** The mark of a tab's id: uniform in [0, 2^32). @throws never */
export function tabMark(id: string): number {
  const digest = sha256Text(id);
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}

/** What to tell of tabs with these marks. @throws never */
export function sketchTabs(marks: readonly number[]): TabSketch {
  const smallest = marks.toSorted((left, right) => left - right).slice(0, tabMarksMax);
  return { count: marks.length, marks: smallest };
}

/** Different tabs at all these nodes: exact while each has few, else an estimate. @throws never */
export function countTabs(sketches: readonly TabSketch[]): number {
  const union = [...new Set(sketches.flatMap(({ marks }) => marks))]
    .sort((left, right) => left - right);
  const partial = sketches.filter(({ count, marks }) => count > marks.length);
  if (partial.length === 0) return union.length;
  // Below the largest mark that every partial sketch reaches, all tabs are known.
  const reach = Math.min(...partial.map(({ marks }) => marks.at(-1) ?? 0));
  const below = union.filter((mark) => mark < reach).length;
  const estimate = Math.round(below / Math.max(1, reach) * markEnd);
  const most = Math.max(...sketches.map(({ count }) => count), union.length);
  const sum = sketches.reduce((total, { count }) => total + count, 0);
  return Math.min(sum, Math.max(most, estimate));
}
