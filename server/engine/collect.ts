// Removes blocks that nothing references (ARCHITECTURE.md). Two ways in:
//
//   worker   a block that no walk has found referenced and no push has touched for `keepMs`
//   now()    what nothing references now, and no push that still runs anywhere may have put
//
// Invariants: only what was last touched before all writes were settled (settlement.ts), and only
// after a whole walk with every inner block at hand, begun after that; only while the node is
// writable, and its catalog not emptied and still being rebuilt; never in a slot that this node
// vouched for. A lease renewed meanwhile saves the block in the store itself (removeUntouched).

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { collectPageBlocks, sweepEveryMs, unreferencedMax } from "../../shared/base/limits.ts";
import type { HeldBlock, VerifiableStore } from "../../shared/block/block_store.ts";
import { judgeBlock } from "../../shared/repair/plan.ts";
import type { SlotHolds } from "../../shared/repair/trim_rule.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import type { Clock } from "./clock.ts";
import type { ReferenceSweep, WholeWalk } from "./reference_sweep.ts";
import type { References } from "./references.ts";
import { settledBefore, type SettlementPorts } from "./settlement.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface CollectOptions extends SettlementPorts {
  readonly store: VerifiableStore;
  readonly references: References;
  readonly sweep: Pick<ReferenceSweep, "whole" | "request" | "untilWhole" | "outdated">;
  readonly holds: SlotHolds;
  readonly workers: Pick<Workers, "start">;
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly keepMs: number;
  readonly writable: () => boolean;
  /** Whether the catalog was emptied and may lack files that the registers have. */
  readonly rebuilding: () => boolean;
}

/** What a collection removed. */
export interface Collected {
  readonly blocks: number;
  readonly freedBytes: number;
}

const everyMsMax = 60_000;
const everyMsMin = 1_000;

/** Removes blocks that nothing references: in time by a loop, or now. */
export class Collector {
  readonly #options: CollectOptions;
  /** Unreferenced blocks, and when a walk first found them so. */
  readonly #since = new Map<Cid, number>();
  #pass = -1;
  /** All writes before this were settled when the walk of this pass was asked for. */
  #settled: { readonly before: number; readonly pass: number } | undefined;
  #total: Collected = { blocks: 0, freedBytes: 0 };

  constructor(options: CollectOptions) {
    this.#options = options;
  }

  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    const everyMs = Math.max(everyMsMin, Math.min(everyMsMax, this.#options.keepMs / 4));
    this.#options.workers.start({ name: "collector", everyMs, step });
  }

  /**
   * Removes now what nothing references, wherever no running push may have put it.
   * @throws {SkyringError} read_only, unavailable (a member or an inner block is missing)
   */
  async now(signal?: AbortSignal): Promise<Collected> {
    const { sweep, writable } = this.#options;
    if (!writable()) {
      throw new SkyringError("read_only", "Cannot collect: this node is not writable now", {
        retriable: true,
      });
    }
    if (this.#options.rebuilding()) {
      const text = "Cannot collect: this node is still rebuilding its catalog";
      throw new SkyringError("unavailable", text, { retriable: true });
    }
    const touchedBefore = await settledBefore(this.#options, signal);
    const walk = await sweep.untilWhole(sweep.request(), signal);
    if (walk.unknownFiles > 0) {
      throw new SkyringError(
        "unavailable",
        `Cannot collect: inner blocks of ${walk.unknownFiles} files are not at hand`,
        { data: { files: walk.unknownFiles }, retriable: true },
      );
    }
    return await this.#collect(walk, {
      touchedBefore,
      isDue: () => true,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { sweep, writable, clock, keepMs } = this.#options;
    const { whole } = sweep;
    if (!writable() || whole === undefined) return this.#report("waiting for a whole walk");
    if (this.#options.rebuilding()) return this.#report("waiting until the catalog is rebuilt");
    if (whole.unknownFiles > 0) return this.#report(`${whole.unknownFiles} files unknown`);
    if (whole.pass === this.#pass) return await this.#ask(whole, signal);
    await this.#noteSince(whole, signal);
    const settled = this.#settled;
    if (settled !== undefined && whole.pass >= settled.pass) {
      const touchedBefore = Math.min(clock.now() - keepMs, settled.before);
      const isDue = (cid: Cid) => clock.now() - (this.#since.get(cid) ?? Infinity) >= keepMs;
      this.#settled = undefined;
      await this.#collect(whole, { touchedBefore, isDue, signal });
    }
    this.#pass = whole.pass;
    return this.#report(`${this.#since.size} unreferenced`);
  }

  /** Asks for the walk by which what is due may be removed, or that finds what is unreferenced. */
  async #ask(whole: WholeWalk, signal: AbortSignal): Promise<StepReport> {
    const { sweep, clock, keepMs } = this.#options;
    const pauseMs = Math.min(sweepEveryMs, keepMs / 24);
    if (this.#settled === undefined && this.#isDue(clock.now())) {
      try {
        const before = await settledBefore(this.#options, signal);
        this.#settled = { before, pass: sweep.request() };
      } catch (error) {
        if (!(error instanceof SkyringError)) throw error;
        return this.#report(messageOf(error)); // asked again at the next turn
      }
    } else if (clock.now() - whole.startedAt > pauseMs && sweep.outdated) {
      sweep.request();
    }
    return this.#report(`${this.#since.size} unreferenced`);
  }

  /** Whether some unreferenced block has been so for the keep time. */
  #isDue(now: number): boolean {
    for (const at of this.#since.values()) if (now - at >= this.#options.keepMs) return true;
    return false;
  }

  /** Begins the keep time of what this walk found unreferenced, ends it for what is used again. */
  async #noteSince(walk: WholeWalk, signal: AbortSignal): Promise<void> {
    const { references, clock } = this.#options;
    const now = clock.now();
    let seen = 0;
    for (const cid of this.#since.keys()) {
      if (++seen % collectPageBlocks === 0) await clock.sleep(0, signal);
      if (judgeBlock(references.factsOf(cid)) !== "unreferenced") this.#since.delete(cid);
    }
    for (const page of pagesOf(this.#options.store)) {
      for (const held of page) {
        if (this.#since.size >= unreferencedMax) return;
        if (!this.#since.has(held.cid) && this.#isUnreferenced(held, walk)) {
          this.#since.set(held.cid, now);
        }
      }
      await clock.sleep(0, signal);
      signal.throwIfAborted();
    }
  }

  /** Judged by a walk only when it was there before the walk began. */
  #isUnreferenced({ cid, touchedAt }: HeldBlock, walk: WholeWalk): boolean {
    return touchedAt < walk.startedAt &&
      judgeBlock(this.#options.references.factsOf(cid)) === "unreferenced";
  }

  async #collect(
    walk: WholeWalk,
    rule: {
      readonly touchedBefore: number;
      readonly isDue: (cid: Cid) => boolean;
      readonly signal?: AbortSignal;
    },
  ): Promise<Collected> {
    const { store, holds, monotonic, clock } = this.#options;
    const touchedBefore = Math.min(rule.touchedBefore, walk.startedAt);
    let [blocks, freedBytes] = [0, 0];
    for (const page of pagesOf(store)) {
      for (const held of page) {
        rule.signal?.throwIfAborted();
        const { cid, bytes } = held;
        const due = this.#isUnreferenced(held, walk) && rule.isDue(cid);
        if (!due || !this.#mayRemove() || holds.isHeld(slotOfCid(cid), monotonic())) continue;
        if (!await store.removeUntouched(cid, touchedBefore)) continue;
        this.#since.delete(cid);
        blocks++;
        freedBytes += bytes;
      }
      await clock.sleep(0, rule.signal);
    }
    const { blocks: all, freedBytes: allBytes } = this.#total;
    this.#total = { blocks: all + blocks, freedBytes: allBytes + freedBytes };
    return { blocks, freedBytes };
  }

  #mayRemove(): boolean {
    return this.#options.writable() && !this.#options.rebuilding();
  }

  #report(state: string): StepReport {
    const { blocks, freedBytes } = this.#total;
    return { more: false, progress: `${state}; ${blocks} blocks (${freedBytes} bytes) removed` };
  }
}

/** Held blocks a page at a time: pages are read as they are reached. */
function* pagesOf(store: VerifiableStore): Generator<readonly HeldBlock[]> {
  let after: Cid | undefined;
  for (;;) {
    const page = store.list(after, collectPageBlocks);
    if (page.length > 0) yield page;
    after = page.at(-1)?.cid;
    if (page.length < collectPageBlocks) return;
  }
}
