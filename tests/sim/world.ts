// The world of one run: nodes, network, virtual time, and the records that are judged. It adds no
// rule of its own: machines get what a driver would give them, and every output is looked at
// before it leaves. Rosters are judged at each step, registers when the run is over.

import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { createPrng, type Prng } from "../../shared/base/prng.ts";
import type {
  AgreementMessage,
  AgreementOutput,
  AgreementSettings,
  AgreementWrite,
  ListingPage,
  Placement,
} from "../../shared/record/agreement_port.ts";
import type { Ballot, Value } from "../../shared/record/value.ts";
import type { Mutants } from "../../shared/ring/mutant.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import { createEventQueue } from "./event_queue.ts";
import { type History, historyOf, type Settlement, versionText } from "./history.ts";
import type { Profile } from "./profiles.ts";
import { createSimNetwork, type SimNetwork } from "./sim_network.ts";
import { crashNode, createSimNode, feed, type NodeWorld, type SimNode } from "./sim_node.ts";
import { codecFault } from "./sim_codec.ts";
import { createSimPlacement } from "./sim_placement.ts";
import { simSettings } from "./sim_settings.ts";

/** One message of so many goes through the real codecs. */
const codecSample = 8;

/** What happened in a run, in numbers. */
export interface Counts {
  /** Questions and answers so far: the order of real time, without ties. */
  moments: number;
  messages: number;
  operations: number;
  refused: number;
  unknown: number;
  rosters: number;
  crashes: number;
  splits: number;
  pauses: number;
  wipes: number;
  exits: number;
  /** Slots installed by arriving owners, and pages that were not the last. */
  arrivals: number;
  pages: number;
  /** Rosters trimmed away, and adoptions that jumped over trimmed ones. */
  trims: number;
  jumps: number;
  drops: number;
  listed: number;
  /** Promises that all of before is settled, one a key. */
  settled: number;
}

/** A message on its way. */
export interface Letter {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly body: AgreementMessage["body"];
  readonly deliver: () => void;
}

/** Everything of one run. */
export interface World extends NodeWorld {
  readonly profile: Profile;
  readonly prng: Prng;
  readonly network: SimNetwork;
  readonly nodes: Map<NodeId, SimNode>;
  readonly history: History;
  readonly violations: string[];
  /** What was called settled on the way: see settlements.ts. */
  settlements: readonly Settlement[];
  readonly counts: Counts;
  /** Content of the roster of each epoch of each lineage, as first adopted by anyone. */
  readonly rosters: Map<string, string>;
  /** Version of the value sent under each ballot, by lineage, key and ballot. */
  readonly accepts: Map<string, string>;
  /** Called with what left a node for its client. */
  readonly results: Map<string, (output: AgreementOutput & { kind: "result" }) => void>;
  /** Called with a page that left a node for its client; undefined: no majority. */
  readonly listings: Map<string, (page: ListingPage | undefined) => void>;
  /** Takes a message out of the network's hands, in a hand-made schedule. */
  intercept?: (letter: Letter) => boolean;
  /** Steps and messages as text, when asked for. */
  trace?: (line: string) => void;
}

export interface WorldOptions {
  readonly seed: number;
  readonly profile: Profile;
  readonly mutants: Mutants;
  readonly settings?: Partial<AgreementSettings>;
  readonly placement?: Placement;
  readonly trace?: (line: string) => void;
}

/** A world without nodes, at an arbitrary time of day. */
export function createWorld(options: WorldOptions): World {
  const { seed, profile, mutants, settings, trace } = options;
  const prng = createPrng(seed);
  const world: World = {
    profile,
    prng,
    queue: createEventQueue(1_000_000),
    network: createSimNetwork(prng),
    placement: options.placement ?? createSimPlacement(),
    settings: { ...simSettings(prng, profile), ...settings },
    mutants,
    syncMs: prng.chance(0.3) ? 0 : profile.syncMs,
    nodes: new Map(),
    history: new Map(),
    violations: [],
    settlements: [],
    rosters: new Map(),
    accepts: new Map(),
    results: new Map(),
    listings: new Map(),
    counts: {
      moments: 0,
      messages: 0,
      operations: 0,
      refused: 0,
      unknown: 0,
      rosters: 0,
      crashes: 0,
      splits: 0,
      pauses: 0,
      wipes: 0,
      exits: 0,
      arrivals: 0,
      pages: 0,
      trims: 0,
      jumps: 0,
      drops: 0,
      listed: 0,
      settled: 0,
    },
    observe: (node, output) => observe(world, node, output),
    emit: (node, output) => emit(world, node, output),
    ...(trace === undefined ? {} : { trace }),
  };
  return world;
}

/** A new node with the next name, not started. */
export function addNode(world: World): SimNode {
  const node = createSimNode(asNodeId(`n${String(world.nodes.size + 1).padStart(2, "0")}`));
  world.nodes.set(node.id, node);
  return node;
}

/** Nodes that are up, paused ones included. */
export function upNodes(world: World): SimNode[] {
  return [...world.nodes.values()].filter(({ state }) => state === "up");
}

/** Crashes a node; clients that waited for it learn nothing. */
export function crash(world: World, node: SimNode): void {
  world.trace?.(`${Math.round(world.queue.now)} crash ${node.id}`);
  crashNode(world, node);
  for (const waiting of [world.results, world.listings]) {
    for (const name of waiting.keys()) {
      if (name.startsWith(`${node.id}/`)) waiting.delete(name);
    }
  }
}

/** Reports a broken rule, with the virtual time at which it was seen. */
export function complain(world: World, text: string): void {
  world.violations.push(`at ${Math.round(world.queue.now)} ms: ${text}`);
}

/** Looks at an output when it is made: no crash can hide what a machine decided. */
function observe(world: World, node: SimNode, output: AgreementOutput): void {
  if (output.kind === "send" && world.trace !== undefined) {
    const { message } = output;
    world.trace(
      `${Math.round(world.queue.now)} ${node.id} -> ${output.to} e${message.epoch} ${
        JSON.stringify(message.body)
      }`,
    );
  }
  if (output.kind === "adopted") {
    const jumped = output.roster.epoch - node.epoch > 1;
    if (jumped && node.epoch > 0) world.counts.jumps += 1;
    node.epoch = output.roster.epoch;
    return checkRoster(world, output.roster);
  }
  if (output.kind === "persist") return countWrites(world, output.writes);
  if (output.kind !== "send") return;
  const { body, lineage } = output.message;
  if (body.kind === "accept" && body.value !== null) {
    noteAccept(world, { lineage, key: body.key, ballot: body.ballot, value: body.value });
  } else if (body.kind === "drop") {
    const version = world.accepts.get(`${lineage}/${body.key}/${versionText(body.ballot)}`);
    if (version !== undefined) historyOf(world.history, body.key).dropped.add(version);
  } else if (body.kind === "slot-rows") {
    for (const { next } of body.slots) if (next !== null) world.counts.pages += 1;
  }
}

function countWrites(world: World, writes: readonly AgreementWrite[]): void {
  for (const { kind } of writes) {
    if (kind === "install") world.counts.arrivals += 1;
    else if (kind === "trim") world.counts.trims += 1;
    else if (kind === "drop row") world.counts.drops += 1;
  }
}

const contents = new WeakMap<Roster, string>();

/** Each epoch of each lineage has one content: each roster has one successor. */
function checkRoster(world: World, roster: Roster): void {
  let content = contents.get(roster);
  if (content === undefined) contents.set(roster, content = JSON.stringify(roster));
  const name = `${roster.lineage}/${roster.epoch}`;
  const known = world.rosters.get(name);
  if (known === undefined) {
    world.rosters.set(name, content);
    world.counts.rosters += 1;
    world.trace?.(`${Math.round(world.queue.now)} roster ${content}`);
    if (roster.council.length % 2 === 0) complain(world, `even council in ${content}`);
    if (roster.council.some((id) => !roster.members.some((member) => member.id === id))) {
      complain(world, `council outside the members in ${content}`);
    }
  } else if (known !== content) {
    complain(world, `two rosters of one epoch: ${known} and ${content}`);
  }
}

interface Accept {
  readonly lineage: string;
  readonly key: string;
  readonly ballot: Ballot;
  readonly value: Value;
}

/** Learns versions from accepts: the version, what it was made from, and on whose behalf. */
function noteAccept(world: World, { lineage, key, ballot, value }: Accept): void {
  const version = versionText(value.version);
  const accepted = versionText(ballot);
  world.accepts.set(`${lineage}/${key}/${accepted}`, version);
  const { attempts } = historyOf(world.history, key);
  if (attempts.has(version)) return;
  if (version !== accepted) complain(world, `${key}: ${version} first sent under ${accepted}`);
  const parent = value.recent[value.recent.length - 2];
  attempts.set(version, {
    version,
    ballot: value.version,
    parent: parent === undefined ? null : versionText(parent),
    n: value.n,
    deleted: value.deleted,
    body: bodyText(value),
    operation: value.stamp[1],
    at: world.queue.now,
  });
}

/** A body as the text that a client wrote. @throws never */
export function bodyText(value: Value): string {
  return String.fromCharCode(...value.body);
}

function emit(
  world: World,
  node: SimNode,
  output: Exclude<AgreementOutput, { kind: "persist" }>,
): void {
  if (output.kind === "send") return send(world, node, output);
  if (output.kind === "decided") {
    historyOf(world.history, output.key).decided.add(versionText(output.value.version));
  } else if (output.kind === "listing") {
    const name = `${node.id}/${output.id}`;
    const tell = world.listings.get(name);
    world.listings.delete(name);
    if (tell === undefined) complain(world, `${node.id} answered listing ${output.id} twice`);
    else tell(output.page);
  } else if (output.kind === "result") {
    const name = `${node.id}/${output.id}`;
    const tell = world.results.get(name);
    world.results.delete(name);
    if (tell === undefined) complain(world, `${node.id} answered operation ${output.id} twice`);
    else tell(output);
  }
}

function send(world: World, node: SimNode, output: AgreementOutput & { kind: "send" }): void {
  const { to, message } = output;
  const from = node.id;
  const sampled = world.counts.messages % codecSample === 0;
  const fault = sampled ? codecFault(message) : undefined;
  if (fault !== undefined) complain(world, fault);
  const deliver = () => {
    const target = world.nodes.get(to);
    if (target === undefined || target.state !== "up" || world.network.isCut(from, to)) return;
    world.counts.messages += 1;
    const arrive = () => feed(world, target, { kind: "message", from, message });
    if (target.isPaused) target.held.push(arrive);
    else arrive();
  };
  if (world.intercept?.({ from, to, body: message.body, deliver }) === true) return;
  for (const delay of world.network.delays()) world.queue.put(world.queue.now + delay, deliver);
}
