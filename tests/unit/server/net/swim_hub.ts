// Several SWIM drivers on one switchboard and one clock by hand: messages pass as bytes, at
// once or not at all, in the next turn.

import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng } from "../../../../shared/base/prng.ts";
import { createLog } from "../../../../server/log.ts";
import type { Channel, ChannelHandler } from "../../../../server/net/network.ts";
import { type SwimClock, SwimDriver } from "../../../../server/net/swim_driver.ts";

interface Timer {
  readonly ms: number;
  next: number;
  readonly tick: () => void;
}

export class SwimHub {
  readonly ids: readonly NodeId[];
  readonly drivers = new Map<NodeId, SwimDriver>();
  readonly down = new Set<NodeId>();
  readonly lines: string[] = [];
  now = 0;
  readonly #handlers = new Map<NodeId, ChannelHandler>();
  readonly #timers = new Set<Timer>();
  readonly #boots = new Map<NodeId, number>();
  #letters: { readonly from: NodeId; readonly to: NodeId; readonly bytes: Uint8Array }[] = [];

  constructor(count: number) {
    this.ids = Array.from({ length: count }, (_, index) => asNodeId(`12D3KooWNode${index}`));
    for (const index of this.ids.keys()) this.restart(index, {});
  }

  /** A new process of node `index`, in place of the one before; its starts are counted. */
  restart(index: number, { left }: { readonly left?: ReadonlyMap<NodeId, number> }): void {
    const self = this.ids[index] as NodeId;
    const boot = (this.#boots.get(self) ?? 0) + 1;
    this.#boots.set(self, boot);
    void this.drivers.get(self)?.stop({ clean: false });
    const driver = new SwimDriver({
      ...{ self, boot, ...(left === undefined ? {} : { left }) },
      prng: createPrng(index + 1),
      channel: this.channelOf(self),
      clock: this.clock(),
      log: createLog({
        format: "text",
        level: "debug",
        write: (line) => this.lines.push(line),
        now: () => this.now,
      }),
    });
    driver.setMembers(this.ids);
    driver.start();
    this.drivers.set(self, driver);
  }

  driver(index: number): SwimDriver {
    const driver = this.drivers.get(this.ids[index] as NodeId);
    if (driver === undefined) throw new Error(`no driver ${index}`);
    return driver;
  }

  clock(): SwimClock {
    return {
      now: () => this.now,
      every: (ms, tick) => {
        const timer = { ms, next: this.now + ms, tick };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
    };
  }

  channelOf(self: NodeId): Channel {
    return {
      name: "swim",
      request: () => Promise.reject(new Error("liveness only notifies")),
      notify: (to, bytes) => {
        this.#letters.push({ from: self, to, bytes });
      },
      handle: (handler) => {
        this.#handlers.set(self, handler);
      },
    };
  }

  deliver(
    letter: { readonly from: NodeId; readonly to: NodeId; readonly bytes: Uint8Array },
  ): void {
    if (this.down.has(letter.from) || this.down.has(letter.to)) return;
    this.#handlers.get(letter.to)?.(letter.from, letter.bytes);
  }

  get timers(): number {
    return this.#timers.size;
  }

  run(ms: number): void {
    for (const until = this.now + ms; this.now < until;) {
      this.now += 10;
      const letters = this.#letters;
      this.#letters = [];
      for (const letter of letters) this.deliver(letter);
      for (const timer of this.#timers) {
        if (timer.next > this.now) continue;
        timer.next += timer.ms;
        timer.tick();
      }
    }
  }

  async stop(): Promise<void> {
    for (const driver of this.drivers.values()) await driver.stop({ clean: false });
  }
}
