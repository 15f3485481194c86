// The hash of block bytes on a node: node:crypto, the fastest one that is synchronous.

import { createHash } from "node:crypto";
import type { BlockHash } from "../../web/peer/block_hash.ts";

/** Begins a SHA-256 by the platform's own code. */
export function startNodeHash(): BlockHash {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}
