// When a surplus copy may go (ARCHITECTURE.md). The asker's side is a TrimCase, the
// owner's side is vouch() and SlotHolds; both are needed for the proof:
//
//   An asker drops only while every owner under its epoch has answered "mine" twice, the last
//   time at most `trimFreshMs` ago, counted from the question. Who answered "mine" drops nothing
//   of that slot for `trimHoldMs`, counted from the answer. So when a copy goes, each owner still
//   holds its own, and goes on holding it until anyone who was promised something has dropped or
//   given up. An owner that a later epoch made surplus has to ask that epoch's owners first, and
//   the dropper among them then answers "not held". Holds are lost in a crash: a node that has
//   just started drops nothing for `trimHoldMs`.
//
// Pure: times are ms of a clock that does not go back.

import type { Slot } from "../base/ids.ts";
import { slotCount, trimApartMs, trimFreshMs, trimHoldMs } from "../base/limits.ts";
import { type BlockFacts, judgeBlock } from "./plan.ts";

/** What a node must not drop for now. No method throws. */
export class SlotHolds {
  readonly #until = new Float64Array(slotCount);
  readonly #startedAt: number;

  /** @param now time of this start: promises of an earlier one are not known any more */
  constructor(now: number) {
    this.#startedAt = now;
  }

  /** This node answered "mine" for a block of the slot. */
  hold(slot: Slot, now: number): void {
    this.#until[slot] = Math.max(this.#until[slot] as number, now + trimHoldMs);
  }

  /** Whether nothing of the slot may be dropped now. */
  isHeld(slot: Slot, now: number): boolean {
    return now < this.#startedAt + trimHoldMs || now < (this.#until[slot] as number);
  }
}

/** An owner's answer: held, verified and mine, under the asker's own epoch. @throws never */
export function vouch(
  facts: BlockFacts & { readonly verified: boolean; readonly sameEpoch: boolean },
): boolean {
  return facts.sameEpoch && facts.verified && facts.held && judgeBlock(facts) === "keep";
}

/** What an asker may do now: ask (again), drop, wait for answers, or give this case up. */
export type TrimVerdict = "ask" | "wait" | "drop" | "void";

interface Vouches {
  /** Times of the questions that were answered "mine": the first and the last. */
  first: number | undefined;
  last: number | undefined;
}

/** One surplus block, from the first question to its end. No method throws. */
export class TrimCase<Peer> {
  readonly epoch: string;
  readonly #owners: ReadonlyMap<Peer, Vouches>;
  #refused = false;

  /** `epoch` names roster and lineage; `owners` are all of the block's under it. */
  constructor(epoch: string, owners: readonly Peer[]) {
    this.epoch = epoch;
    this.#owners = new Map(owners.map((id) => [id, { first: undefined, last: undefined }]));
  }

  /** Takes an owner's answer to a question sent at `askedAt`; anything but "mine" ends the case. */
  answered(peer: Peer, { mine, askedAt }: { readonly mine: boolean; readonly askedAt: number }) {
    const vouches = this.#owners.get(peer);
    if (vouches === undefined) return;
    if (!mine) {
      this.#refused = true;
      return;
    }
    vouches.first ??= askedAt;
    vouches.last = Math.max(vouches.last ?? askedAt, askedAt);
  }

  /** What may be done under the asker's present epoch. */
  verdict({ epoch, now }: { readonly epoch: string; readonly now: number }): TrimVerdict {
    if (this.#refused || epoch !== this.epoch || this.#owners.size === 0) return "void";
    let oldest = Infinity;
    let apart = Infinity;
    for (const { first, last } of this.#owners.values()) {
      if (first === undefined || last === undefined) return "ask";
      oldest = Math.min(oldest, last);
      apart = Math.min(apart, last - first);
    }
    if (now - oldest > trimFreshMs) return "void";
    if (apart >= trimApartMs) return "drop";
    return now - oldest >= trimApartMs ? "ask" : "wait";
  }
}
