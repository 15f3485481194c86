// One block arriving in pieces: copied once into one contiguous array, hashed piece by piece as
// it comes, compared with its CID at the end. The array is not shared: whoever gets it may keep it,
// store it, or transfer it.

import { sameDigest, type StartHash } from "./block_hash.ts";

/** A block being received. */
export interface IncomingBlock {
  /** Takes the next bytes; the caller has checked that they fit. */
  add(piece: Uint8Array): void;
  /** The bytes when they match the digest, else undefined. Call once, when complete. */
  finish(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** An array of so many bytes for one block. */
export type MakeRoom = (bytes: number) => Uint8Array;

/** Receives `bytes` bytes that must hash to `digest` (32 bytes of sha2-256). */
export function createIncomingBlock(
  expected: {
    readonly bytes: number;
    readonly digest: Uint8Array;
    readonly startHash: StartHash;
    /** Where its bytes go; fresh memory when not given. */
    readonly makeRoom?: MakeRoom | undefined;
  },
): IncomingBlock {
  const block = expected.makeRoom?.(expected.bytes) ?? new Uint8Array(expected.bytes);
  const hash = expected.startHash();
  let held = 0;
  return {
    add(piece) {
      block.set(piece, held);
      held += piece.length;
      hash.update(piece);
    },
    finish() {
      if (held !== expected.bytes) return undefined;
      const judge = (digest: Uint8Array) => sameDigest(digest, expected.digest) ? block : undefined;
      const digest = hash.digest(block);
      return digest instanceof Promise ? digest.then(judge) : judge(digest);
    },
  };
}
