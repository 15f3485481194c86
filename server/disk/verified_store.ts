// A wrapper that hashes what it reads: for bytes that go to a local client, where no receiver
// hashes them again. Peers hash what they get at their own door, so the block protocol reads from
// the bare store and spares the second hash.
//
// Invariant: get() returns bytes that match their CID or throws; a block that does not match is
// quarantined before the error is thrown, so that it is no longer held and gets repaired.

import { createHash } from "node:crypto";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { digestOf } from "../../shared/block/cid.ts";

/** Wraps a store; everything but get() is passed on. @throws never */
export function createVerifiedStore<Store extends BlockStore>(store: Store): Store {
  return { ...store, get: (cid: Cid) => getVerified(store, cid) };
}

/**
 * Reads a block and checks it; a bad or unreadable one goes to quarantine.
 * @throws {SkyringError} corrupt (then no longer held), and as BlockStore.get()
 */
export async function getVerified(store: BlockStore, cid: Cid): Promise<Uint8Array | undefined> {
  const bytes = await read(store, cid);
  if (bytes === undefined || matches(cid, bytes)) return bytes;
  await store.quarantine(cid);
  throw new SkyringError("corrupt", `Cannot read block ${cid}: its bytes do not match`, {
    data: { cid },
  });
}

async function read(store: BlockStore, cid: Cid): Promise<Uint8Array | undefined> {
  try {
    return await store.get(cid);
  } catch (thrown) {
    if (thrown instanceof SkyringError && thrown.code === "corrupt") await store.quarantine(cid);
    throw thrown;
  }
}

/** Whether the SHA-256 of bytes is the one in the CID. @throws when the text is no CID */
export function matches(cid: Cid, bytes: Uint8Array): boolean {
  return createHash("sha256").update(bytes).digest().equals(digestOf(cid));
}
