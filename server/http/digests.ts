// Content-Digest and Repr-Digest, in and out. A body is always the whole representation here, so
// both mean the same of an upload. Going out, a digest is known where the root is a raw block:
// then the CID's own hash is that of the bytes.
// Source: RFC 9530, RFC 8941 (dictionaries of byte sequences)

import { CID } from "multiformats/cid";
import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";
import { SkyringError } from "../../shared/base/errors.ts";
import type { PushOptions } from "../engine/pool.ts";

type Digests = NonNullable<PushOptions["digests"]>;

const lengths = { "sha-256": 32, "sha-512": 64 } as const;
const rawCodec = 0x55;

/**
 * Digests to check an upload against; other algorithms are ignored.
 * @throws {SkyringError} bad_request
 */
export function requestDigests(headers: Headers): Digests {
  return ["content-digest", "repr-digest"].flatMap((name) => {
    const header = headers.get(name);
    return header === null ? [] : parseDigests(header, name);
  });
}

/** Repr-Digest of content whose root is one raw block, else undefined. @throws never */
export function knownDigest(cid: string): string | undefined {
  const parsed = CID.parse(cid);
  if (parsed.code !== rawCodec || parsed.multihash.code !== 0x12) return undefined;
  return `sha-256=:${toString(parsed.multihash.digest, "base64pad")}:`;
}

function parseDigests(header: string, name: string): Digests {
  return header.split(",").flatMap((member) => {
    const match = /^\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(member);
    if (match === null) throw malformed(name);
    const algorithm = match[1];
    if (algorithm !== "sha-256" && algorithm !== "sha-512") return [];
    const digest = decodeBase64(match[2] ?? "", name);
    if (digest.length !== lengths[algorithm]) throw malformed(name);
    return [{ algorithm, digest } as const];
  });
}

function decodeBase64(text: string, name: string): Uint8Array {
  try {
    return fromString(text, "base64pad");
  } catch (cause) {
    throw malformed(name, cause);
  }
}

function malformed(name: string, cause?: unknown): SkyringError {
  const detail = `Cannot read ${name}: expected sha-256=:<base64>: or sha-512=:<base64>:`;
  return new SkyringError("bad_request", detail, { cause });
}
