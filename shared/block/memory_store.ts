// Blocks in memory, for nodes without a disk (edge) and for tests. It is the port's plainest
// implementation: what the contract says, with nothing durable about it.
//
// Invariants: bytes are copied in and out, so no caller can change what is held; the capacity is
// hard; "full" begins with a refusal and ends below 90 %.

import { sha256 } from "../base/hash.ts";
import type { Cid } from "../base/ids.ts";
import { fullEndsBelow, metadataBytesMin, metadataShare } from "../base/limits.ts";
import { digestOf } from "./cid.ts";
import type { BlockKind, HeldBlock, PutOutcome, StoreUse, VerifiableStore } from "./block_store.ts";

export interface MemoryStoreOptions {
  /** Hard limit for the bytes of leaves. */
  readonly capacityBytes: number;
  /** Limit for inner blocks; default a tenth of the capacity, at least 1 GiB. */
  readonly metadataBytesMax?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Held {
  readonly bytes: Uint8Array;
  readonly kind: BlockKind;
  touchedAt: number;
  verifiedAt: number;
}

/** An empty store. @throws never */
export function createMemoryStore(options: MemoryStoreOptions): VerifiableStore {
  const { now } = options;
  const held = new Map<Cid, Held>();
  const heldBytes: Record<BlockKind, number> = { leaf: 0, inner: 0 };
  let capacityBytes = options.capacityBytes;
  let full = false;

  const metadataBytesMax = () =>
    options.metadataBytesMax ?? Math.max(metadataBytesMin, metadataShare * capacityBytes);
  const isFull = () => {
    if (heldBytes.leaf > capacityBytes) full = true;
    else if (heldBytes.leaf < fullEndsBelow * capacityBytes) full = false;
    return full;
  };
  const refusalOf = (kind: BlockKind, bytes: number): PutOutcome | undefined => {
    const limit = kind === "leaf" ? capacityBytes : metadataBytesMax();
    const freeBytes = Math.max(0, limit - heldBytes[kind]);
    if (kind === "inner") {
      return bytes > freeBytes ? { ok: false, code: "metadata_full", freeBytes } : undefined;
    }
    if (!isFull() && bytes <= freeBytes) return undefined;
    full = true;
    return { ok: false, code: "full", freeBytes };
  };
  const remove = (cid: Cid) => removeOne({ held, heldBytes }, cid);
  const put = (cid: Cid, bytes: Uint8Array, kind: BlockKind): PutOutcome => {
    const known = held.get(cid);
    const at = now();
    if (known !== undefined && sameBytes(known.bytes, bytes)) {
      known.touchedAt = Math.max(known.touchedAt, at);
      known.verifiedAt = Math.max(known.verifiedAt, at);
      return { ok: true, fresh: false };
    }
    if (known !== undefined) remove(cid);
    const refusal = refusalOf(kind, bytes.length);
    if (refusal !== undefined) return refusal;
    held.set(cid, { bytes: bytes.slice(), kind, touchedAt: at, verifiedAt: at });
    heldBytes[kind] += bytes.length;
    return { ok: true, fresh: true };
  };
  const quarantine = (cid: Cid) => {
    const bytes = held.get(cid)?.bytes;
    if (bytes !== undefined && !sameBytes(sha256(bytes), digestOf(cid))) remove(cid);
  };
  const stamp = (cids: readonly Cid[], field: "touchedAt" | "verifiedAt") =>
    Promise.resolve(stampAll({ held, at: now() }, { cids, field }));
  const use = (): StoreUse => ({
    blocks: held.size,
    blockBytes: heldBytes.leaf,
    capacityBytes,
    metadataBytes: heldBytes.inner,
    metadataBytesMax: metadataBytesMax(),
    full: isFull(),
  });

  return {
    put: (cid, bytes, kind) => Promise.resolve(put(cid, bytes, kind)),
    get: (cid) => Promise.resolve(held.get(cid)?.bytes.slice()),
    has: (cid) => held.has(cid),
    sizeOf: (cid) => held.get(cid)?.bytes.length,
    remove: (cid) => Promise.resolve(remove(cid)),
    removeUntouched: (cid, touchedBefore) => {
      const touchedAt = held.get(cid)?.touchedAt ?? Infinity;
      return Promise.resolve(touchedAt < touchedBefore && remove(cid));
    },
    // There is nobody to inspect memory: what does not match is dropped.
    quarantine: (cid) => Promise.resolve(quarantine(cid)),
    touch: (cids) => stamp(cids, "touchedAt"),
    markVerified: (cids) => stamp(cids, "verifiedAt"),
    list: (after, limit) => listed(held, { after, limit }),
    use,
    resize: (bytes) => {
      capacityBytes = bytes;
    },
    stop: () => Promise.resolve(),
  };
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function removeOne(
  store: { readonly held: Map<Cid, Held>; readonly heldBytes: Record<BlockKind, number> },
  cid: Cid,
): boolean {
  const known = store.held.get(cid);
  if (known === undefined) return false;
  store.held.delete(cid);
  store.heldBytes[known.kind] -= known.bytes.length;
  return true;
}

function stampAll(
  store: { readonly held: ReadonlyMap<Cid, Held>; readonly at: number },
  what: { readonly cids: readonly Cid[]; readonly field: "touchedAt" | "verifiedAt" },
): void {
  for (const cid of what.cids) {
    const known = store.held.get(cid);
    if (known !== undefined) known[what.field] = Math.max(known[what.field], store.at);
  }
}

function listed(
  held: ReadonlyMap<Cid, Held>,
  page: { readonly after: Cid | undefined; readonly limit: number },
): readonly HeldBlock[] {
  const cids = [...held.keys()].filter((cid) => page.after === undefined || cid > page.after);
  return cids.sort().slice(0, page.limit).flatMap((cid) => {
    const known = held.get(cid);
    if (known === undefined) return [];
    const { kind, touchedAt, verifiedAt } = known;
    return [{ cid, bytes: known.bytes.length, kind, touchedAt, verifiedAt }];
  });
}
