// What a node believes of the others: merging updates, suspicions and their end.
//
// Beliefs only move forward in the order of supersedes(), so all nodes that hear the same
// facts believe the same, in whatever order they came. Only the member itself raises its
// incarnation, to refute. A death heard in a full exchange about a member that is alive here
// counts as a suspicion: after a partition the sides would otherwise bury each other's living.
// Source: SWIM 4.2 (incarnations), Lifeguard section IV-B (suspicion timeout by confirmations).

import type { NodeId } from "../base/ids.ts";
import { swimConfirmations, swimSuspicionMaxMs, swimSuspicionMinMs } from "../base/limits.ts";
import {
  adjustHealth,
  membersIn,
  type MemberView,
  type SwimCore,
  tell,
  tellAlive,
} from "./swim_core.ts";
import { supersedes, type Update } from "./swim_message.ts";

/** Takes in what somebody says of a member, this node included. @throws never */
export function merge(core: SwimCore, update: Update): void {
  if (update.id === core.self) return refute(core, update);
  const member = core.members.get(update.id);
  if (member === undefined) return;
  if (supersedes(update, member)) {
    believe(core, { member, update });
    return;
  }
  const same = member.state === "suspect" && update.state === "suspect" &&
    member.incarnation === update.incarnation;
  if (same) confirm(core, { member, update });
}

/** This node's own finding that a member does not answer. @throws never */
export function suspect(core: SwimCore, id: NodeId): void {
  const member = core.members.get(id);
  if (member === undefined || (member.state !== "alive" && member.state !== "suspect")) return;
  merge(core, { id, incarnation: member.incarnation, state: "suspect", by: core.self });
}

/** Declares suspects dead whose time is over. @throws never */
export function endSuspicions(core: SwimCore): void {
  for (const member of core.members.values()) {
    const { suspicion, id, incarnation } = member;
    if (
      suspicion === undefined || core.clock - suspicion.startedAt < patience(core, suspicion.by)
    ) {
      continue;
    }
    merge(core, { id, incarnation, state: "dead", by: core.self });
  }
}

/** Starts all suspicions again, without their confirmations: after a pause. @throws never */
export function restartSuspicions(core: SwimCore): void {
  for (const member of core.members.values()) {
    if (member.suspicion !== undefined) {
      member.suspicion = { startedAt: core.clock, by: new Set() };
    }
  }
}

/** Milliseconds from suspicion to death, given who agrees. */
function patience(core: SwimCore, by: ReadonlySet<NodeId>): number {
  const witnesses = membersIn(core, ["alive"]).length;
  const wanted = Math.max(0, Math.min(swimConfirmations, witnesses - 1));
  const confirmed = Math.max(0, by.size - 1);
  if (confirmed >= wanted) return swimSuspicionMinMs;
  const span = swimSuspicionMaxMs - swimSuspicionMinMs;
  return swimSuspicionMaxMs - (span * Math.log(confirmed + 1)) / Math.log(wanted + 1);
}

function believe(
  core: SwimCore,
  change: { readonly member: MemberView; readonly update: Update },
): void {
  const { member, update } = change;
  const before = member.state;
  member.incarnation = update.incarnation;
  member.state = update.state;
  member.suspicion = update.state === "suspect"
    ? { startedAt: core.clock, by: new Set([update.by]) }
    : undefined;
  if (update.state === "suspect") core.urgent.add(member.id);
  tell(core, update);
  if (before !== update.state) {
    core.outputs.push({ kind: "changed", id: member.id, state: update.state });
  }
}

function confirm(
  core: SwimCore,
  change: { readonly member: MemberView; readonly update: Update },
): void {
  const { suspicion } = change.member;
  if (suspicion === undefined || suspicion.by.has(change.update.by)) return;
  if (suspicion.by.size > swimConfirmations) return;
  suspicion.by.add(change.update.by);
  tell(core, change.update);
}

function refute(core: SwimCore, update: Update): void {
  const own = { incarnation: core.incarnation, state: "alive" as const };
  if (core.gone || !supersedes(update, own)) return;
  if (update.state === "suspect") adjustHealth(core, 1);
  core.incarnation = update.incarnation + 1;
  tellAlive(core);
}
