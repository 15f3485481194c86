// What clients asked and were told, and every value that a proposer ever sent in an accept.
// Pure data, filled by the world while it runs and judged afterwards by chain.ts. A version is
// kept as text ("epoch.round.node.boot") because it is compared and looked up, never computed on.

import type { Ballot } from "../../shared/record/value.ts";

/** A ballot as text, the key of attempts and positions. @throws never */
export function versionText(ballot: Ballot): string {
  return `${ballot[0]}.${ballot[1]}.${ballot[2]}.${ballot[3]}`;
}

/** Compares two ballots left to right. @returns negative, zero or positive */
export function compareVersions(left: Ballot, right: Ballot): number {
  return left[0] - right[0] || left[1] - right[1] ||
    (left[2] < right[2] ? -1 : left[2] > right[2] ? 1 : left[3] - right[3]);
}

/** A change that a proposer tried: the value it made, and from what. */
export interface Attempt {
  readonly version: string;
  readonly ballot: Ballot;
  /** Version it was made from; null when made from nothing. */
  readonly parent: string | null;
  readonly n: number;
  readonly deleted: boolean;
  readonly body: string;
  /** The operation on whose behalf it was made. */
  readonly operation: number;
  /** Virtual time at which it was first sent. */
  readonly at: number;
}

/** What a write demands of the value it finds. */
export type Condition =
  | { readonly kind: "none" }
  | { readonly kind: "absent" }
  | { readonly kind: "present" }
  | { readonly kind: "version"; readonly version: string };

/** How an operation ended, as its client was told. */
export type Outcome =
  | "pending" // never told: its node crashed or the run ended
  | "ok"
  | "failed" // its condition did not hold on the value named
  | "unsent" // refused: nothing was written
  | "unknown";

/** One operation of one client. */
export interface Operation {
  readonly id: number;
  readonly key: string;
  readonly kind: "get" | "put" | "delete";
  readonly condition: Condition;
  /** Text that a put writes; unique to the operation. */
  readonly body: string;
  /** Moments of a counter that grows with every question and answer: no two are equal. */
  readonly invoked: number;
  responded: number;
  outcome: Outcome;
  /** Version made (ok write) or seen (get, failed condition); null: nothing there. */
  version: string | null;
  /** Body that a get returned; null when nothing, or a tombstone, was there. */
  seen: string | null;
  /** The last reads of a run, after which nothing was written. */
  readonly final: boolean;
}

/** Everything that happened to one key. */
export interface KeyHistory {
  readonly operations: Operation[];
  readonly attempts: Map<string, Attempt>;
  /** Versions that a proposer knew to be decided, whatever its client was told. */
  readonly decided: Set<string>;
  /** Versions of tombstones that all deciders held when they were dropped. */
  readonly dropped: Set<string>;
}

/** What was promised: of this key, nothing made before `before` comes after `last` any more. */
export interface Settlement {
  readonly key: string;
  readonly before: number;
  /** The last version decided then; null when there was none. */
  readonly last: Ballot | null;
}

/** Histories of all keys of a run. */
export type History = Map<string, KeyHistory>;

/** The history of `key`, made when missing. @throws never */
export function historyOf(history: History, key: string): KeyHistory {
  let found = history.get(key);
  if (found === undefined) {
    found = { operations: [], attempts: new Map(), decided: new Set(), dropped: new Set() };
    history.set(key, found);
  }
  return found;
}
