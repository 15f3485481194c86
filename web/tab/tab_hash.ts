// SHA-256 in a tab: by the browser's own code where the origin is secure, which hashes whole blocks
// off the thread and several times as fast; else in wasm, piece by piece as bytes arrive.
//
// One wasm instance serves all hashes under way: its state is put in and taken out for each
// piece, a hundred bytes beside pieces of tens of KiB, so that no hash holds an instance.

import { createSHA256, type IHasher } from "hash-wasm";
import { sha256 } from "../../shared/base/hash.ts";
import type { StartHash } from "../peer/block_hash.ts";

/** The hashes of one tab. */
export interface TabHash {
  readonly start: StartHash;
  /** SHA-256 of a whole block: 32 bytes. */
  whole(bytes: Uint8Array): Promise<Uint8Array>;
  /** The same at once, for small blocks. */
  now(bytes: Uint8Array): Uint8Array;
}

/** Makes the hashes of a tab; `subtle` is missing on an insecure origin. */
export async function createTabHash(subtle: SubtleCrypto | undefined): Promise<TabHash> {
  const hasher = await wasmHasher();
  const now = hasher === undefined
    ? sha256
    : (bytes: Uint8Array) => hasher.init().update(bytes).digest("binary");
  return {
    start() {
      if (subtle !== undefined) return startWhole(subtle);
      return hasher === undefined ? startPlain(now) : startShared(hasher);
    },
    now,
    async whole(bytes) {
      if (subtle === undefined) return now(bytes);
      return await digestBy(subtle, bytes);
    },
  };
}

async function wasmHasher(): Promise<IHasher | undefined> {
  try {
    return await createSHA256();
  } catch {
    return undefined; // a browser without wasm (lockdown modes): plain code, slower
  }
}

function startShared(hasher: IHasher): ReturnType<StartHash> {
  let state = hasher.init().save();
  return {
    update(bytes) {
      hasher.load(state);
      state = hasher.update(bytes).save();
    },
    digest: () => hasher.load(state).digest("binary"),
  };
}

function startPlain(now: TabHash["now"]): ReturnType<StartHash> {
  return { update: () => undefined, digest: now };
}

function startWhole(subtle: SubtleCrypto): ReturnType<StartHash> {
  return { update: () => undefined, digest: (whole) => digestBy(subtle, whole) };
}

async function digestBy(subtle: SubtleCrypto, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}
