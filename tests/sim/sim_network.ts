// The network between simulated nodes: loses, doubles, delays and reorders messages, and is cut
// in two by splits. A message is judged when it is sent (loss, delays) and again when it arrives
// (the split of that moment), so that messages of before a split can arrive after it.

import type { Prng } from "../../shared/base/prng.ts";

/** How bad the network is; probabilities of 0 to 1, times in virtual milliseconds. */
export interface NetworkFaults {
  readonly loss: number;
  readonly doubling: number;
  readonly delayMin: number;
  readonly delayMax: number;
  /** Chance that a message takes up to `slowMax` instead. */
  readonly slow: number;
  readonly slowMax: number;
}

/** A network without faults. */
export const calmNetwork: NetworkFaults = {
  loss: 0,
  doubling: 0,
  delayMin: 1,
  delayMax: 8,
  slow: 0,
  slowMax: 0,
};

/** Where messages are between two nodes. */
export interface SimNetwork {
  faults: NetworkFaults;
  /** Nodes on the far side of the split; empty when there is none. */
  far: ReadonlySet<string>;
  /** Delays of the copies of a message sent now: none when it is lost. */
  delays(): number[];
  isCut(from: string, to: string): boolean;
}

/** A calm network without a split. @throws never */
export function createSimNetwork(prng: Prng): SimNetwork {
  const delay = (faults: NetworkFaults) =>
    faults.slow > 0 && prng.chance(faults.slow)
      ? prng.between(faults.delayMin, faults.slowMax)
      : prng.between(faults.delayMin, faults.delayMax);
  return {
    faults: calmNetwork,
    far: new Set(),
    delays() {
      const { faults } = this;
      if (faults.loss > 0 && prng.chance(faults.loss)) return [];
      const first = delay(faults);
      return faults.doubling > 0 && prng.chance(faults.doubling) ? [first, delay(faults)] : [first];
    },
    isCut(from, to) {
      return this.far.size > 0 && this.far.has(from) !== this.far.has(to);
    },
  };
}
