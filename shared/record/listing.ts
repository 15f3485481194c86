// Lists a slot's registers, one page at a time (ARCHITECTURE.md T3): the same page from a majority
// of answering deciders; keys on which they agree under the fast read's condition are taken, the
// others are named, for a normal read of each. Exact per key, not a snapshot over keys.

import type { NodeId, Slot } from "../base/ids.ts";
import { listingsAtOnceMax } from "../base/limits.ts";
import { majority } from "../ring/roster_change.ts";
import { type Core, rosterOf } from "./agreement_core.ts";
import type { ListingPage } from "./agreement_port.ts";
import { sameBallot } from "./ballot.ts";
import type { AcceptedRow, RecordBody } from "./register_message.ts";

interface Question {
  readonly id: number;
  readonly slot: Slot;
  readonly after: string;
  readonly deadlineAt: number;
  retryAt: number;
  ask: number;
  deciders: readonly NodeId[];
  readonly pages: Map<NodeId, Page>;
}

interface Page {
  readonly rows: readonly AcceptedRow[];
  readonly next: string | null;
}

export interface Listings {
  submit(
    request: {
      readonly id: number;
      readonly slot: Slot;
      readonly after: string;
      readonly deadlineAt: number;
    },
  ): void;
  reply(from: NodeId, body: Extract<RecordBody, { kind: "listed" }>): void;
  tick(): void;
  /** The roster changed: pages count under one epoch only. */
  adopted(): void;
  abandon(): void;
}

/** Runs listings of the live lane; `done` gets each page once, undefined without a majority. */
export function createListings(
  core: Core,
  done: (id: number, page: ListingPage | undefined) => void,
): Listings {
  const open = new Map<number, Question>();

  function ask(question: Question): void {
    const roster = rosterOf(core.live);
    const [low, high] = core.settings.attemptMs;
    question.retryAt = core.now + core.prng.between(low, high);
    question.pages.clear();
    if (roster === undefined) return;
    question.ask = core.ask();
    question.deciders = core.placement.decidersOf(roster, question.slot);
    const { slot, after } = question;
    for (const to of question.deciders) {
      core.send(to, { kind: "list", ask: question.ask, slot, after });
    }
  }

  function finish(question: Question, page: ListingPage | undefined): void {
    open.delete(question.id);
    done(question.id, page);
  }

  return {
    submit(request) {
      if (core.stopped || open.size >= listingsAtOnceMax) return done(request.id, undefined);
      const question: Question = {
        ...request,
        ...{ retryAt: 0, ask: 0, deciders: [], pages: new Map() },
      };
      open.set(request.id, question);
      ask(question);
    },
    reply(from, { ask: number, rows, next }) {
      const question = [...open.values()].find((one) => one.ask === number);
      if (question === undefined || !question.deciders.includes(from)) return;
      question.pages.set(from, { rows, next });
      if (question.pages.size < majority(question.deciders.length)) return;
      const config = core.live.slots.config[question.slot] ?? 0;
      finish(question, mergePages([...question.pages.values()], config));
    },
    tick() {
      for (const question of [...open.values()]) {
        if (core.now >= question.deadlineAt) finish(question, undefined);
        else if (core.now >= question.retryAt) ask(question);
      }
    },
    adopted() {
      for (const question of open.values()) ask(question);
    },
    abandon() {
      for (const question of [...open.values()]) finish(question, undefined);
    },
  };
}

/**
 * One page of what a majority of deciders showed, up to the least key at which one of them broke
 * off. `config` is the first epoch of the present deciders: older ballots may be rivals.
 */
export function mergePages(pages: readonly Page[], config: number): ListingPage {
  const ends = pages.flatMap(({ next }) => next === null ? [] : [next]).sort(compareKeys);
  const next = ends[0] ?? null;
  const keys = new Set(pages.flatMap(({ rows }) => rows.map(({ key }) => key)));
  const page: { decided: AcceptedRow[]; open: string[] } = { decided: [], open: [] };
  for (const key of [...keys].sort(compareKeys)) {
    if (next !== null && compareKeys(key, next) > 0) break;
    const shown = pages.map(({ rows }) => rows.find((row) => row.key === key));
    const [first] = shown;
    const agreed = first !== undefined && first.accepted[0] >= config &&
      shown.every((row) => row !== undefined && sameBallot(row.accepted, first.accepted));
    if (agreed) page.decided.push(first);
    else page.open.push(key);
  }
  return { ...page, next };
}

/** Order of keys as their UTF-8 bytes have it, which is how pages are cut. @throws never */
export function compareKeys(left: string, right: string): number {
  const [one, other] = [Array.from(left), Array.from(right)];
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const difference = (one[at]?.codePointAt(0) ?? -1) - (other[at]?.codePointAt(0) ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}
