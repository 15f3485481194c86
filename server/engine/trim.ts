// Drops surplus copies by the rule of shared/repair/trim_rule.ts, and vouches for this node's own
// copies to others. A batch at a time: every owner is asked twice about it, a few seconds apart,
// and everything is checked once more just before each unlink.
//
// Invariant: a copy goes only while every owner's second word is fresh, under the epoch of the
// first, and no promise of this node holds the slot.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { trimApartMs, trimLeaseMs, vouchBlocksMax } from "../../shared/base/limits.ts";
import type { VerifiableStore } from "../../shared/block/block_store.ts";
import { judgeBlock } from "../../shared/repair/plan.ts";
import { type SlotHolds, TrimCase, vouch } from "../../shared/repair/trim_rule.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import type { RepairReply, RepairRequest } from "../../shared/wire/repair_message.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import { getVerified } from "../disk/verified_store.ts";
import type { Clock } from "./clock.ts";
import type { RingView } from "./place.ts";
import type { References } from "./references.ts";
import type { RepairTalk } from "./repair_talk.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface TrimOptions {
  readonly store: VerifiableStore;
  readonly ring: RingView;
  readonly references: References;
  readonly talk: RepairTalk;
  readonly holds: SlotHolds;
  readonly workers: Pick<Workers, "start">;
  readonly clock: Clock;
  /** Milliseconds that never go back: what promises are counted in. */
  readonly monotonic: () => number;
  readonly roster: () => Roster | undefined;
  readonly writable: () => boolean;
  /** Whether all files were walked under the present roster. */
  readonly known: () => boolean;
}

interface Candidate {
  readonly cid: Cid;
  readonly replicas: number;
  readonly trim: TrimCase<NodeId>;
  readonly owners: readonly NodeId[];
}

const everyMs = 5_000;
/** A block an owner did not vouch for is left alone for this long. */
const againMs = 30_000;
const passedOverMax = 10_000;
const verifyAtOnce = 4;

/** The loop that drops surplus copies, and the answers to others that do. */
export class Trim {
  readonly #options: TrimOptions;
  readonly #passedOver = new Map<Cid, number>();
  #dropped = 0;
  #droppedBytes = 0;

  constructor(options: TrimOptions) {
    this.#options = options;
  }

  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#options.workers.start({ name: "trim", everyMs, step });
  }

  /** Answers an asker: which of these blocks this node holds, verified, as its own. */
  async vouch(asked: Extract<RepairRequest, { kind: "vouch" }>): Promise<RepairReply> {
    const { references, holds, monotonic, ring } = this.#options;
    const mine: boolean[] = asked.blocks.map(() => false);
    const waiting = [...asked.blocks.entries()];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, { cid, replicas }] = next;
        const verified = await this.#verified(cid);
        // Everything else is asked after the read, and the promise is made in the same turn.
        const sameEpoch = this.#isEpoch(asked) && this.#options.writable();
        const slot = slotOfCid(cid);
        const ownedAsAsked = sameEpoch &&
          ring.placement().isOwner(ring.self, { slot, replicas });
        if (!vouch({ ...references.factsOf(cid), verified, sameEpoch: ownedAsAsked })) continue;
        holds.hold(slot, monotonic());
        mine[index] = true;
      }
    };
    await Promise.all(Array.from({ length: verifyAtOnce }, work));
    return { kind: "vouched", mine };
  }

  async #verified(cid: Cid): Promise<boolean> {
    try {
      return await getVerified(this.#options.store, cid) !== undefined;
    } catch (error) {
      if (error instanceof SkyringError) return false; // quarantined, or the store has its trouble
      throw error;
    }
  }

  #isEpoch({ lineage, epoch }: { readonly lineage: string; readonly epoch: number }): boolean {
    const roster = this.#options.roster();
    return roster !== undefined && roster.lineage === lineage && roster.epoch === epoch;
  }

  #epochName(): string {
    const roster = this.#options.roster();
    return roster === undefined ? "" : `${roster.lineage}/${roster.epoch}`;
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { references, writable, known } = this.#options;
    if (!writable()) return { more: false, progress: "waiting until the node is writable" };
    if (!known()) return { more: false, progress: "waiting until all files are walked" };
    const batch = this.#candidates();
    const before = this.#dropped;
    if (batch.length > 0) {
      await this.#askAll(batch, signal);
      await this.#options.clock.sleep(trimApartMs + 100, signal);
      await this.#askAll(batch, signal);
      for (const one of batch) if (!signal.aborted) await this.#drop(one);
    }
    const progress = `${references.surplus} surplus, ${this.#dropped} blocks (` +
      `${this.#droppedBytes} bytes) dropped`;
    return { more: this.#dropped > before, progress };
  }

  /** The next surplus blocks whose owners all answer. */
  #candidates(): Candidate[] {
    const { references, ring, clock } = this.#options;
    const now = clock.now();
    for (const [cid, at] of this.#passedOver) {
      if (now - at >= againMs || this.#passedOver.size > passedOverMax) {
        this.#passedOver.delete(cid);
      }
    }
    const skip = new Set(this.#passedOver.keys());
    const batch: Candidate[] = [];
    for (const cid of references.surplusBlocks(vouchBlocksMax, skip)) {
      const facts = references.factsOf(cid);
      if (judgeBlock(facts) !== "surplus") {
        references.notSurplus(cid);
        continue;
      }
      const { replicas } = facts;
      const owners = ring.placement().ownersOf(slotOfCid(cid), replicas);
      if (!this.#mayDrop(cid) || !owners.every((id) => ring.isUsable(id))) {
        this.#passedOver.set(cid, now);
        continue;
      }
      batch.push({ cid, replicas, owners, trim: new TrimCase(this.#epochName(), owners) });
    }
    return batch;
  }

  #mayDrop(cid: Cid): boolean {
    return !this.#options.holds.isHeld(slotOfCid(cid), this.#options.monotonic());
  }

  async #askAll(batch: readonly Candidate[], signal: AbortSignal): Promise<void> {
    const perOwner = new Map<NodeId, Candidate[]>();
    for (const one of batch) {
      if (this.#verdict(one) === "void") continue;
      for (const owner of one.owners) perOwner.set(owner, [...perOwner.get(owner) ?? [], one]);
    }
    const asking = [...perOwner].map(([owner, some]) => this.#ask(owner, some, signal));
    await Promise.all(asking);
  }

  async #ask(owner: NodeId, some: readonly Candidate[], signal: AbortSignal): Promise<void> {
    const { roster, talk, monotonic } = this.#options;
    const now = roster();
    if (now === undefined) return;
    const askedAt = monotonic();
    const reply = await talk.ask(owner, {
      kind: "vouch",
      lineage: now.lineage,
      epoch: now.epoch,
      blocks: some.map(({ cid, replicas }) => ({ cid, replicas })),
    }, signal);
    some.forEach(({ trim }, index) => {
      const mine = reply?.kind === "vouched" && reply.mine[index] === true;
      trim.answered(owner, { mine, askedAt });
    });
  }

  #verdict({ trim }: Candidate) {
    return trim.verdict({ epoch: this.#epochName(), now: this.#options.monotonic() });
  }

  /** The last check and the unlink, with nothing awaited in between. */
  async #drop(one: Candidate): Promise<void> {
    const { references, store, clock, writable } = this.#options;
    const { cid } = one;
    const facts = references.factsOf(cid);
    const bytes = store.sizeOf(cid) ?? 0;
    const may = writable() && this.#verdict(one) === "drop" && this.#mayDrop(cid) &&
      judgeBlock(facts) === "surplus" && facts.replicas <= one.replicas;
    if (may && await store.removeUntouched(cid, clock.now() - trimLeaseMs)) {
      references.notSurplus(cid);
      this.#dropped++;
      this.#droppedBytes += bytes;
    } else {
      this.#passedOver.set(cid, clock.now());
    }
  }
}
