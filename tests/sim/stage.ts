// A stage for hand-made schedules: a calm world in which every message of the chosen kinds goes
// only where the schedule lets it, deciders are named by hand, and operations are asked one at a
// time. The same schedule is played by the rules as written and by one broken rule: the first
// must stay safe, the second must be caught by the same checkers that judge random runs.

import { asNodeId, asSlot, type NodeId } from "../../shared/base/ids.ts";
import type { Mutant } from "../../shared/ring/mutant.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import { checkKey } from "./chain.ts";
import { ask, type Request } from "./clients.ts";
import type { Operation } from "./history.ts";
import { launch, populate } from "./nemesis.ts";
import { profileNamed, profiles } from "./profiles.ts";
import { feed, type SimNode } from "./sim_node.ts";
import { crash, createWorld, type Letter, type World } from "./world.ts";

/** The one key of a schedule; it lies in slot 0. */
export const stageKey = "k0";

/** A rule that holds back letters until it is lifted; true takes the letter. */
export type Rule = (letter: Letter) => boolean;

/** A scheduled world. Nodes are called by their number, from 1. */
export interface Stage {
  readonly world: World;
  id(node: number): NodeId;
  node(node: number): SimNode;
  /** Drops letters that match, until the returned function is called. */
  drop(rule: Rule): () => void;
  /** Keeps letters that match; the returned function lets them all arrive, now. */
  hold(rule: Rule): () => void;
  /** Deciders of every slot from the next epoch on. */
  decidersNext(nodes: readonly number[]): void;
  /** Makes one new roster, by a change that changes nothing else. */
  newRoster(by: number): void;
  /** Lets time pass until `reached`, at most `ms`. @throws when it is not reached */
  until(reached: () => boolean, what: string): void;
  pass(ms: number): void;
  ask(node: number, request?: Partial<Request>): Operation;
  /** Asks, and waits for the answer. */
  answered(node: number, request?: Partial<Request>): Operation;
  /** Crashes and starts a node. */
  restart(node: number): void;
  epoch(node: number): number;
  /** Broken rules so far. */
  violations(): readonly string[];
}

/** A stage of `nodes` members, all at one epoch; nodes 1 to 3 decide. */
export function createStage(
  nodes: number,
  options: {
    readonly mutant?: Mutant;
    readonly seed?: number;
    readonly trace?: (line: string) => void;
  } = {},
): Stage {
  const { mutant, seed = 1, trace } = options;
  const rules = new Set<Rule>();
  const ids = (numbers: readonly number[]) => numbers.map(idOf);
  const changes: { after: number; deciders: readonly NodeId[] }[] = [];
  const decidersOf = (roster: Roster) => {
    const { members, epoch } = roster;
    if (members.length < 3) return members.slice(0, 1).map(({ id }) => id);
    const change = changes.findLast(({ after }) => epoch > after);
    return change?.deciders ?? members.map(({ id }) => id).sort().slice(0, 3);
  };
  const world = createWorld({
    seed,
    profile: profileNamed("calm") ?? profiles[0] as typeof profiles[0] & object,
    mutants: new Set(mutant === undefined ? [] : [mutant]),
    settings: { tombstoneAgeMs: 1e9, historyKeep: 64, handoverPatienceMs: 0 },
    placement: { slotCount: 3, slotOf: () => asSlot(0), decidersOf },
    ...(trace === undefined ? {} : { trace }),
  });
  world.syncMs = 0;
  world.intercept = (letter) => [...rules].some((rule) => rule(letter));
  const stage: Stage = {
    world,
    id: idOf,
    node: (number) => nodeOf(world, number),
    drop: (rule) => addRule(rules, rule),
    hold: (rule) => holdBack(rules, rule),
    decidersNext: (numbers) =>
      void changes.push({ after: newestEpoch(world), deciders: ids(numbers) }),
    newRoster: (by) =>
      feed(world, nodeOf(world, by), {
        kind: "propose",
        proposal: { kind: "resize", capacity: 1_000_000 + newestEpoch(world) },
      }),
    until: (reached, what) => runUntil(world, reached, what),
    pass: (ms) => runFor(world, ms),
    ask: (number, request = {}) => askStage(world, number, request),
    answered(number, request = {}) {
      const operation = askStage(world, number, request);
      runUntil(world, () => operation.outcome !== "pending", `answer of ${operation.id}`);
      return operation;
    },
    restart(number) {
      crash(world, nodeOf(world, number));
      launch(world, nodeOf(world, number));
    },
    epoch: (number) => nodeOf(world, number).machine?.status().roster?.epoch ?? 0,
    violations: () => [
      ...world.violations,
      ...[...world.history].flatMap(([key, history]) => checkKey(key, history)),
    ],
  };
  populate(world, nodes);
  runUntil(world, () => isWhole(world, nodes), "the founding of the stage");
  return stage;
}

function idOf(number: number): NodeId {
  return asNodeId(`n${String(number).padStart(2, "0")}`);
}

function nodeOf(world: World, number: number): SimNode {
  const node = world.nodes.get(idOf(number));
  if (node === undefined) throw new Error(`Cannot use node ${number}: not on the stage`);
  return node;
}

function addRule(rules: Set<Rule>, rule: Rule): () => void {
  const own: Rule = (letter) => rule(letter);
  rules.add(own);
  return () => void rules.delete(own);
}

function holdBack(rules: Set<Rule>, rule: Rule): () => void {
  const held: Letter[] = [];
  const lift = addRule(rules, (letter) => rule(letter) && held.push(letter) > 0);
  return () => {
    lift();
    for (const { deliver } of held) deliver();
  };
}

function newestEpoch(world: World): number {
  const epochs = [...world.nodes.values()].map((one) => one.machine?.status().roster?.epoch ?? 0);
  return Math.max(...epochs);
}

function isWhole(world: World, nodes: number): boolean {
  const all = [...world.nodes.values()].map((one) => one.machine?.status());
  return all.every((status) =>
    status?.roster?.members.length === nodes && status.arriving === 0 &&
    status.roster.epoch === newestEpoch(world)
  );
}

function askStage(world: World, number: number, request: Partial<Request>): Operation {
  return ask(world, {
    node: nodeOf(world, number),
    request: { key: stageKey, kind: "put", condition: { kind: "none" }, ...request },
    then: () => {},
  });
}

function runFor(world: World, ms: number): void {
  const end = world.queue.now + ms;
  while (world.queue.runNext(end));
}

function runUntil(world: World, reached: () => boolean, what: string): void {
  const end = world.queue.now + 20_000;
  while (!reached()) {
    if (!world.queue.runNext(end)) throw new Error(`Cannot play the schedule: no ${what}`);
  }
}
