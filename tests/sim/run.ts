// One run of the simulator: a pool is founded, filled, tormented, and left in peace; then it must
// become whole again, and its history must be explained by one chain of versions a key.
//
// An operator stands by at the end, as in life: when slots wait for disks that are gone for good,
// he says so (`forget`), and when the council's majority is gone, he forces a new lineage. Both
// may lose acknowledged writes by rule H5, so such a run is not judged for them.

import type { AgreementSettings } from "../../shared/record/agreement_port.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import type { Mutant } from "../../shared/ring/mutant.ts";
import { checkKey } from "./chain.ts";
import { ask, type Request, simKeys, startClients } from "./clients.ts";
import type { Operation } from "./history.ts";
import { startLister } from "./listers.ts";
import { calm, populate, startNemesis } from "./nemesis.ts";
import type { Profile } from "./profiles.ts";
import { feed, type SimNode } from "./sim_node.ts";
import { checkSettlements, startSettlement } from "./settlements.ts";
import { simDeadlineMs } from "./sim_settings.ts";
import { type Counts, createWorld, upNodes, type World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  readonly profile: Profile;
  readonly mutants?: ReadonlySet<Mutant>;
  readonly settings?: Partial<AgreementSettings>;
  readonly trace?: (line: string) => void;
}

/** How a run ended. */
export interface RunReport {
  readonly seed: number;
  readonly counts: Counts;
  /** Broken safety rules, in words. */
  readonly violations: readonly string[];
  /** What was not whole again in time; null when all was. */
  readonly stuck: string | null;
  /** Milliseconds after the end of faults until all was whole. */
  readonly settledMs: number;
  /** The operator had to give disks up. */
  readonly gaveUp: boolean;
}

const populateMs = 6_000;
/** Long enough for every back-off of the rules, several times over. */
const settleMs = 25_000;
const operatorMs = 20_000;

/** Runs one seed of one profile. @throws what a machine throws: an assertion is a failed run */
export function run({ seed, profile, mutants, settings, trace }: RunOptions): RunReport {
  const world = createWorld({
    seed,
    profile,
    mutants: mutants ?? new Set(),
    ...(settings === undefined ? {} : { settings }),
    ...(trace === undefined ? {} : { trace }),
  });
  let gaveUp = false;
  let stuck: string | null = null;
  let settledMs = 0;
  try {
    torment(world);
    const calmAt = world.queue.now;
    calm(world);
    stuck = settleWithin(world, settleMs);
    // Who left properly is never missed; only lost disks may need the operator.
    if (stuck !== null && world.counts.wipes > 0) {
      gaveUp = true;
      stuck = isDestroyed(world) ? null : operate(world);
    }
    settledMs = world.queue.now - calmAt;
    if (!isDestroyed(world)) stuck ??= finalOperations(world) ?? unanswered(world);
  } catch (thrown) {
    world.violations.push(`thrown: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  }
  if (!gaveUp) judge(world);
  const { violations, counts } = world;
  return { seed, counts, violations, stuck, settledMs, gaveUp };
}

function judge(world: World): void {
  for (const [key, history] of world.history) {
    world.violations.push(...checkKey(key, history));
    world.violations.push(...checkSettlements(key, history, world.settlements));
  }
}

function torment(world: World): void {
  const { profile, prng, queue } = world;
  populate(world, profile.nodesMin + prng.int(profile.nodesMax - profile.nodesMin + 1));
  settleWithin(world, populateMs);
  const until = queue.now + profile.lengthMs;
  startClients(world, until);
  startLister(world, until);
  world.settlements = startSettlement(world, until);
  startNemesis(world, until);
  while (queue.runNext(until));
}

/** Lets time pass until the pool is whole. @returns what is missing, or null */
export function settleWithin(world: World, ms: number): string | null {
  const { queue } = world;
  const end = queue.now + ms;
  for (;;) {
    const missing = missingOf(world);
    if (missing === null || queue.now >= end) return missing;
    const until = queue.now + 200;
    while (queue.runNext(until));
  }
}

/** What keeps the pool from being whole: one epoch, all in, leavers out, no slot arriving. */
function missingOf(world: World): string | null {
  let newest: string | undefined;
  const staying = new Set<NodeId>();
  for (const node of world.nodes.values()) {
    if (node.state !== "gone" && node.leaving) return `${node.id} has not left`;
    if (node.state === "gone") continue;
    staying.add(node.id);
    const status = node.machine?.status();
    if (status?.roster === undefined) return `${node.id} has no roster`;
    if (!status.member) return `${node.id} is outside at epoch ${status.roster.epoch}`;
    const name = `${status.roster.lineage}/${status.roster.epoch}`;
    newest ??= name;
    if (newest !== name) return `${node.id} is at ${name}, others at ${newest}`;
    if (status.arriving > 0) {
      return `${node.id} has ${status.arriving} slots arriving: ${JSON.stringify(status.waiting)}`;
    }
    if (status.roster.members.length > staying.size) {
      const extra = status.roster.members.find(({ id }) => world.nodes.get(id)?.state === "gone");
      if (extra !== undefined) return `${extra.id} is gone but a member`;
    }
  }
  return null;
}

function gone(world: World): NodeId[] {
  return [...world.nodes.values()].filter(({ state }) => state === "gone").map(({ id }) => id);
}

/** Declares the disks that are gone; forces a new lineage when no council answers. */
function operate(world: World): string | null {
  let stuck = forget(world);
  // Leavers that waited for the lost disks have gone meanwhile, and may be waited for themselves.
  if (stuck !== null) stuck = forget(world);
  const [node] = standing(world);
  if (stuck === null || node === undefined) return stuck;
  world.trace?.(`force at ${node.id}`);
  feed(world, node, {
    kind: "propose",
    proposal: {
      kind: "force",
      lost: gone(world),
      foundedAt: world.queue.now,
      salt: "f0".repeat(16),
    },
  });
  return settleWithin(world, operatorMs);
}

function forget(world: World): string | null {
  for (const node of standing(world)) {
    for (const id of gone(world)) {
      feed(world, node, { kind: "propose", proposal: { kind: "forget", id } });
    }
  }
  return settleWithin(world, operatorMs);
}

/** Every disk of the present roster is lost: there is nothing left to save, by any rule. */
function isDestroyed(world: World): boolean {
  return standing(world).length === 0;
}

/** Members that are up, those with the newest roster first. */
function standing(world: World): SimNode[] {
  const epoch = (node: SimNode) => node.machine?.status().roster?.epoch ?? 0;
  return upNodes(world)
    .filter((node) => node.machine?.status().member === true)
    .sort((a, b) => epoch(b) - epoch(a));
}

/** Get, put and get of every key must succeed in a calm pool. @returns what did not, or null */
export function finalOperations(world: World): string | null {
  for (const kind of ["get", "put", "get"] as const) {
    for (const key of simKeys) {
      const failure = finalOperation(world, {
        key,
        kind,
        condition: { kind: "none" },
        final: true,
      });
      if (failure !== null) return failure;
    }
  }
  return null;
}

/** Every operation whose node lives is answered by its deadline. */
function unanswered(world: World): string | null {
  const until = world.queue.now + simDeadlineMs + 100;
  while (world.queue.runNext(until));
  const open = [...world.results.keys(), ...world.listings.keys()];
  return open.length === 0 ? null : `operations never answered: ${open.join(" ")}`;
}

function finalOperation(world: World, request: Request): string | null {
  const node = world.prng.pick(upNodes(world));
  if (node === undefined) return null;
  let told: Operation | undefined;
  ask(world, { node, request, then: (operation) => told = operation });
  const end = world.queue.now + 6_000;
  while (told === undefined && world.queue.runNext(end));
  return told?.outcome === "ok"
    ? null
    : `final ${request.kind} of ${request.key} at ${node.id}: ${told?.outcome ?? "no answer"}`;
}
