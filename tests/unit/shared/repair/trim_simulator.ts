// One block in a pool of five nodes, in virtual time: rosters change its owners, nodes adopt them
// late, crash and come back without their memory, messages are slow or lost, unlinks take time.
// Every node repairs and trims by the rules of shared/repair. What may never happen: that a copy
// goes while one of the owners under the dropper's own roster has none.

import { asSlot } from "../../../../shared/base/ids.ts";
import { trimHoldMs } from "../../../../shared/base/limits.ts";
import { createPrng, type Prng } from "../../../../shared/base/prng.ts";
import { judgeBlock } from "../../../../shared/repair/plan.ts";
import { SlotHolds, TrimCase, vouch } from "../../../../shared/repair/trim_rule.ts";

/** A rule left out, which has to be found out: owners answer, and askers go on, in any epoch. */
export type TrimMutant = "any epoch";

export interface TrimOutcome {
  readonly drops: number;
  /** What went wrong first. */
  readonly broken: string | undefined;
}

interface Node {
  readonly id: number;
  epoch: number;
  held: boolean;
  up: boolean;
  /** Grows with each start: what was under way before is gone. */
  boot: number;
  holds: SlotHolds;
  trim: TrimCase<number> | undefined;
  dropping: boolean;
  /** Its trim loop does nothing until then. */
  stalledUntil: number;
}

interface World {
  readonly prng: Prng;
  readonly nodes: readonly Node[];
  /** Owners by epoch; all but the last may still be some node's present. */
  readonly owners: (readonly number[])[];
  readonly queue: { readonly at: number; readonly run: () => void }[];
  readonly mutant: TrimMutant | undefined;
  /** Chances of this seed: of a new roster and a crash at a turn, of adopting at a tick. */
  readonly weather: { readonly roster: number; readonly crash: number; readonly adopt: number };
  now: number;
  drops: number;
  broken: string | undefined;
}

const slot = asSlot(7);
const nodeCount = 5;
const tickMs = 700;

/** Plays one seed; the same seed gives the same run. */
export function simulateTrim(
  options: { readonly seed: number; readonly steps: number; readonly mutant?: TrimMutant },
): TrimOutcome {
  const prng = createPrng(options.seed);
  const weather = {
    roster: prng.pick([0.05, 0.2, 0.3]) ?? 0.2,
    crash: prng.pick([0, 0.3, 0.9]) ?? 0.3,
    adopt: prng.pick([0.01, 0.03, 0.1]) ?? 0.1,
  };
  const nodes = Array.from({ length: nodeCount }, (_, id): Node => ({
    id,
    epoch: 0,
    held: prng.chance(0.8),
    up: true,
    boot: 0,
    holds: new SlotHolds(-trimHoldMs),
    trim: undefined,
    dropping: false,
    stalledUntil: 0,
  }));
  const world: World = {
    ...{ prng, nodes, owners: [ownersOf(prng)], queue: [], mutant: options.mutant, weather },
    ...{ now: 0, drops: 0, broken: undefined },
  };
  (nodes[0] as Node).held = true;
  for (const node of nodes) after(world, prng.int(tickMs), () => tick(world, node));
  after(world, 5_000, () => turn(world));
  for (let step = 0; step < options.steps && world.broken === undefined; step++) runNext(world);
  return { drops: world.drops, broken: world.broken };
}

function ownersOf(prng: Prng): number[] {
  const ids = prng.shuffle(Array.from({ length: nodeCount }, (_, id) => id));
  return ids.slice(0, 1 + prng.int(3));
}

function after(world: World, ms: number, run: () => void): void {
  world.queue.push({ at: world.now + ms, run });
}

function runNext(world: World): void {
  let first = 0;
  for (let at = 1; at < world.queue.length; at++) {
    if ((world.queue[at]?.at ?? 0) < (world.queue[first]?.at ?? 0)) first = at;
  }
  const [next] = world.queue.splice(first, 1);
  if (next === undefined) return;
  world.now = next.at;
  next.run();
}

/** Rosters change, nodes crash and return. */
function turn(world: World): void {
  const { prng, nodes, owners } = world;
  if (prng.chance(world.weather.roster)) owners.push(ownersOf(prng));
  const node = prng.pick(nodes);
  if (node !== undefined && prng.chance(world.weather.crash)) {
    // Half of all crashes are over at once.
    node.up = !node.up || prng.chance(0.5);
    node.boot++;
    node.trim = undefined;
    node.dropping = false;
    node.holds = new SlotHolds(world.now);
  }
  after(world, prng.int(10_000), () => turn(world));
}

/** What a node does on its own: adopt, fetch, trim. */
function tick(world: World, node: Node): void {
  const { prng } = world;
  after(world, tickMs / 2 + prng.int(tickMs), () => tick(world, node));
  if (!node.up) return;
  const behind = world.owners.length - 1 - node.epoch;
  if (prng.chance(behind > 1 ? 0.8 : behind * world.weather.adopt)) node.epoch++;
  if (prng.chance(0.01)) node.stalledUntil = world.now + prng.int(120_000);
  const verdict = judgeBlock(factsOf(world, node));
  if (verdict === "fetch" && prng.chance(0.3)) fetch(world, node);
  if (verdict === "surplus") {
    if (world.now >= node.stalledUntil) trim(world, node);
  } else node.trim = undefined;
}

function factsOf(world: World, node: Node) {
  const owned = world.owners[node.epoch]?.includes(node.id) ?? false;
  return { kind: "leaf" as const, held: node.held, replicas: 3, owned };
}

function fetch(world: World, node: Node): void {
  const { boot } = node;
  const source = world.prng.pick(world.nodes.filter(({ up, held }) => up && held));
  if (source === undefined) return;
  after(world, world.prng.int(3_000), () => {
    if (node.boot === boot) node.held = true;
  });
}

function trim(world: World, node: Node): void {
  const owners = world.owners[node.epoch] ?? [];
  const epoch = String(node.epoch);
  node.trim ??= new TrimCase(epoch, owners);
  const { trim: mine } = node;
  const verdict = mine.verdict({
    epoch: world.mutant === "any epoch" ? mine.epoch : epoch,
    now: world.now,
  });
  if (verdict === "void") node.trim = undefined;
  if (verdict === "ask" && world.prng.chance(0.5)) {
    for (const owner of owners) ask(world, { node, owner, trim: mine });
  }
  if (verdict !== "drop" || node.dropping) return;
  // A slow loop: the word grows old while the node does other things.
  if (world.prng.chance(0.5)) return;
  if (node.holds.isHeld(slot, world.now)) return;
  node.dropping = true;
  const { boot } = node;
  const under = world.mutant === "any epoch" ? node.epoch : Number(mine.epoch);
  after(world, world.prng.int(2_000), () => {
    node.dropping = false;
    if (node.boot === boot) drop(world, node, under);
  });
}

function ask(
  world: World,
  { node, owner, trim: mine }: {
    readonly node: Node;
    readonly owner: number;
    readonly trim: TrimCase<number>;
  },
): void {
  const { prng } = world;
  const askedAt = world.now;
  const { boot, epoch } = node;
  const answer = (said: boolean) => {
    if (node.boot === boot) mine.answered(owner, { mine: said, askedAt });
  };
  if (prng.chance(0.05)) return after(world, 8_000, () => answer(false));
  after(world, prng.int(400), () => {
    const peer = world.nodes[owner];
    const sameEpoch = world.mutant === "any epoch" || peer?.epoch === epoch;
    const facts = peer?.up
      ? { ...factsOf(world, peer), verified: peer.held, sameEpoch }
      : undefined;
    const said = facts !== undefined && vouch(facts);
    if (said && peer !== undefined) peer.holds.hold(slot, world.now);
    after(world, prng.int(400), () => answer(said));
  });
}

function drop(world: World, node: Node, epoch: number): void {
  if (!node.held) return;
  node.held = false;
  node.trim = undefined;
  world.drops++;
  const owners = world.owners[epoch] ?? [];
  const without = owners.filter((id) => world.nodes[id]?.held !== true);
  if (without.length === 0 && world.nodes.some(({ held }) => held)) return;
  world.broken = `at ${world.now} node ${node.id} dropped while owners ${without} had no copy`;
}
