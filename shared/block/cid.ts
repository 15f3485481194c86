// CIDs in the one shape that Skyring stores: CIDv1, sha2-256, codec raw or dag-pb, as base32 text
// (59 characters) for maps and logs, and as 36 bytes for wire and disk.
//
//   binary   01 | 55 raw, 70 dag-pb | 12 | 20 | digest[32]
//   text     "b" + base32 lower case of the 36 bytes, no padding, two unused bits zero
//
// Own code instead of multiformats, because conversions happen several times for each block and
// because the parser must refuse what others accept (other bases, hashes, lengths, set padding
// bits), so that one block has exactly one name.
// Invariant: a `Cid` made here is canonical, so text equality is block equality.

import { assert } from "../base/assert.ts";
import { asCid, type Cid } from "../base/ids.ts";

/** Bytes of a CID in binary form. */
export const cidBytes = 36;
/** Characters of a CID in text form. */
export const cidTextLength = 59;
/** Bytes of the digest in a CID. */
export const digestBytes = 32;

const prefixBytes = 4;
const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
const alphabetCodes = Uint8Array.from(alphabet, (character) => character.charCodeAt(0));
const charValues = valuesOfCharacters();
const baseLetter = 0x62;
const codeRaw = 0x55;
const codeDagPb = 0x70;
const codeSha256 = 0x12;

/** What the bytes of a block are: opaque leaf bytes, or a dag-pb node. */
export type CidCodec = "raw" | "dag-pb";

/** Why a text or bytes are not a CID that Skyring stores. */
export type CidRefusal =
  | "bad_length" // not 59 characters or 36 bytes: also CIDv0 and other digest lengths
  | "bad_base" // not base32 lower case, or unused bits set
  | "bad_version" // not CIDv1
  | "bad_codec" // neither raw nor dag-pb
  | "bad_hash"; // not sha2-256 of 32 bytes

/** A parsed CID; `digest` is a fresh array of 32 bytes. */
export type CidOutcome =
  | {
    readonly ok: true;
    readonly cid: Cid;
    readonly codec: CidCodec;
    readonly digest: Uint8Array;
  }
  | { readonly ok: false; readonly code: CidRefusal };

/** The CID of a block with this sha2-256 digest. @throws {AssertionError} unless of 32 bytes */
export function cidOfDigest(digest: Uint8Array, codec: CidCodec): Cid {
  return textOf(binaryOf(digest, codec), 0);
}

/** Parses text from outside. @throws never. Source: CID specification, multiformats/cid */
export function parseCid(text: string): CidOutcome {
  if (text.length !== cidTextLength) return { ok: false, code: "bad_length" };
  const bytes = new Uint8Array(cidBytes);
  if (!decodeText(text, bytes)) return { ok: false, code: "bad_base" };
  return outcomeOf(bytes, text);
}

/** Parses 36 binary bytes from outside. @throws never */
export function parseCidBytes(bytes: Uint8Array): CidOutcome {
  if (bytes.length !== cidBytes) return { ok: false, code: "bad_length" };
  return outcomeOf(bytes, undefined);
}

/** The 36 bytes of a CID that was parsed or made before. @throws {AssertionError} not canonical */
export function cidToBytes(cid: Cid): Uint8Array {
  const bytes = new Uint8Array(cidBytes);
  assert(cid.length === cidTextLength && decodeText(cid, bytes), "a Cid must be canonical");
  return bytes;
}

/** The 32 digest bytes of a CID that was parsed or made before. @throws {AssertionError} */
export function digestOf(cid: Cid): Uint8Array {
  return cidToBytes(cid).subarray(prefixBytes);
}

/** The codec of a CID that was parsed or made before; reads one character. @throws never */
export function codecOf(cid: Cid): CidCodec {
  // Byte 1 is split over characters 2 to 4: 0x55 gives "bafk", 0x70 gives "bafy".
  return cid.charCodeAt(3) === 0x6b ? "raw" : "dag-pb";
}

/** Binary form of a digest and codec. @throws {AssertionError} digest not of 32 bytes */
function binaryOf(digest: Uint8Array, codec: CidCodec): Uint8Array {
  assert(digest.length === digestBytes, "a sha2-256 digest has 32 bytes");
  const bytes = new Uint8Array(cidBytes);
  bytes[0] = 1;
  bytes[1] = codec === "raw" ? codeRaw : codeDagPb;
  bytes[2] = codeSha256;
  bytes[3] = digestBytes;
  bytes.set(digest, prefixBytes);
  return bytes;
}

function outcomeOf(bytes: Uint8Array, text: string | undefined): CidOutcome {
  if (bytes[0] !== 1) return { ok: false, code: "bad_version" };
  const code = bytes[1];
  if (code !== codeRaw && code !== codeDagPb) return { ok: false, code: "bad_codec" };
  if (bytes[2] !== codeSha256 || bytes[3] !== digestBytes) return { ok: false, code: "bad_hash" };
  return {
    ok: true,
    cid: text === undefined ? textOf(bytes, 0) : asCid(text),
    codec: code === codeRaw ? "raw" : "dag-pb",
    digest: bytes.slice(prefixBytes),
  };
}

function textOf(bytes: Uint8Array, offset: number): Cid {
  const codes: number[] = [baseLetter];
  let bits = 0;
  let held = 0;
  for (let index = offset; index < offset + cidBytes; index++) {
    bits = ((bits & 0x1f) << 8) | (bytes[index] as number);
    held += 8;
    while (held >= 5) {
      held -= 5;
      codes.push(alphabetCodes[(bits >>> held) & 0x1f] as number);
    }
  }
  codes.push(alphabetCodes[(bits << (5 - held)) & 0x1f] as number);
  return asCid(String.fromCharCode.apply(null, codes));
}

/** Decodes 59 characters into 36 bytes; false on a foreign character or set unused bits. */
function decodeText(text: string, into: Uint8Array): boolean {
  if (text.charCodeAt(0) !== baseLetter) return false;
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 1; index < cidTextLength; index++) {
    const code = text.charCodeAt(index);
    const value = code < 128 ? charValues[code] as number : 255;
    if (value === 255) return false;
    bits = ((bits << 5) | value) & 0xfff;
    held += 5;
    if (held >= 8) {
      held -= 8;
      into[at++] = (bits >>> held) & 0xff;
    }
  }
  return (bits & ((1 << held) - 1)) === 0;
}

function valuesOfCharacters(): Uint8Array {
  const values = new Uint8Array(128).fill(255);
  for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value;
  return values;
}
