// What this node is doing, in one word: decided here from plain facts, shown by every face.
//
// The order below is the order of what matters most to somebody who looks: a node that leaves
// is leaving whatever else it does; one that cannot reach the council is read-only even while
// it fetches. `since` is kept while the word stays the same; `because` may change under it.

import type { Phase, PhaseNow } from "../../shared/phase.ts";

/** What the phase follows from; counts are of now. */
export interface PhaseFacts {
  /** Admitted members connected. */
  readonly peers: number;
  /** Members of the roster adopted, 0 before the first; and whether this node is one. */
  readonly members: number;
  readonly isMember: boolean;
  readonly leaving: boolean;
  /** Council members that answer, this node included, of how many. */
  readonly council: { readonly answering: number; readonly size: number };
  /** After a pause, before the first full exchange. */
  readonly paused: boolean;
  /** Whether the catalog was compared whole with others since start; records so far. */
  readonly catalog: { readonly complete: boolean; readonly records: number };
  /** Whether what this node should hold has been computed for the present roster. */
  readonly wantedKnown: boolean;
  readonly wanted: number;
  readonly held: number;
  readonly full: boolean;
}

/** The phase that follows from the facts, and why, in plain words. @throws never */
export function phaseOf(facts: PhaseFacts): { readonly phase: Phase; readonly because: string } {
  if (facts.leaving) {
    return { phase: "leaving", because: "told to leave: handing its blocks and records to others" };
  }
  if (!facts.isMember) return phaseOutside(facts);
  if (facts.members > 1 && facts.peers === 0) {
    return { phase: "looking for peers", because: `none of ${others(facts)} is connected` };
  }
  const { answering, size } = facts.council;
  if (answering * 2 <= size) {
    return { phase: "read-only", because: `${answering} of ${size} council members answer` };
  }
  if (facts.paused) {
    return { phase: "read-only", because: "was paused: comparing with others first" };
  }
  if (!facts.catalog.complete && facts.members > 1) {
    const because = `${count(facts.catalog.records, "record")} so far`;
    return { phase: "fetching metadata", because };
  }
  return phaseOfBlocks(facts);
}

/** Keeps the present phase with its start. */
export interface PhaseHolder {
  now(): PhaseNow;
  /** Takes new facts. @returns the phase when its word changed, else undefined */
  update(facts: PhaseFacts, now: number): PhaseNow | undefined;
}

/** A holder that begins by looking for peers. `now` is ms since the epoch. @throws never */
export function createPhaseHolder(now: number): PhaseHolder {
  let held: PhaseNow = { phase: "looking for peers", since: now, because: "just started" };
  return {
    now: () => held,
    update: (facts, at) => {
      const { phase, because } = phaseOf(facts);
      const changed = phase !== held.phase;
      held = { phase, because, since: changed ? at : held.since };
      return changed ? held : undefined;
    },
  };
}

function phaseOutside(facts: PhaseFacts): { readonly phase: Phase; readonly because: string } {
  if (facts.peers === 0) {
    return { phase: "looking for peers", because: "no member of the group is connected" };
  }
  const because = `asked ${count(facts.peers, "member")} to be taken into the roster`;
  return { phase: "joining", because };
}

function phaseOfBlocks(facts: PhaseFacts): { readonly phase: Phase; readonly because: string } {
  if (facts.full) {
    return { phase: "full", because: "its capacity is used up: others stand in for new copies" };
  }
  if (!facts.wantedKnown) {
    return { phase: "picking blocks", because: "computing what it should hold under the roster" };
  }
  if (facts.wanted > 0) {
    return { phase: "fetching blocks", because: `${count(facts.wanted, "block")} wanted` };
  }
  const alone = facts.members <= 1 ? ", the only member" : "";
  return { phase: "seeding", because: `${count(facts.held, "block")} held, none wanted${alone}` };
}

function others(facts: PhaseFacts): string {
  return count(facts.members - 1, "other member");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
