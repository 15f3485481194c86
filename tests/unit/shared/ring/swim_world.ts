// Many SWIM nodes in virtual time: delay, loss, cuts, kills, stops (SIGSTOP: messages wait in
// the socket until the node runs again), clean leaves and restarts. One seed, one history.

import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng, type Prng } from "../../../../shared/base/prng.ts";
import type { SwimMessage } from "../../../../shared/ring/swim_message.ts";
import { createSwim, type Swim, type SwimInput } from "../../../../shared/ring/swim.ts";
import type { Liveness } from "../../../../shared/status.ts";
import { encodeSwimMessage } from "../../../../shared/wire/swim_message.ts";

const tickMs = 100;

interface Node {
  swim: Swim;
  boot: number;
  running: "yes" | "stopped" | "dead";
  /** Added to the world's time: clocks need not agree. */
  readonly skew: number;
  waiting: { readonly from: NodeId; readonly message: SwimMessage }[];
  bytes: number;
  messages: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** One change of belief: `by` began to think that `id` is `state`. */
export interface Sighting {
  readonly at: number;
  readonly by: NodeId;
  readonly id: NodeId;
  readonly state: Liveness;
}

export interface WorldOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly loss?: number;
  readonly delayMs?: readonly [number, number];
  readonly profileBytes?: number;
}

/** A world of nodes that all know each other; ids are n0, n1 ... */
export class World {
  readonly prng: Prng;
  readonly ids: NodeId[];
  readonly sightings: Sighting[] = [];
  /** Whether a message may pass; both directions are asked. */
  passes: (from: NodeId, to: NodeId) => boolean = () => true;
  now = 0;
  largest = 0;
  readonly #nodes = new Map<NodeId, Node>();
  readonly #options: WorldOptions;
  #events: Event[] = [];
  #order = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.prng = createPrng(options.seed);
    this.ids = Array.from({ length: options.nodes }, (_, index) => asNodeId(`n${index}`));
    for (const id of this.ids) {
      this.#nodes.set(id, this.#freshNode(id, 1));
      this.step(id, { kind: "members", ids: this.ids });
      const body = new Uint8Array(options.profileBytes ?? 0);
      if (options.profileBytes !== undefined) this.step(id, { kind: "profile", body });
      this.#tickLater(id, this.prng.between(0, tickMs));
    }
  }

  node(id: NodeId): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** States that a node believes of the others. */
  view(id: NodeId): Map<NodeId, Liveness> {
    return new Map(this.node(id).swim.beliefs().map((belief) => [belief.id, belief.state]));
  }

  after(delayMs: number, run: () => void): void {
    const event = { at: this.now + delayMs, order: this.#order++, run };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#events[middle] as Event;
      if (other.at > event.at || (other.at === event.at && other.order > event.order)) {
        low = middle + 1;
      } else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  run(ms: number): void {
    const until = this.now + ms;
    for (let next = this.#events.at(-1); next !== undefined && next.at <= until;) {
      this.#events.pop();
      this.now = next.at;
      next.run();
      next = this.#events.at(-1);
    }
    this.now = until;
  }

  /** Runs until a condition holds. @returns ms that it took, or undefined after `most` */
  runUntil(condition: () => boolean, most: number): number | undefined {
    const start = this.now;
    while (this.now - start < most) {
      if (condition()) return this.now - start;
      this.run(50);
    }
    return condition() ? this.now - start : undefined;
  }

  kill(id: NodeId): void {
    this.node(id).running = "dead";
  }

  restart(id: NodeId): void {
    this.#nodes.set(id, this.#freshNode(id, this.node(id).boot + 1));
    this.step(id, { kind: "members", ids: this.ids });
    this.#tickLater(id, this.prng.between(0, tickMs));
  }

  stop(id: NodeId): void {
    this.node(id).running = "stopped";
  }

  /** Lets a stopped node go on: what waited is handled first, or after one late tick. */
  resume(id: NodeId): void {
    const node = this.node(id);
    node.running = "yes";
    if (this.prng.chance(0.5)) this.step(id, { kind: "tick" });
    const waiting = node.waiting;
    node.waiting = [];
    for (const { from, message } of waiting) this.step(id, { kind: "message", from, message });
  }

  step(id: NodeId, input: SwimInput): void {
    const node = this.node(id);
    for (const output of node.swim.step(input, this.now + node.skew)) {
      if (output.kind === "changed") {
        this.sightings.push({ at: this.now, by: id, id: output.id, state: output.state });
      }
      if (output.kind === "send") this.#carry({ from: id, to: output.to, message: output.message });
    }
  }

  #freshNode(id: NodeId, boot: number): Node {
    const swim = createSwim({ self: id, boot, prng: createPrng(this.prng.int(2 ** 32)) });
    const skew = this.prng.int(2 ** 40);
    return { swim, boot, running: "yes", skew, waiting: [], bytes: 0, messages: 0 };
  }

  #tickLater(id: NodeId, delayMs: number): void {
    const node = this.node(id);
    this.after(delayMs, () => {
      if (node !== this.#nodes.get(id) || node.running === "dead") return;
      if (node.running === "yes") this.step(id, { kind: "tick" });
      this.#tickLater(id, tickMs);
    });
  }

  #carry(letter: { from: NodeId; to: NodeId; message: SwimMessage }): void {
    const { from, to, message } = letter;
    const sender = this.node(from);
    const size = encodeSwimMessage(message).length;
    this.largest = Math.max(this.largest, size);
    sender.bytes += size;
    sender.messages += 1;
    if (this.prng.chance(this.#options.loss ?? 0) || !this.passes(from, to)) return;
    const [least, most] = this.#options.delayMs ?? [1, 20];
    this.after(this.prng.between(least, most), () => {
      const receiver = this.#nodes.get(to);
      if (receiver === undefined || receiver.running === "dead") return;
      if (receiver.running === "stopped") receiver.waiting.push({ from, message });
      else this.step(to, { kind: "message", from, message });
    });
  }
}
