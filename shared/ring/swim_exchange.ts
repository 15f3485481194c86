// The full exchange: two nodes compare all they believe and all profiles they have. It heals
// what gossip lost, tells a newcomer everything, and ends a pause.
//
//   round 0   asker   -> all rows (id, incarnation, state, profile version)
//   round 1   partner -> all rows, and profiles newer than the asker's
//   round 2   asker   -> profiles newer than the partner's
//
// Rows grow with the number of members, so the interval does too: bytes a second do not.

import type { NodeId } from "../base/ids.ts";
import {
  swimExchangeBytesMax,
  swimExchangeMinMs,
  swimExchangeMsPerMember,
  swimLonelyMs,
} from "../base/limits.ts";
import { membersIn, send, type SwimCore, tellProfile, updateBytes } from "./swim_core.ts";
import {
  isNewerProfile,
  type Known,
  type ProfileEntry,
  supersedes,
  type SwimBody,
} from "./swim_message.ts";
import { merge } from "./swim_table.ts";

type Exchange = Extract<SwimBody, { readonly kind: "exchange" }>;

/** Asks one member for a full exchange when it is time; several, quickly, while paused. */
export function runExchanges(core: SwimCore): void {
  const { pausedAt } = core;
  if (pausedAt !== undefined && core.clock - pausedAt > swimLonelyMs) resume(core);
  if (core.clock < core.due.exchange) return;
  const paused = core.pausedAt !== undefined;
  core.due.exchange = core.clock + (paused ? pausedRetryMs : exchangeInterval(core));
  const partners = core.prng.shuffle(membersIn(core, ["alive", "suspect"]));
  for (const { id } of partners.slice(0, paused ? pausedPartners : 1)) ask(core, id);
  if (paused && core.members.size === 0) resume(core);
}

const pausedRetryMs = 500;
const pausedPartners = 3;

/** Milliseconds between full exchanges that this node starts. @throws never */
export function exchangeInterval(core: SwimCore): number {
  const even = Math.max(swimExchangeMinMs, core.members.size * swimExchangeMsPerMember);
  return even * core.prng.between(0.8, 1.2);
}

/** Starts an exchange with one member. @throws never */
export function ask(core: SwimCore, to: NodeId): void {
  send(core, { to, body: { kind: "exchange", round: 0, known: rows(core) }, profiles: [] });
}

/** One message of an exchange. @throws never */
export function onExchange(
  core: SwimCore,
  message: { readonly from: NodeId; readonly body: Exchange },
): void {
  const { from, body } = message;
  if (body.round === 2) return;
  for (const row of body.known) mergeRow(core, { row, from });
  const profiles = newerProfiles(core, body.known);
  if (body.round === 0) {
    const reply: Exchange = { kind: "exchange", round: 1, known: rows(core) };
    send(core, { to: from, body: reply, profiles });
    return;
  }
  if (profiles.length > 0) {
    send(core, { to: from, body: { kind: "exchange", round: 2, known: [] }, profiles });
  }
  if (core.pausedAt !== undefined && core.members.has(from)) resume(core);
}

/** Takes in profiles, from gossip or an exchange; newer ones are told on. @throws never */
export function mergeProfiles(core: SwimCore, entries: readonly ProfileEntry[]): void {
  for (const entry of entries) {
    const member = core.members.get(entry.id);
    if (member === undefined || !isNewerProfile(entry, member.profile)) continue;
    member.profile = entry;
    tellProfile(core, entry);
    core.outputs.push({ kind: "profile", entry });
  }
}

function resume(core: SwimCore): void {
  if (core.pausedAt === undefined) return;
  core.pausedAt = undefined;
  core.outputs.push({ kind: "resumed" });
}

function mergeRow(
  core: SwimCore,
  told: { readonly row: Known; readonly from: NodeId },
): void {
  const { row, from } = told;
  const member = core.members.get(row.id);
  const update = { id: row.id, incarnation: row.incarnation, state: row.state, by: from };
  const buries = row.state === "dead" && member !== undefined && member.incarnation > 0 &&
    (member.state === "alive" || member.state === "suspect") && supersedes(row, member);
  merge(core, buries ? { ...update, state: "suspect" } : update);
}

function rows(core: SwimCore): Known[] {
  const own: Known = {
    id: core.self,
    incarnation: core.incarnation,
    state: core.gone ? "left" : "alive",
    boot: core.profile?.boot ?? 0,
    version: core.profile?.version ?? 0,
  };
  const others = [...core.members.values()].map((member): Known => ({
    id: member.id,
    incarnation: member.incarnation,
    state: member.state,
    boot: member.profile?.boot ?? 0,
    version: member.profile?.version ?? 0,
  }));
  return [own, ...others];
}

/** Profiles that the rows' sender lacks, as many as fit; the rest waits for the next time. */
function newerProfiles(core: SwimCore, known: readonly Known[]): ProfileEntry[] {
  const theirs = new Map(known.map((row) => [row.id, row]));
  const mine = [core.profile, ...[...core.members.values()].map((member) => member.profile)];
  const newer: ProfileEntry[] = [];
  let bytes = 0;
  for (const entry of mine) {
    if (entry === undefined || !isNewerProfile(entry, theirs.get(entry.id))) continue;
    bytes += entry.body.length + updateBytes;
    if (bytes > swimExchangeBytesMax) break;
    newer.push(entry);
  }
  return newer;
}
