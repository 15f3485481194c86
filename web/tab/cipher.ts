// ChaCha20-Poly1305 in wasm, by libsodium, for noise's records. A script of its own, loaded after
// the tab has joined: the plain JavaScript that noise brings along does 100 MB/s in a browser and
// was half of all that a tab did, this does 270.
//
// One instance serves all connections: a record goes into its memory, is changed there and copied
// out, and nothing is awaited in between.

import createSodium from "libsodium";
import type { Uint8ArrayList } from "uint8arraylist";

/** Bytes in one piece or in several, as noise has them. */
export type Bytes = Uint8Array | Uint8ArrayList;

export interface RecordKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes, another for each record. */
  readonly nonce: Uint8Array;
  /** Bytes that are not hidden, but sealed with the rest; at most 256. */
  readonly additional: Uint8Array;
}

/** The cipher of RFC 8439, section 2.8. */
export interface Cipher {
  /** The hidden bytes, then their tag. @throws {RangeError} for more than a noise record holds */
  encrypt(plaintext: Bytes, key: RecordKey): Uint8Array;
  /** @throws {Error} when the tag does not fit; {RangeError} as encrypt() */
  decrypt(ciphertext: Bytes, key: RecordKey): Uint8Array;
}

/** What libsodium exports of itself; lengths of 64 bits are given as two halves. */
interface Sodium {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt(
    ...of: [
      ...[out: number, outLength: number],
      ...[text: number, textLow: number, textHigh: number],
      ...[additional: number, additionalLow: number, additionalHigh: number],
      ...[unused: number, nonce: number, key: number],
    ]
  ): number;
  _crypto_aead_chacha20poly1305_ietf_decrypt(
    ...of: [
      ...[out: number, outLength: number, unused: number],
      ...[text: number, textLow: number, textHigh: number],
      ...[additional: number, additionalLow: number, additionalHigh: number],
      ...[nonce: number, key: number],
    ]
  ): number;
}

/** A noise message is at most so long (Noise, revision 34, section 3). */
const recordBytesMax = 65_535;
const tagBytes = 16;
const additionalBytesMax = 256;

/** Compiles the wasm. @throws {Error} where the browser allows none */
export async function createCipher(): Promise<Cipher> {
  const sodium = await (createSodium as () => Promise<Sodium>)();
  const place = {
    text: sodium._malloc(recordBytesMax + tagBytes),
    out: sodium._malloc(recordBytesMax + tagBytes),
    additional: sodium._malloc(additionalBytesMax),
    nonce: sodium._malloc(12),
    key: sodium._malloc(32),
  };
  const enter = (text: Bytes, { key, nonce, additional }: RecordKey): void => {
    const fits = text.byteLength <= recordBytesMax && additional.length <= additionalBytesMax;
    if (!fits) throw new RangeError(`Cannot seal ${text.byteLength} bytes in one record`);
    const memory = sodium.HEAPU8;
    memory.set(key, place.key);
    memory.set(nonce, place.nonce);
    memory.set(additional, place.additional);
    let at = place.text;
    for (const piece of piecesOf(text)) {
      memory.set(piece, at);
      at += piece.length;
    }
  };
  const leave = (bytes: number) => sodium.HEAPU8.slice(place.out, place.out + bytes);
  return {
    encrypt(plaintext, key) {
      enter(plaintext, key);
      const { out, text, additional, nonce, key: at } = place;
      const [bytes, more] = [plaintext.byteLength, key.additional.length];
      sodium._crypto_aead_chacha20poly1305_ietf_encrypt(
        ...[out, 0, text, bytes, 0, additional, more, 0, 0, nonce, at] as const,
      );
      return leave(bytes + tagBytes);
    },
    decrypt(ciphertext, key) {
      enter(ciphertext, key);
      const { out, text, additional, nonce, key: at } = place;
      const [bytes, more] = [ciphertext.byteLength, key.additional.length];
      const wrong = sodium._crypto_aead_chacha20poly1305_ietf_decrypt(
        ...[out, 0, 0, text, bytes, 0, additional, more, 0, nonce, at] as const,
      );
      if (wrong !== 0) throw new Error("Cannot open a record: its tag is wrong");
      return leave(bytes - tagBytes);
    },
  };
}

function piecesOf(bytes: Bytes): Iterable<Uint8Array> {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}
