// What goes wrong in a run, and what an operator's world would do about it: faults at random
// times by the profile's rates, and for each node its care: a liveness opinion (often wrong),
// a wish to join while it is outside, expulsion of the dead, exit when it may.

import type { NodeId } from "../../shared/base/ids.ts";
import {
  createSimNode,
  feed,
  pauseNode,
  plan,
  resumeNode,
  type SimNode,
  startNode,
} from "./sim_node.ts";
import { calmNetwork } from "./sim_network.ts";
import { addNode, crash, upNodes, type World } from "./world.ts";

const capacity = 10 * 2 ** 30;
/** Dead for so long, a member is proposed for expulsion. */
const graceMs = 2_000;

/** Starts a node and its care: liveness, joining, leaving. */
export function launch(world: World, node: SimNode): void {
  startNode(world, node);
  if (node.isFounder && node.machine?.status().roster === undefined) {
    feed(world, node, {
      kind: "found",
      capacity,
      zone: "z",
      foundedAt: Math.round(world.queue.now),
      salt: "00".repeat(16),
    });
  }
  care(world, node);
}

/** Founds a lineage at a node that was never started. */
export function found(world: World, founder: SimNode): void {
  founder.isFounder = true;
  launch(world, founder);
}

/** Founds the pool at a new node, and lets the others join it. */
export function populate(world: World, count: number): void {
  found(world, addNode(world));
  for (let index = 1; index < count; index++) launch(world, addNode(world));
}

/** Makes faults of all kinds until `until`. */
export function startNemesis(world: World, until: number): void {
  const { profile } = world;
  world.network.faults = profile.network;
  const every = (meanMs: number, fault: (world: World) => void) => {
    if (meanMs === 0) return;
    const next = () => {
      const wait = -Math.log(1 - world.prng.next()) * meanMs;
      world.queue.put(world.queue.now + wait, () => {
        if (world.queue.now >= until) return;
        fault(world);
        next();
      });
    };
    next();
  };
  every(profile.crashEveryMs, crashOne);
  every(profile.splitEveryMs, splitOnce);
  every(profile.pauseEveryMs, pauseOne);
  every(profile.wipeEveryMs, wipeOne);
  every(profile.joinEveryMs, joinOne);
  every(profile.leaveEveryMs, leaveOne);
  every(profile.expelEveryMs, expelOne);
  every(profile.rivalEveryMs, rivalsAtOnce);
}

/** Ends all faults: the network is whole, every node that can run runs. */
export function calm(world: World): void {
  world.network.faults = calmNetwork;
  world.network.far = new Set();
  for (const node of world.nodes.values()) {
    if (node.isPaused) resumeNode(world, node, true);
    if (node.state === "down") launch(world, node);
  }
}

const running = (world: World) => upNodes(world).filter(({ isPaused }) => !isPaused);

function care(world: World, node: SimNode): void {
  const { machine } = node;
  if (machine === undefined) return;
  const { prng, queue } = world;
  feed(world, node, { kind: "liveness", alive: opinion(world, node) });
  const { roster, member, mayExit } = machine.status();
  // The last member may go too, and takes the pool with it: nothing to be judged then.
  if (mayExit && node.leaving && !member) {
    world.counts.exits += 1;
    crash(world, node);
    node.state = "gone";
    return;
  }
  if (!member && !node.leaving) {
    feed(world, node, { kind: "propose", proposal: { kind: "join", capacity, zone: "z" } });
  }
  if (member && node.leaving) {
    feed(world, node, { kind: "propose", proposal: { kind: "leave" } });
  }
  if (member && roster !== undefined) expelDead(world, { node, ids: roster.members });
  if (prng.chance(0.5)) report(world, node);
  plan(world, node, queue.now + prng.between(150, 350), () => care(world, node));
}

function opinion(world: World, node: SimNode): NodeId[] {
  const mistakes = world.network.faults === calmNetwork ? 0 : world.profile.mistakes;
  return [...world.nodes.values()]
    .filter((other) =>
      other === node ||
      (other.state === "up" && !other.isPaused && !world.network.isCut(node.id, other.id) &&
        !world.prng.chance(mistakes))
    )
    .map(({ id }) => id);
}

function expelDead(
  world: World,
  { node, ids }: { node: SimNode; ids: readonly { readonly id: NodeId }[] },
): void {
  for (const { id } of ids) {
    const silentSince = world.nodes.get(id)?.silentSince ?? 0;
    if (world.queue.now - silentSince > graceMs) {
      feed(world, node, { kind: "propose", proposal: { kind: "expel", id } });
    }
  }
}

/** The netmap's reports as this node has them: of all nodes it can reach. */
function report(world: World, node: SimNode): void {
  const reports = upNodes(world)
    .filter((other) => !world.network.isCut(node.id, other.id))
    .flatMap(({ id, machine }) => {
      const status = machine?.status();
      if (status?.roster === undefined) return [];
      return { id, epoch: status.roster.epoch, arriving: status.arriving };
    });
  const late = world.prng.int(800);
  plan(world, node, world.queue.now + late, () => feed(world, node, { kind: "reports", reports }));
}

function crashOne(world: World): void {
  const node = world.prng.pick(running(world));
  if (node === undefined) return;
  world.counts.crashes += 1;
  crash(world, node);
  const { incarnation } = node;
  world.queue.put(world.queue.now + world.prng.between(10, world.profile.downMs), () => {
    if (node.state === "down" && node.incarnation === incarnation) launch(world, node);
  });
}

function splitOnce(world: World): void {
  if (world.network.far.size > 0) return;
  const ids = world.prng.shuffle([...world.nodes.keys()]);
  const far = new Set(ids.slice(0, 1 + world.prng.int(Math.max(1, ids.length - 1))));
  world.counts.splits += 1;
  world.network.far = far;
  world.queue.put(world.queue.now + world.prng.between(100, world.profile.splitMs), () => {
    if (world.network.far === far) world.network.far = new Set();
  });
}

function pauseOne(world: World): void {
  const node = world.prng.pick(running(world));
  if (node === undefined) return;
  world.counts.pauses += 1;
  pauseNode(world, node);
  const { incarnation } = node;
  const drop = world.settings.pauseMs < Number.MAX_SAFE_INTEGER;
  world.queue.put(world.queue.now + world.prng.between(50, world.profile.pauseMs), () => {
    if (node.isPaused && node.incarnation === incarnation) resumeNode(world, node, drop);
  });
}

/** A disk is gone for good. Its node comes back as another one, unless a mutant lies. */
function wipeOne(world: World): void {
  const node = world.prng.pick(running(world));
  if (node === undefined || running(world).length < 2) return;
  world.counts.wipes += 1;
  crash(world, node);
  if (world.mutants.has("wiped-keeps-identity")) {
    const { boot } = node.disk;
    node.disk = createSimNode(node.id).disk;
    node.disk.boot = boot;
    return launch(world, node);
  }
  node.state = "gone";
  launch(world, addNode(world));
}

function joinOne(world: World): void {
  const staying = [...world.nodes.values()].filter((one) => one.state !== "gone" && !one.leaving);
  if (staying.length < world.profile.nodesMax) launch(world, addNode(world));
}

function leaveOne(world: World): void {
  const staying = [...world.nodes.values()].filter((one) => one.state !== "gone" && !one.leaving);
  if (staying.length <= Math.max(1, world.profile.nodesMin)) return;
  const node = world.prng.pick(staying.filter((one) => one.state === "up" && !one.isPaused));
  if (node?.machine?.status().member !== true) return;
  node.leaving = true;
  feed(world, node, { kind: "propose", proposal: { kind: "leave" } });
}

function expelOne(world: World): void {
  const node = world.prng.pick(running(world));
  const members = node?.machine?.status().roster?.members ?? [];
  const victim = world.prng.pick(members);
  if (node === undefined || victim === undefined || members.length < 2) return;
  feed(world, node, { kind: "propose", proposal: { kind: "expel", id: victim.id } });
}

function rivalsAtOnce(world: World): void {
  for (const node of running(world)) {
    const { prng } = world;
    const proposal = prng.chance(0.7)
      ? { kind: "resize", capacity: capacity + prng.int(1_000) } as const
      : { kind: "expel", id: prng.pick([...world.nodes.keys()]) ?? node.id } as const;
    if (prng.chance(0.6)) feed(world, node, { kind: "propose", proposal });
  }
}
