// The state of one node's SWIM, and the few moves that all its parts share: telling the world
// a fact, and sending a message with the facts that still need telling.
//
// Two clocks: `now` is the caller's; `clock` advances with it, but by swimStepMaxMs at most a
// step. Every deadline is on `clock`, so time in which this node did not run never counts
// against others: a node that is stopped nine tenths of the time accuses nobody.
// Source: Das, Gupta, Motivala, SWIM, DSN 2002; Dadgar, Phillips, Currey, Lifeguard, 2018
// (arXiv 1707.00788): buddy system in send().

import type { NodeId } from "../base/ids.ts";
import {
  swimGossipTargets,
  swimHealthMax,
  swimPiggybackBytesMax,
  swimRetransmits,
} from "../base/limits.ts";
import type { Prng } from "../base/prng.ts";
import type { Liveness } from "../status.ts";
import type { ProfileEntry, SwimBody, SwimMessage, Update } from "./swim_message.ts";

/** What the driver carries out or tells the engines, in order. */
export type SwimOutput =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: SwimMessage }
  | { readonly kind: "changed"; readonly id: NodeId; readonly state: Liveness }
  | { readonly kind: "profile"; readonly entry: ProfileEntry }
  | { readonly kind: "answered"; readonly id: NodeId; readonly roundTripMs: number }
  | { readonly kind: "paused" }
  | { readonly kind: "resumed" };

export interface Suspicion {
  readonly startedAt: number;
  /** Who said so: the more agree, the sooner it is a death. */
  readonly by: Set<NodeId>;
}

export interface MemberView {
  readonly id: NodeId;
  incarnation: number;
  state: Liveness;
  suspicion: Suspicion | undefined;
  profile: ProfileEntry | undefined;
  /** `now` of the last message from it; undefined before the first. */
  heardAt: number | undefined;
}

/** A probe under way, by its sequence number. */
export interface Probe {
  readonly target: NodeId;
  readonly sentAt: number;
  /** Caller's time, for the round trip. */
  readonly sentNow: number;
  readonly directUntil: number;
  readonly until: number;
  readonly helpers: Set<NodeId>;
  nacks: number;
}

/** A ping made for somebody else. */
export interface Relay {
  readonly asker: NodeId;
  readonly seq: number;
  readonly nackAt: number;
  readonly until: number;
  nacked: boolean;
}

interface Rumour<Fact> {
  readonly fact: Fact;
  told: number;
}

export interface SwimCore {
  readonly self: NodeId;
  readonly boot: number;
  readonly prng: Prng;
  incarnation: number;
  profile: ProfileEntry | undefined;
  /** All other members. */
  readonly members: Map<NodeId, MemberView>;
  /** Goodbyes of before this start, of those who have not been members since. */
  readonly left: Map<NodeId, number>;
  clock: number;
  lastNow: number | undefined;
  /** Lifeguard's local health multiplier: 0 is well. */
  health: number;
  nextSeq: number;
  readonly probes: Map<number, Probe>;
  readonly relays: Map<number, Relay>;
  /** Members still to probe in this round, and those that others suspect, to probe between. */
  round: NodeId[];
  readonly urgent: Set<NodeId>;
  readonly due: {
    probe: number;
    neighbour: number;
    gossip: number;
    exchange: number;
    deadProbe: number;
  };
  /** `clock` of the pause that no full exchange has ended yet. */
  pausedAt: number | undefined;
  gone: boolean;
  readonly rumours: Map<string, Rumour<Update>>;
  readonly profileRumours: Map<NodeId, Rumour<ProfileEntry>>;
  outputs: SwimOutput[];
}

/** Members in a state, in stable order. @throws never */
export function membersIn(core: SwimCore, states: readonly Liveness[]): MemberView[] {
  return [...core.members.values()].filter((member) => states.includes(member.state));
}

/** Worse local health when `by` is positive; stays in its bounds. @throws never */
export function adjustHealth(core: SwimCore, by: number): void {
  core.health = Math.min(swimHealthMax - 1, Math.max(0, core.health + by));
}

/** Begins to spread an update; what it supersedes is no longer told. @throws never */
export function tell(core: SwimCore, update: Update): void {
  for (const [key, { fact }] of core.rumours) {
    const same = fact.incarnation === update.incarnation && fact.state === update.state;
    if (fact.id === update.id && !same) core.rumours.delete(key);
  }
  const key = update.state === "suspect" ? `${update.id} ${update.by}` : update.id;
  core.rumours.set(key, { fact: update, told: 0 });
}

/** Begins to spread a profile. @throws never */
export function tellProfile(core: SwimCore, entry: ProfileEntry): void {
  core.profileRumours.set(entry.id, { fact: entry, told: 0 });
}

/** Says that this node is alive, under its present incarnation. @throws never */
export function tellAlive(core: SwimCore): void {
  tell(core, { id: core.self, incarnation: core.incarnation, state: "alive", by: core.self });
}

/** Sends a message with the facts told least so far; a suspect hears of itself first. */
export function send(
  core: SwimCore,
  letter: {
    readonly to: NodeId;
    readonly body: SwimBody;
    readonly profiles?: readonly ProfileEntry[];
  },
): void {
  const updates = aboutReceiver(core, letter.to);
  let bytes = updates.length * updateBytes;
  const tellsMax = retransmitsMax(core);
  for (const [key, rumour] of leastTold(core.rumours)) {
    if (bytes + updateBytes > swimPiggybackBytesMax) break;
    if (rumour.fact.id === letter.to && updates.length > 0) continue;
    updates.push(rumour.fact);
    bytes += updateBytes;
    rumour.told += 1;
    if (rumour.told >= tellsMax) core.rumours.delete(key);
  }
  const profiles: ProfileEntry[] = letter.profiles?.slice() ?? [];
  if (letter.profiles === undefined) {
    for (const [id, rumour] of leastTold(core.profileRumours)) {
      bytes += rumour.fact.body.length + updateBytes;
      if (bytes > swimPiggybackBytesMax) break;
      if (id === letter.to) continue;
      profiles.push(rumour.fact);
      rumour.told += 1;
      if (rumour.told >= tellsMax) core.profileRumours.delete(id);
    }
  }
  const message = { body: letter.body, updates, profiles };
  core.outputs.push({ kind: "send", to: letter.to, message });
}

/** Sends waiting facts to a few random members. @throws never */
export function gossip(core: SwimCore): void {
  if (core.rumours.size + core.profileRumours.size === 0) return;
  const targets = core.prng.shuffle(membersIn(core, ["alive", "suspect"]));
  for (const target of targets.slice(0, swimGossipTargets)) {
    send(core, { to: target.id, body: { kind: "gossip" } });
  }
}

/** Bytes that one update takes on the wire, at most. */
export const updateBytes = 160;

function aboutReceiver(core: SwimCore, to: NodeId): Update[] {
  const member = core.members.get(to);
  if (member === undefined || (member.state !== "suspect" && member.state !== "dead")) return [];
  const { id, incarnation, state } = member;
  return [{ id, incarnation, state, by: core.self }];
}

function retransmitsMax(core: SwimCore): number {
  return swimRetransmits * Math.ceil(Math.log10(core.members.size + 2));
}

function leastTold<Key, Fact>(rumours: Map<Key, Rumour<Fact>>): [Key, Rumour<Fact>][] {
  return [...rumours].sort(([, one], [, other]) => one.told - other.told);
}
