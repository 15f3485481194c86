// Configurations of a slot: maximal runs of epochs with the same deciders, named by their last
// epoch. A handover walks them newest first (ARCHITECTURE.md, "Agreement").

import type { NodeId, Slot } from "../base/ids.ts";
import type { Roster } from "../ring/roster.ts";
import type { Placement } from "./agreement_port.ts";
import { sameDeciders } from "./slot_table.ts";

export interface Configuration {
  readonly last: number;
  readonly deciders: readonly NodeId[];
}

/** What comes before a configuration in the kept chain. */
export type Older =
  | { readonly kind: "configuration"; readonly configuration: Configuration }
  /** Nothing: the chain begins here with epoch 1. */
  | { readonly kind: "founding" }
  /** Older rosters were trimmed: all of these deciders were answering when they were. */
  | { readonly kind: "trimmed" };

/** The configuration of `slot` whose run ends with (or contains) epoch `last`. */
export function configurationAt(
  history: readonly Roster[],
  { slot, last, placement }: {
    readonly slot: Slot;
    readonly last: number;
    readonly placement: Placement;
  },
): Configuration | undefined {
  const roster = rosterAt(history, last);
  return roster === undefined ? undefined : { last, deciders: placement.decidersOf(roster, slot) };
}

/** The next older configuration than `from`, walking back over epochs with the same deciders. */
export function olderThan(
  history: readonly Roster[],
  { slot, from, placement }: {
    readonly slot: Slot;
    readonly from: Configuration;
    readonly placement: Placement;
  },
): Older {
  for (let epoch = from.last - 1;; epoch--) {
    const roster = rosterAt(history, epoch);
    if (roster === undefined) return { kind: epoch === 0 ? "founding" : "trimmed" };
    const deciders = placement.decidersOf(roster, slot);
    if (!sameDeciders(deciders, from.deciders)) {
      return { kind: "configuration", configuration: { last: epoch, deciders } };
    }
  }
}

/** Roster of an epoch in a consecutive chain. @throws never */
export function rosterAt(history: readonly Roster[], epoch: number): Roster | undefined {
  const first = history[0]?.epoch ?? 0;
  return epoch < first ? undefined : history[epoch - first];
}
