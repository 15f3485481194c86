// Who this browser is to the pool: an Ed25519 key, made once and kept beside the settings.

import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import type { KeyValues } from "./key_values.ts";

/** The key kept here; the first time, and after all was forgotten, a new one. */
export async function identityOf(values: KeyValues): Promise<PrivateKey> {
  const saved = await values.get("identity");
  if (saved instanceof Uint8Array) return privateKeyFromProtobuf(saved);
  const key = await generateKeyPair("Ed25519");
  await values.setMany([["identity", privateKeyToProtobuf(key)]]);
  return key;
}
