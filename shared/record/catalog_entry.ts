// One entry of the catalog: a decided value under its key, as every node copies it. The catalog
// needs no agreement of its own: of two entries under one key the later version wins, and since
// only decided values enter, versions of one key are a chain (ARCHITECTURE.md, "Agreement").

import { encode } from "cborg";
import { compareBallots } from "./ballot.ts";
import { type RecordKey, recordKeyBytes, type Value } from "./value.ts";

/** A key with its decided value. */
export interface CatalogEntry {
  readonly key: RecordKey;
  readonly value: Value;
}

/** Where an entry stands among others, and what it is: see fingerprint_tree.ts. */
export interface EntryMark {
  /** First 48 bits of SHA-256 of the key: the same for all versions. */
  readonly point: number;
  /** 16 bytes of SHA-256 over key and version. */
  readonly id: Uint8Array;
}

/** A hash function: 32 bytes of SHA-256. Passed in, because the platform's is faster. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Whether `next` is to replace `held` in the catalog. @throws never */
export function entrySupersedes(next: Value, held: Value | undefined): boolean {
  return held === undefined || compareBallots(next.version, held.version) > 0;
}

/** Point and id of an entry. @throws never */
export function markOf({ key, value }: CatalogEntry, sha256: Sha256): EntryMark {
  return {
    point: pointOf(key, sha256),
    id: sha256(encode([key.kind, key.name, value.version])).slice(0, 16),
  };
}

/** Point of a key: its place on the ring, to 48 bits. @throws never */
export function pointOf(key: RecordKey, sha256: Sha256): number {
  const hash = sha256(recordKeyBytes(key));
  const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength);
  return view.getUint32(0) * 2 ** 16 + view.getUint16(4);
}
