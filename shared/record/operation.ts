// One operation on one register and what an attempt makes of the value it found
// (ARCHITECTURE.md P3, steps 1 to 5, and P7). Pure; proposer.ts runs the attempts.

import { recentVersionsMax } from "../base/limits.ts";
import type { Change, Condition, Outcome } from "./agreement_port.ts";
import { sameBallot } from "./ballot.ts";
import type { Ballot, Stamp, Value } from "./value.ts";

/** What an operation remembers over its attempts. */
export interface Attempts {
  /** Versions that it sent in an accept. */
  readonly mine: readonly Ballot[];
  /** Least number of changes that it was applied to; undefined before the first accept. */
  readonly least: number | undefined;
}

export type Verdict =
  /** Accept `next` (made here when `made`); its majority makes `outcome` true. */
  | {
    readonly kind: "accept";
    readonly next: Value | null;
    readonly made: boolean;
    readonly outcome: Outcome;
  }
  | { readonly kind: "unknown" };

/** What to accept at `ballot` on top of `found`, the value of the highest accepted ballot. */
export function judge(
  change: Change,
  found: Value | null,
  { mine, least, ballot }: Attempts & { readonly ballot: Ballot },
): Verdict {
  const current = found ?? undefined;
  const keep = (outcome: Outcome): Verdict => ({
    kind: "accept",
    next: found,
    made: false,
    outcome,
  });
  if (change.kind === "get") {
    return keep({ kind: "ok", value: current, version: current?.version });
  }
  const done = mine.find((version) => found?.recent.some((past) => sameBallot(past, version)));
  if (done !== undefined) return keep({ kind: "ok", value: current, version: done });
  if (mine.length > 0 && least !== undefined) {
    const untold = found === null ? least > 0 : found.n - least > recentVersionsMax;
    if (untold) return { kind: "unknown" };
  }
  const edited = applyChange(change, current);
  if (edited === undefined) return keep({ kind: "failed", value: current });
  const recent = [...(found?.recent ?? []), ballot].slice(-recentVersionsMax);
  const next: Value = { version: ballot, n: (found?.n ?? 0) + 1, recent, ...edited };
  return {
    kind: "accept",
    next,
    made: true,
    outcome: { kind: "ok", value: next, version: ballot },
  };
}

/** Whether a condition holds; absent and tombstone are the same to it (P7). @throws never */
export function holds(condition: Condition, current: Value | undefined): boolean {
  const live = current === undefined || current.deleted ? undefined : current;
  switch (condition.kind) {
    case "any":
      return true;
    case "absent":
      return live === undefined;
    case "present":
      return live !== undefined;
    case "version":
      return live !== undefined && sameBallot(live.version, condition.version);
    case "older":
      // A tombstone counts here: a deletion that came later must not be undone by an offer.
      return current === undefined || compareStamps(current.stamp, condition.stamp) < 0;
    default:
      return condition satisfies never;
  }
}

/** Order of two stamps. @throws never */
export function compareStamps(left: Stamp, right: Stamp): number {
  return left[0] - right[0] || left[1] - right[1];
}

function applyChange(
  change: Exclude<Change, { kind: "get" }>,
  current: Value | undefined,
): Pick<Value, "stamp" | "deleted" | "body"> | undefined {
  switch (change.kind) {
    case "put":
      if (!holds(change.condition, current)) return undefined;
      return { stamp: change.stamp, deleted: false, body: change.body };
    case "delete":
      if (!holds(change.condition, current)) return undefined;
      return { stamp: change.stamp, deleted: true, body: new Uint8Array(0) };
    case "edit":
      return change.edit(current);
    default:
      return change satisfies never;
  }
}
