// Asking members whether they are there: two each period. One goes through all members in
// random rounds; the other to the next member alive in order of id, so that nobody waits
// longer than a period to be missed (random rounds alone leave a tail of several). Members
// that somebody suspects are asked between, one each gossip round. No answer in half a
// period: a few helpers ask for us. Still none at its end: suspect.
//
// Lifeguard: helpers that could not reach the target say so (nack). Helpers that say nothing
// are a sign that we are the ones cut off or slow: our health falls, we wait longer.
// Two changes, so that many deaths at once do not blind us: health falls by one a probe, not
// by one a helper; and we wait longer but do not ask more seldom (probes may overlap).
// Source: SWIM 4.1 and 4.3; Lifeguard section IV-A (LHA-Probe).

import type { NodeId } from "../base/ids.ts";
import {
  swimDeadProbeMs,
  swimHelpers,
  swimPeriodMs,
  swimProbesMax,
  swimProbeTimeoutMs,
} from "../base/limits.ts";
import { adjustHealth, membersIn, type Probe, send, type SwimCore } from "./swim_core.ts";
import { suspect } from "./swim_table.ts";

/** A helper says nack after this part of its own wait, so that it arrives in time. */
const nackAfterMs = swimProbeTimeoutMs * 0.6;

/** Moves all probes and relays on, and starts what is due. @throws never */
export function runProbes(core: SwimCore): void {
  for (const [seq, relay] of core.relays) {
    if (!relay.nacked && core.clock >= relay.nackAt) {
      relay.nacked = true;
      send(core, { to: relay.asker, body: { kind: "nack", seq: relay.seq } });
    }
    if (core.clock >= relay.until) core.relays.delete(seq);
  }
  for (const [seq, probe] of core.probes) {
    if (core.clock >= probe.until) failProbe(core, { seq, probe });
    else if (core.clock >= probe.directUntil && probe.helpers.size === 0) {
      askHelpers(core, { seq, probe });
    }
  }
  if (core.clock >= core.due.probe) {
    core.due.probe = core.clock + swimPeriodMs;
    const target = nextTarget(core);
    if (target !== undefined) probe(core, { target, now: core.lastNow ?? 0 });
  }
  if (core.clock >= core.due.neighbour) {
    core.due.neighbour = core.clock + swimPeriodMs;
    const target = neighbour(core);
    if (target !== undefined) probe(core, { target, now: core.lastNow ?? 0 });
  }
  if (core.clock >= core.due.deadProbe) probeTheDead(core);
}

/** Probes one member that somebody else suspects, if any: to agree or not soon. @throws never */
export function probeSuspect(core: SwimCore): void {
  for (const id of core.urgent) {
    core.urgent.delete(id);
    if (core.members.get(id)?.state !== "suspect") continue;
    probe(core, { target: id, now: core.lastNow ?? 0 });
    return;
  }
}

/** Starts a probe of a member now, unless one is under way. @throws never */
export function probe(
  core: SwimCore,
  aim: { readonly target: NodeId; readonly now: number },
): void {
  if (core.probes.size >= swimProbesMax) return;
  for (const { target } of core.probes.values()) if (target === aim.target) return;
  core.urgent.delete(aim.target);
  const seq = core.nextSeq++;
  const stretch = core.health + 1;
  core.probes.set(seq, {
    target: aim.target,
    sentAt: core.clock,
    sentNow: aim.now,
    directUntil: core.clock + swimProbeTimeoutMs * stretch,
    until: core.clock + swimPeriodMs * stretch,
    helpers: new Set(),
    nacks: 0,
  });
  send(core, { to: aim.target, body: { kind: "ping", seq } });
}

/** Pings `target` for `asker`. @throws never */
export function relay(
  core: SwimCore,
  request: { readonly asker: NodeId; readonly target: NodeId; readonly seq: number },
): void {
  if (core.relays.size >= swimProbesMax) return;
  const own = core.nextSeq++;
  core.relays.set(own, {
    asker: request.asker,
    seq: request.seq,
    nackAt: core.clock + nackAfterMs,
    until: core.clock + swimPeriodMs,
    nacked: false,
  });
  send(core, { to: request.target, body: { kind: "ping", seq: own } });
}

/** An answer to one of our pings, or from a helper. Late and unknown ones are ignored. */
export function onAck(
  core: SwimCore,
  answer: { readonly from: NodeId; readonly seq: number; readonly now: number },
): void {
  const passed = core.relays.get(answer.seq);
  if (passed !== undefined) {
    core.relays.delete(answer.seq);
    send(core, { to: passed.asker, body: { kind: "ack", seq: passed.seq } });
    return;
  }
  const found = core.probes.get(answer.seq);
  if (found === undefined) return;
  if (answer.from !== found.target && !found.helpers.has(answer.from)) return;
  core.probes.delete(answer.seq);
  adjustHealth(core, -1);
  const member = core.members.get(found.target);
  if (member !== undefined) member.heardAt = answer.now;
  if (answer.from === found.target) {
    const roundTripMs = Math.max(0, answer.now - found.sentNow);
    core.outputs.push({ kind: "answered", id: found.target, roundTripMs });
  }
}

/** A helper is alive but the target did not answer it. */
export function onNack(
  core: SwimCore,
  answer: { readonly from: NodeId; readonly seq: number },
): void {
  const found = core.probes.get(answer.seq);
  if (found !== undefined && found.helpers.has(answer.from)) found.nacks += 1;
}

function failProbe(core: SwimCore, failed: { readonly seq: number; readonly probe: Probe }): void {
  const { seq, probe: { target, helpers, nacks } } = failed;
  core.probes.delete(seq);
  const member = core.members.get(target);
  if (member === undefined || member.state === "dead" || member.state === "left") return;
  if (nacks * 2 <= helpers.size) adjustHealth(core, 1);
  if (core.pausedAt === undefined) suspect(core, target);
}

function askHelpers(
  core: SwimCore,
  failing: { readonly seq: number; readonly probe: Probe },
): void {
  const { seq, probe: { target, helpers } } = failing;
  const candidates = membersIn(core, ["alive"]).filter((member) => member.id !== target);
  for (const helper of core.prng.shuffle(candidates).slice(0, swimHelpers)) {
    helpers.add(helper.id);
    send(core, { to: helper.id, body: { kind: "ask", seq, target } });
  }
}

function nextTarget(core: SwimCore): NodeId | undefined {
  for (let turn = 0; turn < 2; turn++) {
    for (let id = core.round.pop(); id !== undefined; id = core.round.pop()) {
      const state = core.members.get(id)?.state;
      if (state === "alive" || state === "suspect") return id;
    }
    core.round = core.prng.shuffle([...core.members.keys()]);
  }
  return undefined;
}

/** The next member by id, going round, of those that seem to be there. */
function neighbour(core: SwimCore): NodeId | undefined {
  let least: NodeId | undefined;
  let next: NodeId | undefined;
  for (const { id, state } of core.members.values()) {
    if (state === "dead" || state === "left") continue;
    if (least === undefined || id < least) least = id;
    if (id > core.self && (next === undefined || id < next)) next = id;
  }
  return next ?? least;
}

/** A member that seems dead, or left, may be back, or behind a cut that has healed. */
function probeTheDead(core: SwimCore): void {
  core.due.deadProbe = core.clock + swimDeadProbeMs;
  const target = core.prng.pick(membersIn(core, ["dead", "left"]));
  if (target !== undefined) probe(core, { target: target.id, now: core.lastNow ?? 0 });
}
