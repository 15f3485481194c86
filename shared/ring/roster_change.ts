// From one roster to the next (ARCHITECTURE.md R3, R4): conditional changes, standing, council.
// Pure: what a proposer believes alive comes in, and becomes one truth only by being decided.
//
// Changes are conditional on the member's `since` (or, for a join, on not having been a member
// since `at`), so that a late copy of a request neither re-admits who left nor expels who returned.

import { sha256Text, toHex } from "../base/hash.ts";
import { asLineage, type Lineage, type NodeId } from "../base/ids.ts";
import { councilMax, rosterMembersMax } from "../base/limits.ts";
import type { Member, Roster } from "./roster.ts";
import type { RosterChange } from "./roster_message.ts";

/** What a change is judged against. `history` ends with the present roster. */
export interface Standing {
  readonly history: readonly Roster[];
  readonly alive: ReadonlySet<NodeId>;
}

/** Half of `count`, rounded down, plus one. @throws never */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** Name of a founding: hash of founder, stamp and salt (and of the parent, when forced). */
export function lineageOf(
  founding: Pick<Roster, "founder" | "foundedAt" | "salt" | "parent">,
): Lineage {
  const { founder, foundedAt, salt, parent } = founding;
  const origin = parent === undefined ? "" : `${parent.lineage}/${parent.epoch}`;
  return asLineage(toHex(sha256Text(`${founder}\0${foundedAt}\0${salt}\0${origin}`)));
}

/** Roster 1 of a new lineage: the founder alone (F1). @throws never */
export function foundingRoster(
  founding: Pick<Roster, "founder" | "foundedAt" | "salt"> & Pick<Member, "capacity" | "zone">,
): Roster {
  const { founder, foundedAt, salt, capacity, zone } = founding;
  return {
    lineage: lineageOf({ founder, foundedAt, salt }),
    epoch: 1,
    members: [{ id: founder, since: 1, capacity, zone }],
    council: [founder],
    lost: [],
    foundedAt,
    founder,
    salt,
  };
}

/** First roster of a new lineage, made by an operator whose council is gone for good (F3). */
export function forcedRoster(
  roster: Roster,
  force: {
    readonly by: NodeId;
    readonly lost: readonly NodeId[];
    readonly foundedAt: number;
    readonly salt: string;
  },
): Roster {
  const parent = { lineage: roster.lineage, epoch: roster.epoch };
  const { foundedAt, salt, by: founder } = force;
  const members = roster.members.filter((member) => !force.lost.includes(member.id));
  return {
    lineage: lineageOf({ founder, foundedAt, salt, parent }),
    epoch: roster.epoch + 1,
    members,
    council: councilOf(members, new Set(members.map((member) => member.id))),
    lost: [...new Set([...roster.lost, ...force.lost])],
    foundedAt,
    founder,
    salt,
    parent,
  };
}

/**
 * Council of a roster: the longest-standing members believed alive, then others by standing, as
 * many as the greatest odd number that is at most the members' number and `councilMax` (R3).
 * @returns 1, 3, 5 or 7 ids; none of no members
 */
export function councilOf(
  members: readonly Member[],
  alive: ReadonlySet<NodeId>,
): readonly NodeId[] {
  const bound = Math.min(councilMax, members.length);
  const size = bound === 0 ? 0 : bound - (1 - (bound % 2));
  const standing = [...members].sort(byStanding);
  const live = standing.filter((member) => alive.has(member.id));
  const rest = standing.filter((member) => !alive.has(member.id));
  return [...live, ...rest].slice(0, size).map((member) => member.id);
}

/** Whether a change can have no effect on the present roster any more (R4). @throws never */
export function isVoid(change: RosterChange, history: readonly Roster[]): boolean {
  const roster = history[history.length - 1];
  if (roster === undefined || roster.into !== undefined) return true;
  if (change.kind === "dissolve") return change.into === roster.lineage;
  if (change.kind === "lost") return roster.lost.includes(change.id) && !has(roster, change.id);
  if (change.kind === "join") return joinIsVoid(change, history);
  return !roster.members.some((member) =>
    member.id === change.id && member.since === change.since &&
    (change.kind !== "resize" || member.capacity !== change.capacity)
  );
}

/**
 * The roster after `changes` (R3), or undefined when all of them are void.
 * A change that would empty the roster is void too. @throws never
 */
export function nextRoster(
  changes: readonly RosterChange[],
  { history, alive }: Standing,
): Roster | undefined {
  const roster = history[history.length - 1];
  if (roster === undefined) return undefined;
  const effective = changes.filter((change) => !isVoid(change, history));
  const dissolve = effective.find((change) => change.kind === "dissolve");
  const { into: _into, ...kept } = roster;
  const epoch = roster.epoch + 1;
  if (dissolve?.kind === "dissolve") return { ...kept, epoch, into: dissolve.into };
  const draft = { members: [...roster.members], lost: [...roster.lost] };
  let applied = 0;
  for (const change of effective) applied += applyChange(draft, { change, epoch }) ? 1 : 0;
  if (applied === 0) return undefined;
  const members = draft.members.sort(byStanding);
  return { ...kept, epoch, members, council: councilOf(members, alive), lost: draft.lost };
}

/** Longest-standing first; of one epoch the lower id first. */
export function byStanding(left: Member, right: Member): number {
  return left.since - right.since || (left.id < right.id ? -1 : left.id > right.id ? 1 : 0);
}

/** Whether a node is in a roster. @throws never */
export function has(roster: Roster, id: NodeId): boolean {
  return roster.members.some((member) => member.id === id);
}

function joinIsVoid(
  change: Extract<RosterChange, { kind: "join" }>,
  history: readonly Roster[],
): boolean {
  const [oldest] = history;
  const roster = history[history.length - 1];
  if (oldest === undefined || roster === undefined || change.at < oldest.epoch - 1) return true;
  if (change.at > roster.epoch || roster.lost.includes(change.id)) return true;
  return history.some((past) => past.epoch > change.at && has(past, change.id)) ||
    has(roster, change.id);
}

function applyChange(
  draft: { members: Member[]; lost: NodeId[] },
  { change, epoch }: { readonly change: RosterChange; readonly epoch: number },
): boolean {
  switch (change.kind) {
    case "join": {
      const { id, capacity, zone } = change;
      if (draft.members.some((member) => member.id === id)) return false;
      if (draft.members.length >= rosterMembersMax) return false;
      draft.members.push({ id, since: epoch, capacity, zone });
      return true;
    }
    case "leave":
    case "expel":
      return remove(draft, change.id);
    case "resize": {
      const { id, capacity } = change;
      draft.members = draft.members.map((member) =>
        member.id === id ? { ...member, capacity } : member
      );
      return true;
    }
    case "lost": {
      const removed = remove(draft, change.id);
      if (draft.lost.includes(change.id)) return removed;
      if (draft.members.some((member) => member.id === change.id)) return false;
      draft.lost.push(change.id);
      return true;
    }
    case "dissolve":
      return false;
    default:
      return change satisfies never;
  }
}

function remove(draft: { members: Member[] }, id: NodeId): boolean {
  const rest = draft.members.filter((member) => member.id !== id);
  if (rest.length === 0 || rest.length === draft.members.length) return false;
  draft.members = rest;
  return true;
}
