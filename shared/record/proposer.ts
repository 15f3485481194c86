// The proposer's half of a register (ARCHITECTURE.md P1-P6): one operation a key at a time, each a
// change function with a deadline. A get first tries one round trip; else attempts of prepare and
// accept, each under a new ballot, until a majority accepted or the deadline comes. Nothing is
// persisted here: a proposer that stops ends its operations as unknown.
//
//   fast --majority agree--> done        wait --> prepare --promises--> accept --majority--> done
//     \--else--> prepare                   ^--- no, timeout, new epoch ---/

import { assert } from "../base/assert.ts";
import type { NodeId, Slot } from "../base/ids.ts";
import { operationsPerKeyMax } from "../base/limits.ts";
import { majority } from "../ring/roster_change.ts";
import { ballotOrder } from "./acceptor.ts";
import { type Core, isMember, rosterOf } from "./agreement_core.ts";
import type { Change, Outcome } from "./agreement_port.ts";
import { judge } from "./operation.ts";
import type { RecordBody } from "./register_message.ts";
import type { Ballot, Value } from "./value.ts";

/** What one decider showed. */
interface Seen {
  readonly accepted: Ballot | null;
  readonly value: Value | null;
}

interface Operation {
  readonly id: number;
  readonly key: string;
  readonly slot: Slot;
  readonly change: Change;
  readonly deadlineAt: number;
  mine: Ballot[];
  least: number | undefined;
  failures: number;
  round: number;
  fastTried: boolean;
  phase: "wait" | "fast" | "prepare" | "accept";
  /** When the phase is over. */
  until: number;
  ask: number;
  ballot: Ballot | undefined;
  deciders: readonly NodeId[];
  seen: Map<NodeId, Seen>;
  accepted: Set<NodeId>;
  refused: Set<NodeId>;
  next: Value | null;
  outcome: Outcome | undefined;
}

export interface Proposer {
  submit(
    request: {
      readonly id: number;
      readonly key: string;
      readonly change: Change;
      readonly deadlineAt: number;
    },
  ): void;
  reply(from: NodeId, body: RecordBody): void;
  tick(): void;
  adopted(): void;
  /** Ends everything: unknown, or nothing written. */
  abandon(): void;
  count(): number;
}

/** Attempts grow to eight times their first length: within the deadline of an operation. */
const attemptDoublingsMax = 3;

/** Runs operations over the core's live lane; `done` gets each outcome once. @throws never */
export function createProposer(
  core: Core,
  done: (id: number, outcome: Outcome) => void,
): Proposer {
  const queues = new Map<string, Operation[]>();
  let total = 0;
  /** Greatest round used or seen since the start, over all keys. */
  let rounds = 0;

  function finish(operation: Operation, outcome: Outcome): void {
    const queue = queues.get(operation.key);
    assert(queue?.[0] === operation, "only the first of a key's operations runs");
    queue.shift();
    total -= 1;
    if (queue.length === 0) queues.delete(operation.key);
    done(operation.id, outcome);
    const following = queue[0];
    if (following !== undefined) start(following);
  }

  function expire(operation: Operation): void {
    finish(operation, { kind: operation.mine.length === 0 ? "no_quorum" : "unknown" });
  }

  function succeed(operation: Operation): void {
    const { outcome, next, key } = operation;
    assert(outcome !== undefined, "an accept carries its outcome");
    if (next !== null) core.emit({ kind: "decided", key, value: next });
    finish(operation, outcome);
  }

  /** False, and the operation ended, when its deadline has come (P1). */
  function inTime(operation: Operation): boolean {
    if (core.now < operation.deadlineAt) return true;
    expire(operation);
    return false;
  }

  function enter(operation: Operation, phase: Operation["phase"], ms: number): void {
    operation.phase = phase;
    operation.until = core.now + ms;
    operation.seen = new Map();
    operation.accepted = new Set();
    operation.refused = new Set();
  }

  function start(operation: Operation): void {
    if (!inTime(operation)) return;
    const roster = rosterOf(core.live);
    if (roster === undefined || !isMember(core)) return enter(operation, "wait", 50);
    operation.deciders = standIns(core.placement.decidersOf(roster, operation.slot));
    if (operation.change.kind === "get" && !operation.change.settle && !operation.fastTried) {
      operation.fastTried = true;
      operation.ask = core.ask();
      enter(operation, "fast", core.settings.fastReadMs);
      return toAll(operation, { kind: "get", ask: operation.ask, key: operation.key });
    }
    prepare(operation, roster.epoch);
  }

  function standIns(deciders: readonly NodeId[]): readonly NodeId[] {
    if (!core.mutants.has("stand-ins-counted")) return deciders;
    const spare = [...core.alive].filter((id) => !deciders.includes(id)).sort();
    return deciders.map((id) => core.alive.has(id) ? id : spare.shift() ?? id);
  }

  function prepare(operation: Operation, epoch: number): void {
    const boot = core.mutants.has("ballot-reused") ? 0 : core.boot;
    // P5: never a ballot twice in one boot, since a late promise to an earlier one would count.
    rounds = Math.max(rounds, operation.round) + 1;
    operation.round = rounds;
    operation.ballot = [epoch, operation.round, core.self, boot];
    if (core.mutants.has("retry-forgets-attempts")) operation.mine = [];
    // Longer with each failure: on slow disks every attempt would end just before its answers.
    const [low, high] = core.settings.attemptMs;
    const patience = 2 ** Math.min(operation.failures, attemptDoublingsMax);
    enter(operation, "prepare", core.prng.between(low, high) * patience);
    toAll(operation, { kind: "prepare", key: operation.key, ballot: operation.ballot });
  }

  function toAll(operation: Operation, body: RecordBody): void {
    for (const to of operation.deciders) core.send(to, body);
  }

  function backOff(operation: Operation): void {
    const { first, most } = core.settings.backoffMs;
    const bound = Math.min(most, first * 2 ** Math.min(operation.failures, 10));
    operation.failures += 1;
    enter(operation, "wait", core.prng.between(0, bound));
  }

  /** P2's condition on answers that should show one ballot: none, or of this configuration. */
  function agreed(operation: Operation, answers: readonly Seen[]): Seen | undefined {
    const [first] = answers;
    if (first === undefined) return undefined;
    const order = ballotOrder(core);
    if (answers.some((other) => order(other.accepted, first.accepted) !== 0)) return undefined;
    const config = core.live.slots.config[operation.slot] ?? 0;
    const inherited = first.accepted !== null && first.accepted[0] < config;
    return inherited && !core.mutants.has("fast-read-inherited") ? undefined : first;
  }

  function onHave(operation: Operation): void {
    const answers = [...operation.seen.values()];
    const order = ballotOrder(core);
    const same = answers
      .map((one) => answers.filter((other) => order(one.accepted, other.accepted) === 0))
      .find((group) => group.length >= majority(operation.deciders.length));
    const shown = same === undefined ? undefined : agreed(operation, same);
    if (shown === undefined) {
      if (operation.seen.size === operation.deciders.length) start(operation);
      return;
    }
    operation.next = shown.value;
    const value = shown.value ?? undefined;
    operation.outcome = { kind: "ok", value, version: value?.version };
    succeed(operation);
  }

  function onPromises(operation: Operation): void {
    const { ballot, change, mine, least } = operation;
    if (ballot === undefined || operation.seen.size < majority(operation.deciders.length)) return;
    const order = ballotOrder(core);
    let highest: Seen = { accepted: null, value: null };
    for (const answer of operation.seen.values()) {
      if (order(answer.accepted, highest.accepted) > 0) highest = answer;
    }
    const verdict = judge(change, highest.value, { mine, least, ballot });
    if (verdict.kind === "unknown") return finish(operation, { kind: "unknown" });
    operation.next = verdict.next;
    operation.outcome = verdict.outcome;
    if (!verdict.made && maySkipAccept(operation, verdict.outcome)) return succeed(operation);
    if (verdict.made) {
      operation.mine.push(ballot);
      const found = highest.value?.n ?? 0;
      operation.least = Math.min(operation.least ?? found, found);
    }
    operation.phase = "accept";
    operation.accepted = new Set();
    operation.refused = new Set();
    toAll(operation, { kind: "accept", key: operation.key, ballot, value: verdict.next });
  }

  /** P4, and the two mutants that skip the write-back without its condition. */
  function maySkipAccept(operation: Operation, outcome: Outcome): boolean {
    const { change } = operation;
    const read = change.kind === "get";
    if (read && change.settle) return false;
    const failed = outcome.kind === "failed";
    if (read && core.mutants.has("read-without-write-back")) return true;
    if (failed && core.mutants.has("failed-without-accept")) return true;
    const idle = read || (failed && operation.mine.length === 0);
    return idle && agreed(operation, [...operation.seen.values()]) !== undefined;
  }

  function reply(from: NodeId, body: RecordBody): void {
    if (!("key" in body)) return;
    const operation = queues.get(body.key)?.[0];
    if (operation === undefined || !operation.deciders.includes(from)) return;
    if (!inTime(operation)) return;
    if (body.kind === "have") {
      if (operation.phase !== "fast" || body.ask !== operation.ask) return;
      operation.seen.set(from, body);
      return onHave(operation);
    }
    if (body.kind !== "promise" && body.kind !== "accepted" && body.kind !== "no") return;
    const { ballot } = operation;
    if (ballot === undefined || ballotOrder(core)(body.ballot, ballot) !== 0) return;
    if (body.kind === "promise" && operation.phase === "prepare") {
      operation.seen.set(from, body);
      onPromises(operation);
    } else if (body.kind === "accepted" && operation.phase === "accept") {
      operation.accepted.add(from);
      if (operation.accepted.size >= majority(operation.deciders.length)) succeed(operation);
    } else if (body.kind === "no") {
      onRefusal(operation, { from, promised: body.promised });
    }
  }

  function onRefusal(
    operation: Operation,
    { from, promised }: { readonly from: NodeId; readonly promised: Ballot },
  ): void {
    operation.round = Math.max(operation.round, promised[1]);
    if (operation.phase !== "prepare" && operation.phase !== "accept") return;
    operation.refused.add(from);
    const { length } = operation.deciders;
    if (operation.refused.size > length - majority(length)) backOff(operation);
  }

  return {
    submit({ id, key, change, deadlineAt }) {
      const queue = queues.get(key) ?? [];
      const full = queue.length >= operationsPerKeyMax || total >= core.settings.operationsMax;
      if (full) return done(id, { kind: "busy" });
      if (core.stopped) return done(id, { kind: "no_quorum" });
      const operation: Operation = {
        ...{ id, key, change, deadlineAt, slot: core.placement.slotOf(key) },
        ...{ mine: [], least: undefined, failures: 0, round: 0, fastTried: false },
        ...{ phase: "wait", until: core.now, ask: 0, ballot: undefined, deciders: [] },
        ...{ seen: new Map(), accepted: new Set(), refused: new Set() },
        ...{ next: null, outcome: undefined },
      };
      queue.push(operation);
      queues.set(key, queue);
      total += 1;
      if (queue.length === 1) start(operation);
    },
    reply,
    tick() {
      for (const operation of firsts(queues)) {
        if (!inTime(operation) || core.now < operation.until) continue;
        if (operation.phase === "wait" || operation.phase === "fast") start(operation);
        else backOff(operation);
      }
    },
    adopted() {
      for (const operation of firsts(queues)) if (inTime(operation)) backOff(operation);
    },
    abandon() {
      const all = [...queues.values()].flat();
      queues.clear();
      total = 0;
      for (const { id, mine } of all) {
        done(id, { kind: mine.length === 0 ? "no_quorum" : "unknown" });
      }
    },
    count: () => total,
  };
}

function firsts(queues: ReadonlyMap<string, Operation[]>): Operation[] {
  return [...queues.values()].flatMap((queue) => queue.slice(0, 1));
}
