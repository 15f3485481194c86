// The crypto of noise in a tab: its own plain JavaScript for the handshake, and for records until
// the faster cipher has been loaded; forever where it cannot be (no wasm, no room, no network).

import { type ICryptoInterface, pureJsCrypto } from "@libp2p/noise";
import type { Cipher } from "./cipher.ts";

/** Crypto for noise(), and what makes it faster. */
export interface NoiseCrypto {
  readonly crypto: ICryptoInterface;
  /** Loads the faster cipher, once; records change over when it is there. */
  quicken(): void;
}

/** Crypto without the faster cipher, which `load` makes. */
export function createNoiseCrypto(load: () => Promise<Cipher>): NoiseCrypto {
  let cipher: Cipher | undefined;
  let isLoading = false;
  const quicken = () => {
    if (isLoading) return;
    isLoading = true;
    const failed = () => {
      isLoading = false; // slower, and as good; the next connection tries again
    };
    load().then((loaded) => cipher = loaded, failed);
  };
  const crypto: ICryptoInterface = {
    ...pureJsCrypto,
    chaCha20Poly1305Encrypt: (plaintext, nonce, additional, key) =>
      cipher?.encrypt(plaintext, { key, nonce, additional }) ??
        pureJsCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, additional, key),
    chaCha20Poly1305Decrypt: (ciphertext, nonce, additional, key, place) =>
      cipher?.decrypt(ciphertext, { key, nonce, additional }) ??
        pureJsCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, additional, key, place),
  };
  return { crypto, quicken };
}
