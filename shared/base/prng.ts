// Seeded randomness for state machines and the simulator: the same seed gives the same run.
// Not for secrets: nonces, keys and boot ids come from the entropy port in server/.
// Source: sfc32, Chris Doty-Humphrey, PractRand (2010); seeded by splitmix32.

/** A deterministic stream of random numbers. */
export interface Prng {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). */
  int(bound: number): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One element, or undefined of an empty list. */
  pick<T>(items: readonly T[]): T | undefined;
  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[];
}

/** A generator for `seed`, any 32-bit integer. @throws never */
export function createPrng(seed: number): Prng {
  const next = sfc32(seed);
  const int = (bound: number) => Math.floor(next() * bound);
  return {
    next,
    int,
    between: (low, high) => low + next() * (high - low),
    chance: (probability) => next() < probability,
    pick: (items) => items[int(items.length)],
    shuffle: (items) => shuffled(items, int),
  };
}

function shuffled<T>(items: readonly T[], int: (bound: number) => number): T[] {
  const copy = items.slice();
  for (let last = copy.length - 1; last > 0; last--) {
    const other = int(last + 1);
    const held = copy[last] as T;
    copy[last] = copy[other] as T;
    copy[other] = held;
  }
  return copy;
}

function sfc32(seed: number): () => number {
  let state = seed | 0;
  const splitmix = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) | 0;
  };
  let [a, b, c, counter] = [splitmix(), splitmix(), splitmix(), 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let warmup = 0; warmup < 12; warmup++) next();
  return next;
}
