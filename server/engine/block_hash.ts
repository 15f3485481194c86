// SHA-256 of block bytes on a node, the one time they are hashed on their way in.
// Leaves go to crypto.subtle, which hashes beside the main thread: it costs more CPU in all
// (1.0 against 0.65 s/GiB), but the main thread is what encrypts for the network, and is the
// narrow place. Small blocks are hashed at once: handing them over costs more than the hash.

import { createHash } from "node:crypto";

const asideBytesMin = 64 * 1024;

/** The sha2-256 digest of a block, 32 bytes; a promise for large ones. @throws never */
export function hashBlock(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (bytes.length < asideBytesMin) return hashBlockNow(bytes);
  return crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)
    .then((digest) => new Uint8Array(digest));
}

/** The sha2-256 digest of a block, 32 bytes, on this thread. @throws never */
export function hashBlockNow(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
