// Fetches what this node owns and lacks: a window of wanted blocks at a time, every usable member
// asked once which of them it holds, the rarest first, from several holders at once, fastest
// first, as fast as the budget allows and slowly while pushes and pulls run here. Stand-ins hand
// over by being asked like anyone else, and what no member has may be in a tab. When nothing of its
// own is due, it stands in for owners that are full: for what they lack and no other stands for.
//
// Invariants: repairs only while the node is writable; a block is fetched once, whatever fails;
// what is stored was hashed at the exchange's door.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import {
  blockBytesMax,
  haveCidsMax,
  repairBusyBytesPerSecond,
  repairFetchesBusyMax,
  repairFetchesMax,
  repairFetchesPerPeerMax,
  repairWindowBlocks,
} from "../../shared/base/limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { Budget } from "../../shared/repair/budget.ts";
import { fastestSource, rarestFirst, type Sourced } from "../../shared/repair/plan.ts";
import type { BlockExchange } from "../../web/peer/block_exchange.ts";
import type { Activity } from "./activity.ts";
import type { Clock } from "./clock.ts";
import { holdersOf } from "./copy_count.ts";
import type { ExtraCopies } from "./extra_copies.ts";
import { needsStandIn, type RingView } from "./place.ts";
import type { References } from "./references.ts";
import type { WantedBlock } from "./wanted.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface RepairOptions {
  readonly store: BlockStore;
  readonly ring: RingView;
  readonly exchange: BlockExchange;
  readonly references: References;
  readonly activity: Pick<Activity, "busy">;
  readonly workers: Pick<Workers, "start">;
  readonly clock: Clock;
  /** Bytes a second; Infinity for as fast as it goes. */
  readonly bytesPerSecond: number;
  /** Where a block is looked for that no member has. */
  readonly extra?: ExtraCopies;
  /** Whether the council is reached and the node not paused: else nothing is moved. */
  readonly writable: () => boolean;
}

/** Blocks and bytes that repair brought since the start. */
export interface RepairCounts {
  readonly blocks: number;
  readonly bytes: number;
  /** When it stored its first and last block, ms; 0 for never. */
  readonly firstAt: number;
  readonly lastAt: number;
}

type Job = Sourced<WantedBlock, NodeId>;

const everyMs = 2_000;
const wantTimeoutMs = 15_000;
/** Asking every tab of every member is much for blocks that are lost, and stay so. */
const rescueAgainMs = 60_000;
/** Tabs may be silent, and what members have waits for the next window. */
const rescueMs = 30_000;
/** A pause until a busy source or the budget may have room again. */
const pauseMs = 5;
const longPauseMs = 250;

/** The loop that fetches what is wanted. */
export class Repair {
  readonly #options: RepairOptions;
  readonly #budget: Budget;
  readonly #inFlight = new Map<NodeId, number>();
  #wake: () => void = () => undefined;
  #counts = { blocks: 0, bytes: 0, firstAt: 0, lastAt: 0 };
  #idle = true;
  /** Blocks that no tab had, and when they began to be noted; never more than are wanted. */
  readonly #inVain = new Set<Cid>();
  #inVainSince = 0;

  constructor(options: RepairOptions) {
    this.#options = options;
    this.#budget = new Budget({
      bytesPerSecond: options.bytesPerSecond,
      busyBytesPerSecond: repairBusyBytesPerSecond,
    });
  }

  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = this.#options.workers.start({ name: "repair", everyMs, step }).wake;
    this.#options.references.onWanted(() => this.#wake());
  }

  /** Looks for everything again, now: a member came back, or somebody asked. */
  retry(): void {
    this.#inVain.clear();
    this.#options.references.wanted.retryAll();
    this.#options.references.stoodFor.retryAll();
    this.#wake();
  }

  get counts(): RepairCounts {
    return this.#counts;
  }

  /** Whether nothing is being fetched and nothing is due. */
  get idle(): boolean {
    const { references: { wanted }, clock } = this.#options;
    return this.#idle && wanted.due(clock.now(), 1).length === 0;
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { references: { wanted, stoodFor }, clock, writable } = this.#options;
    if (!writable()) return { more: false, progress: "waiting until the node is writable" };
    const [own, others] = [wanted, stoodFor].map((list) =>
      list.due(clock.now(), repairWindowBlocks)
    );
    const due = own?.length ? own : others ?? [];
    if (due.length === 0) return { more: false, progress: this.#progress() };
    this.#idle = false;
    try {
      await this.#fetchWindow(due, signal);
    } finally {
      this.#idle = true;
    }
    return { more: !this.#options.store.use().full, progress: this.#progress() };
  }

  async #fetchWindow(blocks: readonly WantedBlock[], signal: AbortSignal): Promise<void> {
    const { ring, clock } = this.#options;
    const cids = blocks.map(({ cid }) => cid);
    const holders = await holdersOf(this.#options, cids, { lease: false, signal });
    signal.throwIfAborted();
    const jobs: Job[] = [];
    const orphans: WantedBlock[] = [];
    blocks.forEach((block, index) => {
      const others = (holders[index] ?? []).filter((id) => id !== ring.self);
      if (this.#isNotNeeded(block, others)) return;
      if (others.length > 0) jobs.push({ block, holders: others });
      else if (this.#isMissing(block)) orphans.push(block);
    });
    const waiting = rarestFirst(jobs).reverse();
    const lanes = Array.from({ length: repairFetchesMax }, async (_, lane) => {
      while (waiting.length > 0 && !signal.aborted && this.#options.writable()) {
        if (this.#options.activity.busy && lane >= repairFetchesBusyMax) {
          await clock.sleep(longPauseMs, signal);
          continue;
        }
        const job = waiting.pop();
        if (job !== undefined && !await this.#fetch(job, signal)) return;
      }
    });
    const outcomes = await Promise.allSettled(lanes);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await this.#rescue(orphans, signal);
  }

  /** A block of a full owner that has it after all, or for which others stand in; left out then. */
  #isNotNeeded({ cid, replicas }: WantedBlock, holders: readonly NodeId[]): boolean {
    const { ring, references: { stoodFor, wanted } } = this.#options;
    if (wanted.has(cid) || !stoodFor.has(cid)) return false;
    if (needsStandIn(ring, { cid, replicas, holders })) return false;
    stoodFor.delete(cid); // the next walk judges it anew
    return true;
  }

  /** Blocks that no member said to hold: from tabs, or lost as far as one can tell now. */
  async #rescue(orphans: readonly WantedBlock[], signal: AbortSignal): Promise<void> {
    const { extra, writable, clock } = this.#options;
    if (clock.now() - this.#inVainSince >= rescueAgainMs) {
      this.#inVainSince = clock.now();
      this.#inVain.clear();
    }
    const over = new AbortController();
    const searching = AbortSignal.any([signal, over.signal]);
    const search = extra?.search(searching);
    const waiting: WantedBlock[] = [];
    for (const block of orphans.toReversed()) {
      if (this.#inVain.has(block.cid)) this.#failed(block.cid, { lost: true });
      else waiting.push(block);
    }
    const lane = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (signal.aborted || !writable()) return;
        const others = waiting.slice(-haveCidsMax).map(({ cid }) => cid).reverse();
        const bytes = searching.aborted ? undefined : await search?.get(next.cid, others);
        if (signal.aborted || !this.#isMissing(next)) continue;
        if (bytes === undefined) {
          if (!searching.aborted) this.#inVain.add(next.cid);
          this.#failed(next.cid, { lost: true });
        } else {
          await this.#awaitBudget(bytes.length, signal);
          if (!await this.#keep(next, bytes)) return;
        }
      }
    };
    const lanes = Promise.all(Array.from({ length: repairFetchesBusyMax }, lane));
    void clock.sleep(rescueMs, searching).then(() => over.abort());
    try {
      await lanes;
    } finally {
      over.abort();
    }
  }

  /** Whether the block is still to be fetched; one that came by a push is noted. */
  #isMissing({ cid, replicas }: WantedBlock): boolean {
    const { references, store } = this.#options;
    if (references.soughtIn(cid) === undefined) return false;
    if (!store.has(cid)) return true;
    references.stored(cid, replicas);
    return false;
  }

  #failed(cid: Cid, { lost }: { readonly lost: boolean }): void {
    const { references, clock } = this.#options;
    references.soughtIn(cid)?.failed(cid, { at: clock.now(), lost });
  }

  /** Fetches one block. @returns false when there is no room for more */
  async #fetch({ block, holders }: Job, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const left = holders.filter((id) => this.#options.ring.isUsable(id));
    const bytes = block.bytes > 0 ? block.bytes : blockBytesMax / 4;
    await this.#awaitBudget(bytes, signal);
    while (left.length > 0 && !signal.aborted && this.#isMissing(block)) {
      const source = this.#sourceOf(left);
      if (source === undefined) {
        await clock.sleep(pauseMs, signal);
        continue;
      }
      const got = await this.#want(source, block.cid, signal);
      if (got !== undefined) return await this.#keep(block, got);
      left.splice(left.indexOf(source), 1);
    }
    this.#budget.giveBack(bytes);
    if (!signal.aborted && this.#isMissing(block)) this.#failed(block.cid, { lost: false });
    return true;
  }

  async #awaitBudget(bytes: number, signal: AbortSignal): Promise<void> {
    const { clock, activity } = this.#options;
    for (;;) {
      const wait = this.#budget.waitMs(clock.now(), activity.busy);
      if (wait === 0 || signal.aborted) break;
      await clock.sleep(Math.min(wait, longPauseMs), signal);
    }
    this.#budget.take(bytes);
  }

  #sourceOf(holders: readonly NodeId[]): NodeId | undefined {
    const { exchange } = this.#options;
    return fastestSource(holders, {
      perPeerMax: repairFetchesPerPeerMax,
      stateOf: (id) => ({
        bytesPerSecond: exchange.rating(id).bytesPerSecond,
        inFlight: this.#inFlight.get(id) ?? 0,
      }),
    });
  }

  async #want(peer: NodeId, cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    this.#inFlight.set(peer, (this.#inFlight.get(peer) ?? 0) + 1);
    try {
      const options = { timeoutMs: wantTimeoutMs, signal };
      const outcome = await this.#options.exchange.want(peer, cid, options);
      return outcome.ok ? outcome.bytes : undefined;
    } finally {
      const left = (this.#inFlight.get(peer) ?? 1) - 1;
      if (left > 0) this.#inFlight.set(peer, left);
      else this.#inFlight.delete(peer);
    }
  }

  /** Stores a fetched block. @returns false when the store takes no more now */
  async #keep(block: WantedBlock, bytes: Uint8Array): Promise<boolean> {
    const { references, store, clock } = this.#options;
    const { cid, kind, replicas } = block;
    const failed = () => this.#failed(cid, { lost: false });
    try {
      const outcome = await store.put(cid, bytes, kind);
      if (!outcome.ok) {
        failed();
        return false;
      }
      references.stored(cid, replicas);
      if (!outcome.fresh) return true;
      const { firstAt, blocks, bytes: before } = this.#counts;
      const lastAt = clock.now();
      const first = firstAt === 0 ? lastAt : firstAt;
      this.#counts = { blocks: blocks + 1, bytes: before + bytes.length, firstAt: first, lastAt };
      return true;
    } catch (error) {
      if (!(error instanceof SkyringError) || error.code !== "busy") throw error;
      failed();
      return true;
    }
  }

  #progress(): string {
    const { wanted } = this.#options.references;
    const { blocks, bytes } = this.#counts;
    const left = wanted.size === 0 ? "none wanted" : `${wanted.size} wanted`;
    return `${left}, ${blocks} blocks (${bytes} bytes) restored`;
  }
}
