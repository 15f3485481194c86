// SHA-256 in a tab, in two forms: piece by piece and at once, for bytes as they arrive (wasm, on
// any origin), and whole blocks by the browser's own code where the origin is secure, which does
// it off the thread and several times as fast.
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
    start: hasher === undefined ? startGathered : () => startShared(hasher),
    now,
    async whole(bytes) {
      if (subtle === undefined) return now(bytes);
      return new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
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

function startGathered(): ReturnType<StartHash> {
  const pieces: Uint8Array[] = [];
  return {
    update: (bytes) => void pieces.push(bytes.slice()),
    digest() {
      const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      return sha256(whole);
    },
  };
}
