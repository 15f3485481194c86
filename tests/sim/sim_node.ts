// One simulated node: a real agreement machine, its disk, and the driver between them. The driver
// is the contract of agreement_port.ts: outputs form one queue, nothing behind a `persist` leaves
// before that is durable, and messages to self come back through the same queue. A crash voids
// everything the incarnation had planned; a pause holds it all until the node is resumed.

import { assert } from "../../shared/base/assert.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import type { Prng } from "../../shared/base/prng.ts";
import { createAgreement } from "../../shared/record/agreement.ts";
import type {
  Agreement,
  AgreementInput,
  AgreementOutput,
  AgreementSettings,
  Placement,
} from "../../shared/record/agreement_port.ts";
import type { Mutants } from "../../shared/ring/mutant.ts";
import type { Action, EventQueue } from "./event_queue.ts";
import { createSimDisk, type SimDisk } from "./sim_disk.ts";

/** What a node needs from the world around it. */
export interface NodeWorld {
  readonly queue: EventQueue;
  readonly prng: Prng;
  readonly placement: Placement;
  readonly settings: AgreementSettings;
  readonly mutants: Mutants;
  /** Un-synced writes wait up to this long; 0: every write is durable at once. */
  syncMs: number;
  /** Called for each output when the machine makes it, which is before it may leave. */
  observe(node: SimNode, output: AgreementOutput): void;
  /** Called for each output that leaves the node, in order. */
  emit(node: SimNode, output: Exclude<AgreementOutput, { kind: "persist" }>): void;
}

export type NodeState = "up" | "down" | "gone";

/** A node of the world. */
export interface SimNode {
  readonly id: NodeId;
  disk: SimDisk;
  state: NodeState;
  machine: Agreement | undefined;
  /** Epoch adopted last, in this start. */
  epoch: number;
  /** Counts starts and crashes: what an earlier one planned is void. */
  incarnation: number;
  isPaused: boolean;
  /** When it stopped answering; Infinity while it answers. */
  silentSince: number;
  /** It founded the pool, and does so again when its first roster never reached the disk. */
  isFounder: boolean;
  /** It was asked to leave for good. */
  leaving: boolean;
  readonly outputs: AgreementOutput[];
  /** Its outputs are leaving right now. */
  isLeaving: boolean;
  syncing: boolean;
  /** Transactions of the queue that are durable already. */
  synced: number;
  /** What a pause holds back. */
  held: Action[];
}

const tickMs = 25;

/** A node that was never started, with an empty disk. @throws never */
export function createSimNode(id: NodeId): SimNode {
  return {
    id,
    disk: createSimDisk(),
    state: "down",
    machine: undefined,
    epoch: 0,
    incarnation: 0,
    isPaused: false,
    silentSince: 0,
    isFounder: false,
    leaving: false,
    outputs: [],
    isLeaving: false,
    syncing: false,
    synced: 0,
    held: [],
  };
}

/** Starts a node that is down: counts the boot, opens the disk, ticks from now on. */
export function startNode(world: NodeWorld, node: SimNode): void {
  node.incarnation += 1;
  node.state = "up";
  node.silentSince = Infinity;
  node.disk.boot += 1;
  node.machine = createAgreement({
    self: node.id,
    boot: node.disk.boot,
    prng: world.prng,
    disk: node.disk.open(),
    placement: world.placement,
    settings: world.settings,
    mutants: world.mutants,
  });
  tick(world, node);
}

/** Kills a node at once; what was not durable is gone but for a random prefix. */
export function crashNode(world: NodeWorld, node: SimNode): void {
  node.incarnation += 1;
  node.state = "down";
  node.isPaused = false;
  node.silentSince = world.queue.now;
  node.machine = undefined;
  node.outputs.length = 0;
  node.held = [];
  node.syncing = false;
  node.synced = 0;
  node.disk.sync(world.prng.int(node.disk.unsynced + 1));
  node.disk.crash();
}

/** Stops a node as SIGSTOP does: it does nothing, and everything waits for it. */
export function pauseNode(world: NodeWorld, node: SimNode): void {
  node.isPaused = true;
  node.silentSince = world.queue.now;
}

/** Lets a paused node go on; `drop` says whether it notices that it slept. */
export function resumeNode(world: NodeWorld, node: SimNode, drop: boolean): void {
  node.isPaused = false;
  node.silentSince = Infinity;
  if (drop) feed(world, node, { kind: "resumed" });
  const { held, incarnation } = node;
  node.held = [];
  for (const action of held) {
    if (node.incarnation === incarnation) action();
  }
}

/** Plans an action of this incarnation of the node; void after a crash, late after a pause. */
export function plan(world: NodeWorld, node: SimNode, at: number, action: Action): void {
  const { incarnation } = node;
  world.queue.put(at, () => {
    if (node.incarnation !== incarnation) return;
    if (node.isPaused) node.held.push(action);
    else action();
  });
}

/** One step of a node's machine. Does nothing unless the node is up. */
export function feed(world: NodeWorld, node: SimNode, input: AgreementInput): void {
  if (node.machine === undefined) return;
  for (const output of node.machine.step(input, world.queue.now)) {
    world.observe(node, output);
    if (output.kind === "persist") node.disk.write(output.writes);
    if (output.kind === "persist" && world.mutants.has("reply-before-disk")) syncLater(world, node);
    else node.outputs.push(output);
  }
  pump(world, node);
}

function tick(world: NodeWorld, node: SimNode): void {
  feed(world, node, { kind: "tick" });
  const wait = tickMs * world.prng.between(0.8, 1.2);
  plan(world, node, world.queue.now + wait, () => tick(world, node));
}

/** Lets outputs leave up to the first transaction that is not durable. */
function pump(world: NodeWorld, node: SimNode): void {
  const { outputs } = node;
  assert(!node.isLeaving, "a node is not fed while its outputs leave");
  node.isLeaving = true;
  let taken = 0;
  for (; taken < outputs.length; taken++) {
    const output = outputs[taken] as AgreementOutput;
    if (output.kind !== "persist") {
      leave(world, node, output);
      continue;
    }
    if (world.syncMs === 0) node.disk.sync(1);
    else if (node.synced > 0) node.synced -= 1;
    else break;
  }
  node.isLeaving = false;
  outputs.splice(0, taken);
  if (outputs.length > 0 && !node.syncing) startSync(world, node);
}

/** Group commit: all transactions written so far become durable together, a little later. */
function startSync(world: NodeWorld, node: SimNode): void {
  const count = node.disk.unsynced;
  const slow = world.prng.chance(0.02) ? 20 : 1;
  const at = world.queue.now + world.prng.next() * world.syncMs * slow;
  node.syncing = true;
  plan(world, node, at, () => {
    node.syncing = false;
    node.disk.sync(count);
    node.synced += count;
    pump(world, node);
  });
}

/** The driver of a broken build: nothing waits for the disk. */
function syncLater(world: NodeWorld, node: SimNode): void {
  const at = world.queue.now + world.prng.next() * world.syncMs;
  plan(world, node, at, () => node.disk.sync(1));
}

function leave(
  world: NodeWorld,
  node: SimNode,
  output: Exclude<AgreementOutput, { kind: "persist" }>,
): void {
  if (output.kind !== "send" || output.to !== node.id) return world.emit(node, output);
  const { message } = output;
  plan(world, node, world.queue.now, () => {
    feed(world, node, { kind: "message", from: node.id, message });
  });
}
