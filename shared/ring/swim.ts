// Who answers: SWIM with the Lifeguard refinements, for one node, as a state machine.
//
// Members to watch come from the roster; this says only which of them answer. Its findings
// choose stand-ins and start expulsions: they never change owners, so a wrong one costs work,
// not data. A step whose `now` is pauseMs or more after the last one is a pause: what was
// under way is dropped, nobody is suspected or declared dead, and `paused` holds until one
// full exchange with another member (or until nobody answered for swimLonelyMs). The node
// then refutes in advance, since others may have suspected it meanwhile.
//
// Parts: swim_core (state, sending), swim_table (beliefs), swim_probe, swim_exchange.
// Must not know: rosters, sockets, bytes, wall clocks. `now` is any clock that never goes back.

import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";
import {
  pauseMs,
  swimExchangeMinMs,
  swimGossipMs,
  swimPeriodMs,
  swimStepMaxMs,
} from "../base/limits.ts";
import type { Prng } from "../base/prng.ts";
import type { Liveness } from "../status.ts";
import {
  gossip,
  type MemberView,
  send,
  type SwimCore,
  type SwimOutput,
  tellAlive,
  tellProfile,
} from "./swim_core.ts";
import { mergeProfiles, onExchange, runExchanges } from "./swim_exchange.ts";
import type { ProfileEntry, SwimMessage } from "./swim_message.ts";
import { onAck, onNack, probe, probeSuspect, relay, runProbes } from "./swim_probe.ts";
import { endSuspicions, merge, restartSuspicions } from "./swim_table.ts";

export type { SwimOutput } from "./swim_core.ts";

/** Incarnations of one start of a node: more refutations than a start can need. */
export const incarnationsPerBoot = 2 ** 20;

export type SwimInput =
  /** Time passes: every 50 to 250 ms. */
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly from: NodeId; readonly message: SwimMessage }
  /** The roster's members; this node may be among them or not. */
  | { readonly kind: "members"; readonly ids: readonly NodeId[] }
  /** This node's own facts changed: encoded, at most profileBytesMax. */
  | { readonly kind: "profile"; readonly body: Uint8Array }
  /** A connection broke: a reason to probe now, never a death by itself. */
  | { readonly kind: "lost"; readonly id: NodeId }
  /** Ask every member now (an operator wants to know). */
  | { readonly kind: "discover" }
  /** This node stops cleanly: tells everybody, and is silent afterwards. */
  | { readonly kind: "leave" };

export interface SwimOptions {
  readonly self: NodeId;
  /** Persisted counter of starts, 1 or more: a restarted node outranks its former self. */
  readonly boot: number;
  readonly prng: Prng;
  /** Members that had said goodbye when this node last ran, by incarnation. */
  readonly left?: ReadonlyMap<NodeId, number>;
}

/** What is believed of one member. `heardAt` is on the caller's clock. */
export interface Belief {
  readonly id: NodeId;
  readonly state: Liveness;
  readonly incarnation: number;
  readonly heardAt: number | undefined;
  readonly profile: ProfileEntry | undefined;
}

export interface Swim {
  /** Takes one input at `now` (ms). @returns outputs in order. @throws never */
  step(input: SwimInput, now: number): readonly SwimOutput[];
  /** All other members, in the order in which they became known. */
  beliefs(): readonly Belief[];
  /** Whether a pause has not yet been followed by a full exchange: no quorums, no deaths. */
  paused(): boolean;
  /** Local health multiplier, 0 (well) to swimHealthMax - 1. */
  health(): number;
}

/** A node's SWIM, before its first step. @throws {AssertionError} on a boot count below 1 */
export function createSwim(options: SwimOptions): Swim {
  assert(Number.isInteger(options.boot) && options.boot >= 1, "starts are counted from 1");
  const core: SwimCore = {
    self: options.self,
    boot: options.boot,
    prng: options.prng,
    incarnation: options.boot * incarnationsPerBoot,
    profile: undefined,
    members: new Map(),
    left: new Map(options.left),
    clock: 0,
    lastNow: undefined,
    health: 0,
    nextSeq: options.prng.int(2 ** 31),
    probes: new Map(),
    relays: new Map(),
    round: [],
    urgent: new Set(),
    due: {
      probe: options.prng.int(swimPeriodMs),
      neighbour: options.prng.int(swimPeriodMs),
      gossip: options.prng.int(swimGossipMs),
      exchange: options.prng.int(swimPeriodMs),
      deadProbe: options.prng.int(swimPeriodMs),
    },
    pausedAt: undefined,
    gone: false,
    rumours: new Map(),
    profileRumours: new Map(),
    outputs: [],
  };
  tellAlive(core);
  return {
    step: (input, now) => step(core, { input, now }),
    beliefs: () => [...core.members.values()].map(beliefOf),
    paused: () => core.pausedAt !== undefined,
    health: () => core.health,
  };
}

function step(
  core: SwimCore,
  { input, now }: { readonly input: SwimInput; readonly now: number },
): readonly SwimOutput[] {
  advance(core, now);
  if (core.gone) return [];
  switch (input.kind) {
    case "tick":
      onTick(core);
      break;
    case "message":
      onMessage(core, { from: input.from, message: input.message, now });
      break;
    case "members":
      setMembers(core, input.ids);
      break;
    case "profile":
      setProfile(core, input.body);
      break;
    case "lost":
      if (core.members.get(input.id)?.state === "alive") probe(core, { target: input.id, now });
      break;
    case "discover":
      for (const id of core.members.keys()) probe(core, { target: id, now });
      break;
    case "leave":
      leave(core);
      break;
    default:
      input satisfies never;
  }
  const outputs = core.outputs;
  core.outputs = [];
  return outputs;
}

function advance(core: SwimCore, now: number): void {
  const gap = core.lastNow === undefined ? 0 : Math.max(0, now - core.lastNow);
  core.lastNow = core.lastNow === undefined ? now : Math.max(core.lastNow, now);
  core.clock += Math.min(gap, swimStepMaxMs);
  if (gap < pauseMs || core.gone) return;
  core.probes.clear();
  core.relays.clear();
  restartSuspicions(core);
  core.incarnation += 1;
  tellAlive(core);
  core.due.exchange = core.clock;
  core.due.gossip = core.clock;
  if (core.pausedAt === undefined) core.outputs.push({ kind: "paused" });
  core.pausedAt = core.clock;
}

function onTick(core: SwimCore): void {
  runProbes(core);
  if (core.pausedAt === undefined) endSuspicions(core);
  runExchanges(core);
  if (core.clock < core.due.gossip) return;
  core.due.gossip = core.clock + swimGossipMs;
  probeSuspect(core);
  gossip(core);
}

function onMessage(
  core: SwimCore,
  letter: { readonly from: NodeId; readonly message: SwimMessage; readonly now: number },
): void {
  const { from, message: { body, updates, profiles }, now } = letter;
  const sender = core.members.get(from);
  if (sender !== undefined) {
    sender.heardAt = now;
    for (const update of updates) merge(core, update);
    mergeProfiles(core, profiles);
  }
  switch (body.kind) {
    case "ping":
      send(core, { to: from, body: { kind: "ack", seq: body.seq } });
      return;
    case "ack":
      onAck(core, { from, seq: body.seq, now });
      return;
    case "ask":
      if (sender !== undefined && core.members.has(body.target)) {
        relay(core, { asker: from, target: body.target, seq: body.seq });
      }
      return;
    case "nack":
      onNack(core, { from, seq: body.seq });
      return;
    case "exchange":
      if (sender !== undefined) onExchange(core, { from, body });
      return;
    case "gossip":
      return;
    default:
      body satisfies never;
  }
}

function setMembers(core: SwimCore, ids: readonly NodeId[]): void {
  const wanted = new Set(ids.filter((id) => id !== core.self));
  for (const id of core.members.keys()) if (!wanted.has(id)) core.members.delete(id);
  for (const id of wanted) {
    if (core.members.has(id)) continue;
    core.members.set(id, freshMember(core, id));
    core.due.exchange = Math.min(
      core.due.exchange,
      core.clock + core.prng.int(swimExchangeMinMs / 10),
    );
  }
}

/**
 * Nothing is known of a new member: it counts as alive until probes say otherwise, or as left
 * until it says that it is back. A goodbye of before this start is good for one time.
 */
function freshMember(core: SwimCore, id: NodeId): MemberView {
  const left = core.left.get(id);
  core.left.delete(id);
  return {
    id,
    incarnation: left ?? 0,
    state: left === undefined ? "alive" : "left",
    suspicion: undefined,
    profile: undefined,
    heardAt: undefined,
  };
}

function setProfile(core: SwimCore, body: Uint8Array): void {
  const version = (core.profile?.version ?? 0) + 1;
  core.profile = { id: core.self, boot: core.boot, version, body };
  tellProfile(core, core.profile);
}

function leave(core: SwimCore): void {
  core.rumours.clear();
  const { self: id, incarnation } = core;
  const left = { id, incarnation, state: "left" as const, by: id };
  core.gone = true;
  for (const to of core.members.keys()) {
    const message = { body: { kind: "gossip" as const }, updates: [left], profiles: [] };
    core.outputs.push({ kind: "send", to, message });
  }
}

function beliefOf(member: MemberView): Belief {
  const { id, state, incarnation, heardAt, profile } = member;
  return { id, state, incarnation, heardAt, profile };
}
