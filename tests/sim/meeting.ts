// Two lineages of one group meet (F2), and lineages that an operator forced (F3). Here the chain
// of versions ends with its lineage, so these runs are judged by what clients must find after
// all is one again: of each key the value with the newest stamp that was acknowledged on any
// side, or a newer one whose outcome was given as unknown.

import type { NodeId } from "../../shared/base/ids.ts";
import type { Mutant } from "../../shared/ring/mutant.ts";
import { ask, type Request, simKeys } from "./clients.ts";
import { historyOf, type Operation } from "./history.ts";
import { calm, found, launch, populate } from "./nemesis.ts";
import { profileNamed, profiles } from "./profiles.ts";
import type { Profile } from "./profiles.ts";
import { finalOperations, type RunReport, settleWithin } from "./run.ts";
import { feed, pauseNode, resumeNode, type SimNode } from "./sim_node.ts";
import { addNode, crash, createWorld, upNodes, type World } from "./world.ts";

/** What happens to two sides before they meet. */
export type Story = "meeting" | "force" | "forced while alive";

export const stories: readonly Story[] = ["meeting", "force", "forced while alive"];

export interface StoryOptions {
  readonly seed: number;
  readonly story: Story;
  readonly mutants?: ReadonlySet<Mutant>;
  readonly trace?: (line: string) => void;
}

const patienceMs = 40_000;

/** Plays one seed of a story. @throws never: what a machine throws is a violation */
export function tell({ seed, story, mutants, trace }: StoryOptions): RunReport {
  const profile: Profile = profileNamed("lossy") ?? profiles[0] as Profile;
  const world = createWorld({
    seed,
    profile: { ...profile, nodesMax: 6, tombstoneMs: 1e9 },
    mutants: mutants ?? new Set(),
    ...(trace === undefined ? {} : { trace }),
  });
  let stuck: string | null = null;
  let settledMs = 0;
  try {
    const play = { "meeting": meet, "force": force, "forced while alive": forceAlive }[story];
    stuck = play(world);
    const calmAt = world.queue.now;
    calm(world);
    world.network.far = new Set();
    stuck ??= settleWithin(world, patienceMs) ?? offersDone(world);
    settledMs = world.queue.now - calmAt;
    if (stuck === null) checkNewest(world);
    stuck ??= finalOperations(world);
  } catch (thrown) {
    world.violations.push(`thrown: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  }
  const { violations, counts } = world;
  return { seed, counts, violations, stuck, settledMs, gaveUp: false };
}

/** Two founders, each with members and records, and nobody between them. */
function meet(world: World): string | null {
  const { prng } = world;
  populate(world, 1 + prng.int(4));
  const here = new Set(world.nodes.keys());
  world.network.far = here;
  const rival = addNode(world);
  found(world, rival);
  const joiners = prng.int(4);
  for (let index = 0; index < joiners; index++) launch(world, addNode(world));
  const stuck = settleSides(world, here);
  if (stuck !== null) return stuck;
  const there = new Set([...world.nodes.keys()].filter((id) => !here.has(id)));
  const empty = prng.pick(["here", "there", "neither", "neither"]);
  // Either side may have the newer records, or none at all.
  const sides = prng.shuffle([
    ...(empty === "here" ? [] : [here]),
    ...(empty === "there" ? [] : [there]),
  ]);
  for (const side of sides) work(world, side, 3_000);
  disturb(world);
  return null;
}

/** Most of the council is gone for good; an operator forces a new lineage among the rest. */
function force(world: World): string | null {
  populate(world, 5);
  const stuck = settleWithin(world, patienceMs);
  if (stuck !== null) return stuck;
  work(world, new Set(world.nodes.keys()), 3_000);
  const dead = world.prng.shuffle([...world.nodes.keys()]).slice(0, 3);
  for (const id of dead) {
    const node = world.nodes.get(id);
    if (node === undefined) continue;
    crash(world, node);
    node.state = "gone";
  }
  // Keys whose deciders were mostly on the dead disks may be lost, by H5.
  forgetLost(world, new Set(dead));
  runFor(world, world.prng.between(0, 3_000));
  return forceAt(world, upNodes(world)[0], dead);
}

/** The operator was wrong: those declared gone were only cut off, and went on. */
function forceAlive(world: World): string | null {
  populate(world, 5);
  const stuck = settleWithin(world, patienceMs);
  if (stuck !== null) return stuck;
  work(world, new Set(world.nodes.keys()), 2_000);
  const cut = world.prng.shuffle([...world.nodes.keys()]).slice(0, 3);
  world.network.far = new Set(cut);
  runFor(world, world.prng.between(100, 4_000));
  const near = new Set([...world.nodes.keys()].filter((id) => !cut.includes(id)));
  const forcer = upNodes(world).find(({ id, machine }) =>
    near.has(id) && machine?.status().member === true
  );
  const failed = forceAt(world, forcer, cut);
  if (failed !== null) return failed;
  runFor(world, 6_000);
  work(world, new Set(cut), 2_000);
  work(world, near, 2_000);
  return null;
}

function forceAt(world: World, node: SimNode | undefined, lost: readonly NodeId[]): string | null {
  if (node === undefined) return "nobody is left to force";
  world.trace?.(`${Math.round(world.queue.now)} force at ${node.id}`);
  feed(world, node, {
    kind: "propose",
    proposal: {
      kind: "force",
      lost,
      foundedAt: Math.round(world.queue.now),
      salt: "f0".repeat(16),
    },
  });
  return null;
}

/** A few crashes and a pause while the sides meet; the network loses and doubles. */
function disturb(world: World): void {
  world.network.faults = world.profile.network;
  world.network.far = new Set();
  for (let round = 0; round < 4; round++) {
    runFor(world, world.prng.between(100, 1_500));
    const node = world.prng.pick(upNodes(world).filter(({ isPaused }) => !isPaused));
    if (node === undefined) continue;
    if (world.prng.chance(0.6)) {
      crash(world, node);
      world.counts.crashes += 1;
      runFor(world, world.prng.between(10, 800));
      launch(world, node);
    } else {
      pauseNode(world, node);
      world.counts.pauses += 1;
      runFor(world, world.prng.between(100, 2_500));
      resumeNode(world, node, true);
    }
  }
}

function runFor(world: World, ms: number): void {
  const until = world.queue.now + ms;
  while (world.queue.runNext(until));
}

/** Both sides are whole, each for itself. */
function settleSides(world: World, here: ReadonlySet<NodeId>): string | null {
  for (let waited = 0; waited < patienceMs; waited += 250) {
    runFor(world, 250);
    const sides = [...world.nodes.values()].map((node) => {
      const status = node.machine?.status();
      const size = here.has(node.id) ? here.size : world.nodes.size - here.size;
      return status?.roster?.members.length === size && status.arriving === 0;
    });
    if (sides.every((whole) => whole)) return null;
  }
  return "the two sides never became whole";
}

/** One client works on one side for a while: puts and deletes of all keys, one after another. */
function work(world: World, side: ReadonlySet<NodeId>, ms: number): void {
  const end = world.queue.now + ms;
  while (world.queue.now < end) {
    const node = world.prng.pick(upNodes(world).filter(({ id }) => side.has(id)));
    if (node === undefined) return;
    const key = world.prng.pick(simKeys) ?? "k0";
    const kind: Request["kind"] = world.prng.chance(0.25) ? "delete" : "put";
    let answered = false;
    ask(world, {
      node,
      request: { key, kind, condition: { kind: "none" } },
      then: () => {
        answered = true;
      },
    });
    const patience = world.queue.now + 4_000;
    while (!answered && world.queue.runNext(patience));
    runFor(world, world.prng.int(200));
  }
}

/** Keys of slots that lost most deciders need not survive. */
function forgetLost(world: World, dead: ReadonlySet<NodeId>): void {
  const roster = upNodes(world)[0]?.machine?.status().roster;
  if (roster === undefined) return;
  for (const key of simKeys) {
    const deciders = world.placement.decidersOf(roster, world.placement.slotOf(key));
    if (deciders.filter((id) => dead.has(id)).length * 2 > deciders.length) {
      historyOf(world.history, key).operations.length = 0;
    }
  }
}

/** Old lineages' records are all offered. */
function offersDone(world: World): string | null {
  for (let waited = 0; waited < patienceMs; waited += 250) {
    if (upNodes(world).every(({ machine }) => machine?.status().aside === 0)) return null;
    runFor(world, 250);
  }
  const open = upNodes(world).find(({ machine }) => machine?.status().aside !== 0);
  return `${open?.id} still offers records of an old lineage`;
}

/** Each key reads as the newest acknowledged change, or as a newer one of unknown outcome. */
function checkNewest(world: World): void {
  for (const key of simKeys) {
    const { operations } = historyOf(world.history, key);
    const newest = operations.findLast(({ outcome }) => outcome === "ok");
    const allowed = operations.filter((one) =>
      one === newest ||
      ((one.outcome === "unknown" || one.outcome === "pending") && one.id > (newest?.id ?? 0))
    );
    const texts = allowed.map((one) => one.kind === "delete" ? null : one.body);
    const read = readOnce(world, key);
    if (read?.outcome !== "ok") {
      world.violations.push(`${key}: cannot be read after the meeting: ${read?.outcome}`);
    } else if (operations.length > 0 && newest !== undefined && !texts.includes(read.seen)) {
      world.violations.push(`${key}: read ${read.seen}, acknowledged was ${texts.join(" or ")}`);
    }
  }
}

function readOnce(world: World, key: string): Operation | undefined {
  const node = world.prng.pick(upNodes(world));
  if (node === undefined) return undefined;
  let told: Operation | undefined;
  // Asked outside the history: its versions belong to another lineage.
  const { operations } = historyOf(world.history, key);
  ask(world, {
    node,
    request: { key, kind: "get", condition: { kind: "none" } },
    then: (operation) => told = operation,
  });
  operations.pop();
  const end = world.queue.now + 6_000;
  while (told === undefined && world.queue.runNext(end));
  return told;
}
