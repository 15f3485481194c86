// The crypto of noise in a tab: its own plain JavaScript for the handshake, and for records until
// the faster cipher has been loaded; forever where it cannot be (no wasm, no room, no network).

import { type ICryptoInterface, pureJsCrypto } from "@libp2p/noise";
import type { Cipher } from "./cipher.ts";

/** Crypto for noise(). `load` makes the faster cipher; records change over when it is there. */
export function createNoiseCrypto(load: () => Promise<Cipher>): ICryptoInterface {
  let cipher: Cipher | undefined;
  load().then((loaded) => cipher = loaded, () => undefined); // slower, and as good
  return {
    ...pureJsCrypto,
    chaCha20Poly1305Encrypt: (plaintext, nonce, additional, key) =>
      cipher?.encrypt(plaintext, { key, nonce, additional }) ??
        pureJsCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, additional, key),
    chaCha20Poly1305Decrypt: (ciphertext, nonce, additional, key, place) =>
      cipher?.decrypt(ciphertext, { key, nonce, additional }) ??
        pureJsCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, additional, key, place),
  };
}
