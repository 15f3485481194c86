// What this node should hold and lacks, in numbers: what the phase, the status and the netmap show.

/** Kept up to date by whoever works out what is wanted. */
export interface WantedView {
  /** Whether it has been worked out under the present roster. */
  readonly known: boolean;
  /** Blocks owned, not held. */
  readonly missing: number;
  /** Blocks held, not owned. */
  readonly surplus: number;
}
