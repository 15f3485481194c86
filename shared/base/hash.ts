// SHA-256 for what the pure core must agree on: slots of keys, tokens of nodes, lineages.
// Block bytes are hashed by the platform (node:crypto, crypto.subtle) at the door, never here:
// this one is portable, not fast.

import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";

/** SHA-256 of bytes. @returns 32 bytes. Source: FIPS 180-4 */
export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

/** SHA-256 of the UTF-8 form of a text. @returns 32 bytes */
export function sha256Text(text: string): Uint8Array {
  return nobleSha256(fromString(text, "utf8"));
}

/** Bytes as lower-case hex. @throws never */
export function toHex(bytes: Uint8Array): string {
  return toString(bytes, "hex");
}
