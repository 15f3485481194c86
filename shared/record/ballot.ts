// Register ballots: `[epoch, round, node, boot]`, compared left to right. The epoch comes first,
// so whatever a configuration inherits is lower than anything made in it (ARCHITECTURE.md, Inv 3);
// node and boot make each ballot one proposer's, and one start of it. `null` is the least.

import type { Ballot } from "./value.ts";

/** Order of two ballots: below 0, 0, above 0. @throws never */
export function compareBallots(left: Ballot | null, right: Ballot | null): number {
  if (left === null || right === null) return (left === null ? 0 : 1) - (right === null ? 0 : 1);
  return left[0] - right[0] || compareWithoutEpoch(left, right);
}

/** The order of a broken build: the epoch does not come first (mutant ballot-without-epoch). */
export function compareWithoutEpoch(left: Ballot | null, right: Ballot | null): number {
  if (left === null || right === null) return (left === null ? 0 : 1) - (right === null ? 0 : 1);
  return left[1] - right[1] || compareText(left[2], right[2]) || left[3] - right[3];
}

/** Whether two ballots are one. @throws never */
export function sameBallot(left: Ballot | null, right: Ballot | null): boolean {
  return compareBallots(left, right) === 0;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
