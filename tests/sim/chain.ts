// Exact linearizability of one register by the chain of versions. Every version's parent is
// known, so the order of writes is not searched for: the versions that anyone was shown, and
// their ancestors, must form one chain (cut only where a tombstone was dropped), and every
// operation has its place on it: a write at its version, a read at the version it saw. What
// remains is real time: who was answered before another asked stands before it.
//
// Also checked: conditions hold on the parent, no operation is on the chain twice, nothing
// reported failed or unsent is on it, every acknowledged write is, bodies match versions, and
// `n` grows by one. Sources: Wing and Gong (1993), Lowe (2017), made exact by known parents.

import {
  type Attempt,
  compareVersions,
  type Condition,
  type KeyHistory,
  type Operation,
} from "./history.ts";

/** Violations of one key's history, in words; empty when it is linearizable. @throws never */
export function checkKey(key: string, history: KeyHistory): string[] {
  const violations: string[] = [];
  const complain = (text: string) => violations.push(`${key}: ${text}`);
  const shown = versionsShown(history, complain);
  const chain = [...shown.values()].sort((a, b) => compareVersions(a.ballot, b.ballot));
  checkLinks(chain, history, complain);
  const places = new Map(chain.map((attempt, index) => [attempt.version, index + 1]));
  checkOperations(history, { chain, places, complain });
  checkRealTime(history, { chain, places, complain });
  return violations;
}

type Complain = (text: string) => void;

interface Chain {
  readonly chain: readonly Attempt[];
  /** Place of each version on the chain, from 1; place 0 is "nothing there yet". */
  readonly places: ReadonlyMap<string, number>;
  readonly complain: Complain;
}

/** Versions that a client was told, or that were dropped as chosen, with all their ancestors. */
export function versionsShown(history: KeyHistory, complain: Complain): Map<string, Attempt> {
  const shown = new Map<string, Attempt>();
  const show = (version: string, by: string) => {
    let next: string | null = version;
    while (next !== null && !shown.has(next)) {
      const attempt = history.attempts.get(next);
      if (attempt === undefined) return complain(`version ${next} (${by}) was made by nobody`);
      shown.set(next, attempt);
      next = attempt.parent;
    }
  };
  for (const operation of history.operations) {
    if (operation.version !== null) show(operation.version, `operation ${operation.id}`);
  }
  for (const version of history.decided) show(version, "decided");
  for (const version of history.dropped) show(version, "dropped");
  return shown;
}

/** In order of ballots each version must follow the one before it, or a dropped tombstone. */
function checkLinks(chain: readonly Attempt[], history: KeyHistory, complain: Complain): void {
  chain.forEach((attempt, index) => {
    const before = chain[index - 1];
    if (attempt.parent === null) {
      if (attempt.n !== 1) complain(`${attempt.version} starts a chain with n ${attempt.n}`);
      if (before !== undefined && !history.dropped.has(before.version)) {
        complain(`fork: ${attempt.version} was made from nothing after ${before.version}`);
      }
      return;
    }
    if (before?.version !== attempt.parent) {
      complain(
        `fork: ${attempt.version} was made from ${attempt.parent}, not from ${
          before?.version ?? "nothing"
        }`,
      );
    } else if (attempt.n !== before.n + 1) {
      complain(`${attempt.version} counts ${attempt.n} after ${before.n}`);
    }
  });
}

function checkOperations(history: KeyHistory, { chain, places, complain }: Chain): void {
  const byOperation = new Map<number, Attempt>();
  for (const attempt of chain) {
    const twice = byOperation.get(attempt.operation);
    if (twice !== undefined) {
      complain(
        `operation ${attempt.operation} applied twice: ${twice.version} and ` +
          attempt.version,
      );
    }
    byOperation.set(attempt.operation, attempt);
  }
  for (const operation of history.operations) {
    const made = byOperation.get(operation.id);
    if (made !== undefined) checkMade(operation, { made, history, complain });
    if (operation.kind !== "get" && operation.outcome === "ok" && made === undefined) {
      complain(`acknowledged write of operation ${operation.id} is not on the chain`);
    }
    if (operation.outcome === "failed") checkFailed(operation, { history, places, complain });
    if (operation.kind === "get" && operation.outcome === "ok") {
      checkGet(operation, history, complain);
    }
  }
}

function checkMade(
  operation: Operation,
  { made, history, complain }: { made: Attempt; history: KeyHistory; complain: Complain },
): void {
  if (operation.outcome === "failed" || operation.outcome === "unsent") {
    complain(
      `operation ${operation.id} was told ${operation.outcome}, yet ${made.version} is on the chain`,
    );
  }
  if (operation.outcome === "ok" && operation.version !== made.version) {
    complain(`operation ${operation.id} was told ${operation.version}, made ${made.version}`);
  }
  const parent = made.parent === null ? undefined : history.attempts.get(made.parent);
  if (!holds(operation.condition, parent)) {
    complain(`operation ${operation.id} was applied on ${made.parent}: its condition fails there`);
  }
}

function checkFailed(
  operation: Operation,
  { history, places, complain }: {
    history: KeyHistory;
    places: ReadonlyMap<string, number>;
    complain: Complain;
  },
): void {
  const seen = operation.version === null ? undefined : history.attempts.get(operation.version);
  if (operation.version !== null && !places.has(operation.version)) return;
  if (holds(operation.condition, seen)) {
    complain(
      `operation ${operation.id} was told its condition failed on ${operation.version}, where it holds`,
    );
  }
}

function checkGet(operation: Operation, history: KeyHistory, complain: Complain): void {
  const attempt = operation.version === null ? undefined : history.attempts.get(operation.version);
  const body = attempt === undefined || attempt.deleted ? null : attempt.body;
  if (body !== operation.seen) {
    complain(
      `operation ${operation.id} read ${operation.seen}, but ${operation.version} is ${body}`,
    );
  }
}

function holds(condition: Condition, parent: Attempt | undefined): boolean {
  const live = parent === undefined || parent.deleted ? undefined : parent;
  switch (condition.kind) {
    case "none":
      return true;
    case "absent":
      return live === undefined;
    case "present":
      return live !== undefined;
    case "version":
      return live?.version === condition.version;
    default:
      throw condition satisfies never;
  }
}

/** Places operations in the order they were asked; each stands at or after all answered before. */
function checkRealTime(history: KeyHistory, { chain, places, complain }: Chain): void {
  const made = new Map(chain.map((attempt) => [attempt.operation, attempt]));
  const asked = [...history.operations].sort((a, b) => a.invoked - b.invoked);
  const answered: { readonly at: number; readonly place: number; readonly id: number }[] = [];
  const empties = [0];
  chain.forEach((attempt, index) => attempt.deleted && empties.push(index + 1));
  for (const operation of asked) {
    let least = 0;
    let leastOf = -1;
    for (const other of answered) {
      if (other.at < operation.invoked && other.place > least) {
        least = other.place;
        leastOf = other.id;
      }
    }
    const place = placeOf(operation, { made, places, empties, least });
    if (place === "none") continue;
    const own = made.get(operation.id);
    if (place === "late" || place < least || (own !== undefined && place <= least)) {
      complain(
        `operation ${operation.id} (${operation.kind}, ${operation.outcome}, version ` +
          `${operation.version}) stands before operation ${leastOf}, answered before it was asked`,
      );
      continue;
    }
    const isTold = operation.outcome === "ok" || operation.outcome === "failed";
    answered.push({ at: isTold ? operation.responded : Infinity, place, id: operation.id });
  }
}

function placeOf(
  operation: Operation,
  { made, places, empties, least }: {
    made: ReadonlyMap<number, Attempt>;
    places: ReadonlyMap<string, number>;
    empties: readonly number[];
    least: number;
  },
): number | "none" | "late" {
  const own = made.get(operation.id);
  if (own !== undefined) return places.get(own.version) ?? "none";
  const isRead = operation.kind === "get" && operation.outcome === "ok";
  if (!isRead && operation.outcome !== "failed") return "none";
  if (operation.version !== null) return places.get(operation.version) ?? "none";
  return empties.find((place) => place >= least) ?? "late";
}
