// How good a peer has been at giving blocks: smoothed bytes a second and milliseconds until the
// first byte, so that the fetcher asks the fastest holders first. Faults halve the rate.

/** Ratings of one peer. */
export interface Rating {
  readonly bytesPerSecond: number;
  readonly latencyMs: number;
}

/** Weight of the newest sample: about the last ten blocks count. */
const weight = 0.2;

/** Keeps a rating. Times are milliseconds of one clock. */
export class PeerRating {
  #bytesPerSecond = 0;
  #latencyMs = 0;
  #lastEndMs = 0;
  #samples = 0;

  get current(): Rating {
    return { bytesPerSecond: this.#bytesPerSecond, latencyMs: this.#latencyMs };
  }

  /** A block came: with several in flight its time runs from the end of the one before it. */
  add(block: {
    readonly bytes: number;
    readonly askedMs: number;
    readonly firstByteMs: number;
    readonly endMs: number;
  }): void {
    const startMs = Math.max(block.askedMs, this.#lastEndMs);
    const seconds = Math.max(block.endMs - startMs, 0.1) / 1_000;
    this.#lastEndMs = block.endMs;
    this.#mix(block.bytes / seconds, block.firstByteMs - block.askedMs);
  }

  /** A want failed for the peer's fault, after waiting so long. */
  penalize(waitedMs: number): void {
    this.#mix(0, Math.max(this.#latencyMs, waitedMs));
    this.#bytesPerSecond /= 2;
  }

  #mix(bytesPerSecond: number, latencyMs: number): void {
    const share = this.#samples === 0 ? 1 : weight;
    this.#samples += 1;
    this.#bytesPerSecond += share * (bytesPerSecond - this.#bytesPerSecond);
    this.#latencyMs += share * (latencyMs - this.#latencyMs);
  }
}
