// The hash of block bytes as a port. Bytes are hashed piece by piece as they arrive (node:crypto on
// nodes, wasm in tabs on any origin), or all at once at the end, by whoever does that off the
// thread (crypto.subtle in tabs on secure origins).

/** One SHA-256 under way. */
export interface BlockHash {
  update(bytes: Uint8Array): void;
  /** The 32 bytes; `whole` is all that was given. Call once, then the hash is over. */
  digest(whole: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Begins a SHA-256. */
export type StartHash = () => BlockHash;

/** Whether two digests are equal. Those of blocks are no secret: the time it takes may tell. */
export function sameDigest(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
