// The proposer's half of the roster chain (ARCHITECTURE.md R2-R4): collects wished changes, hands
// its own to the first live council member, and proposes the next roster when it is that member
// or when nobody else did in time. One attempt at a time; nothing here is persisted.

import type { NodeId } from "../base/ids.ts";
import { rosterChangesMax } from "../base/limits.ts";
import type { Prng } from "../base/prng.ts";
import type { Mutants } from "./mutant.ts";
import { compareCouncilBallots } from "./council_acceptor.ts";
import { has, isVoid, majority, nextRoster } from "./roster_change.ts";
import type { Roster } from "./roster.ts";
import type { CouncilBallot, RosterBody, RosterChange } from "./roster_message.ts";

/** What the proposer needs of the node around it. */
export interface CouncilHost {
  readonly self: NodeId;
  readonly boot: number;
  readonly prng: Prng;
  readonly mutants: Mutants;
  readonly settings: {
    readonly rosterAttemptMs: number;
    readonly rosterBackoffMs: {
      readonly least: number;
      readonly first: number;
      readonly most: number;
    };
    readonly batchMs: number;
    readonly helloMs: number;
  };
  /** The live chain, ending with the present roster; empty without one. */
  history(): readonly Roster[];
  alive(): ReadonlySet<NodeId>;
  send(to: NodeId, body: RosterBody): void;
  /** A successor was decided: adopt it and tell the members. */
  decided(roster: Roster): void;
}

interface Pending {
  readonly change: RosterChange;
  readonly own: boolean;
  readonly firstAt: number;
  /** A change of another node is dropped when it is not asked for again. */
  expiresAt: number;
}

interface Attempt {
  readonly ballot: CouncilBallot;
  readonly until: number;
  readonly promises: Map<NodeId, { ballot: CouncilBallot; roster: Roster } | null>;
  readonly accepted: Set<NodeId>;
  proposed: Roster | undefined;
}

export interface CouncilProposer {
  /** Wishes a change: `own` ones are kept until they took effect or are void. */
  want(change: RosterChange, options: { readonly own: boolean; readonly now: number }): void;
  /** Takes back own wishes that match. */
  withdraw(match: (change: RosterChange) => boolean): void;
  reply(from: NodeId, body: RosterBody, now: number): void;
  tick(now: number): void;
  /** The roster changed: what was under way is over. */
  adopted(now: number): void;
  pending(): readonly RosterChange[];
}

/** How long a change that another node asked for is kept without being asked again. */
const otherChangeMs = 10_000;

/** A proposer over its host. @throws never */
export function createCouncilProposer(host: CouncilHost): CouncilProposer {
  const wanted = new Map<string, Pending>();
  const { settings, prng, self } = host;
  let attempt: Attempt | undefined;
  let round = 0;
  let failures = 0;
  let waitUntil = 0;
  let forwardedAt = -Infinity;

  const present = () => host.history()[host.history().length - 1];
  const needed = (roster: Roster) =>
    host.mutants.has("minority-council")
      ? Math.max(1, majority(roster.council.length) - 1)
      : majority(roster.council.length);
  const firstLive = (roster: Roster) =>
    roster.council.find((id) => id === self || host.alive().has(id));

  function backOff(now: number): void {
    attempt = undefined;
    const { least, first, most } = settings.rosterBackoffMs;
    const bound = Math.min(most, first * 2 ** Math.min(failures, 10));
    waitUntil = now + prng.between(Math.min(least, bound), Math.max(least, bound));
    failures += 1;
  }

  function prune(now: number): void {
    for (const [name, { change, own, expiresAt }] of wanted) {
      // An own join stays wanted while no chain is known yet: there is nothing to judge it by.
      const unknown = host.history().length === 0 && own;
      if (!unknown && (isVoid(change, host.history()) || (!own && now >= expiresAt))) {
        wanted.delete(name);
      }
    }
  }

  function forward(now: number): void {
    const roster = present();
    if (roster === undefined || now - forwardedAt < settings.helloMs) return;
    forwardedAt = now;
    const first = firstLive(roster);
    for (const { change, own } of wanted.values()) {
      if (!own) continue;
      const others = roster.members.map((member) => member.id).filter((id) => id !== self);
      // Now and then another member, in case the first live one is only believed alive.
      const to = first === undefined || prng.chance(0.3) ? prng.pick(others) : first;
      if (to !== undefined && to !== self) host.send(to, { kind: "want", change });
    }
  }

  function mayPropose(roster: Roster, now: number): boolean {
    if (attempt !== undefined || now < waitUntil || wanted.size === 0) return false;
    if (!has(roster, self) || roster.into !== undefined) return false;
    const oldest = Math.min(...[...wanted.values()].map((pending) => pending.firstAt));
    if (now - oldest < settings.batchMs) return false;
    return firstLive(roster) === self || now - oldest >= 2 * settings.rosterAttemptMs;
  }

  function begin(roster: Roster, now: number): void {
    const boot = host.mutants.has("ballot-reused") ? 0 : host.boot;
    round += 1;
    attempt = {
      ballot: [round, self, boot],
      until: now + settings.rosterAttemptMs,
      promises: new Map(),
      accepted: new Set(),
      proposed: undefined,
    };
    for (const to of roster.council) {
      host.send(to, { kind: "r-prepare", ballot: attempt.ballot });
    }
  }

  function offer(roster: Roster, current: Attempt): void {
    let highest: { ballot: CouncilBallot; roster: Roster } | null = null;
    for (const accepted of current.promises.values()) {
      if (compareCouncilBallots(accepted?.ballot ?? null, highest?.ballot ?? null) > 0) {
        highest = accepted;
      }
    }
    if (host.mutants.has("ignore-accepted-roster")) highest = null;
    const changes = [...wanted.values()].map((pending) => pending.change);
    const next = highest?.roster ??
      nextRoster(changes, { history: host.history(), alive: host.alive() });
    if (next === undefined) {
      attempt = undefined;
      return;
    }
    current.proposed = next;
    for (const to of roster.council) {
      host.send(to, { kind: "r-accept", ballot: current.ballot, roster: next });
    }
  }

  function reply(from: NodeId, body: RosterBody, now: number): void {
    const roster = present();
    if (attempt === undefined || roster === undefined || !roster.council.includes(from)) return;
    if (body.kind === "r-no" || body.kind === "r-promise" || body.kind === "r-accepted") {
      if (compareCouncilBallots(body.ballot, attempt.ballot) !== 0) return;
    }
    if (body.kind === "r-no") {
      round = Math.max(round, body.promised[0]);
      backOff(now);
    } else if (body.kind === "r-promise" && attempt.proposed === undefined) {
      attempt.promises.set(from, body.accepted);
      if (attempt.promises.size >= needed(roster)) offer(roster, attempt);
    } else if (body.kind === "r-accepted" && attempt.proposed !== undefined) {
      attempt.accepted.add(from);
      if (attempt.accepted.size >= needed(roster)) host.decided(attempt.proposed);
    }
  }

  return {
    want(change, { own, now }) {
      const name = JSON.stringify(change);
      const known = wanted.get(name);
      const expiresAt = now + otherChangeMs;
      if (known !== undefined) known.expiresAt = expiresAt;
      else if (
        (own || wanted.size < rosterChangesMax) && (own || !isVoid(change, host.history()))
      ) {
        wanted.set(name, { change, own, firstAt: now, expiresAt });
      }
    },
    withdraw(match) {
      for (const [name, { change, own }] of wanted) if (own && match(change)) wanted.delete(name);
    },
    reply,
    tick(now) {
      prune(now);
      if (attempt !== undefined && now >= attempt.until) backOff(now);
      const roster = present();
      if (roster === undefined) return;
      forward(now);
      if (mayPropose(roster, now)) begin(roster, now);
    },
    adopted(now) {
      attempt = undefined;
      round = 0;
      failures = 0;
      waitUntil = now;
      prune(now);
    },
    pending: () => [...wanted.values()].map((pending) => pending.change),
  };
}
