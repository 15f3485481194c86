// The hash of block bytes as a port: incremental and synchronous, since bytes are hashed piece by
// piece as they arrive. Nodes give node:crypto's, tabs one in wasm, which works on any origin.

/** One SHA-256 under way. */
export interface BlockHash {
  update(bytes: Uint8Array): void;
  /** The 32 bytes; call once, then the hash is over. */
  digest(): Uint8Array;
}

/** Begins a SHA-256. */
export type StartHash = () => BlockHash;

/** Whether two digests are equal. Those of blocks are no secret: the time it takes may tell. */
export function sameDigest(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
