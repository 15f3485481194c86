// Invite tokens: what a new node needs to join, in one string that survives chat and paper.
//
//   sky1 | base32( CBOR [group, addresses, secret or null] | first 4 bytes of its SHA-256 )
//
// base32 is RFC 4648 in lower case without padding: no character is lost in a URL or a shell.
// The checksum tells a mistyped token from a wrong one. The token holds the group secret: who
// has it is a member.

import { decode, encode } from "cborg";
import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";
import * as v from "valibot";
import { assert } from "../base/assert.ts";
import { sha256 } from "../base/hash.ts";

/** Longest token that is read: far above 16 addresses. */
export const inviteCharactersMax = 8_192;
/** More bootstrap addresses than this help nobody. */
export const inviteAddressesMax = 16;

const prefix = "sky1";
const checksumBytes = 4;

const schema = v.strictTuple([
  v.pipe(v.string(), v.minLength(1), v.maxLength(63)),
  v.pipe(
    v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(512))),
    v.minLength(1),
    v.maxLength(inviteAddressesMax),
  ),
  v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(256))),
]);

/** What a token carries. */
export interface Invite {
  readonly group: string;
  /** Multiaddrs or node URLs, 1 to inviteAddressesMax. */
  readonly addresses: readonly string[];
  /** Undefined in a group that lives on loopback alone. */
  readonly secret: string | undefined;
}

/** An invite, or why the text is none. */
export type InviteRead =
  | { readonly ok: true; readonly invite: Invite }
  | {
    readonly ok: false;
    readonly fault: "not_an_invite" | "too_long" | "mistyped" | "bad_content";
    readonly message: string;
  };

/** Whether a text claims to be an invite token. @throws never */
export function isInvite(text: string): boolean {
  return text.toLowerCase().startsWith(prefix);
}

/** The token of an invite. @throws {AssertionError} when it breaks the limits above */
export function encodeInvite(invite: Invite): string {
  const content = [invite.group, [...invite.addresses], invite.secret ?? null];
  assert(v.is(schema, content), "an invite must keep to its limits");
  const body = encode(content);
  const whole = new Uint8Array(body.length + checksumBytes);
  whole.set(body);
  whole.set(sha256(body).subarray(0, checksumBytes), body.length);
  return prefix + toString(whole, "base32");
}

/** Reads a token; blanks around it and upper case are forgiven. @throws never */
export function decodeInvite(text: string): InviteRead {
  const trimmed = text.trim().toLowerCase();
  if (!isInvite(trimmed)) {
    return refuse("not_an_invite", `it does not begin with ${prefix}`);
  }
  if (trimmed.length > inviteCharactersMax) {
    return refuse(
      "too_long",
      `it has ${trimmed.length} characters, at most ${inviteCharactersMax} are allowed`,
    );
  }
  const bytes = fromBase32(trimmed.slice(prefix.length));
  if (!bytes || bytes.length <= checksumBytes) {
    return refuse("mistyped", "it is cut short or has characters that do not belong");
  }
  const body = bytes.subarray(0, -checksumBytes);
  const expected = sha256(body).subarray(0, checksumBytes);
  if (!bytes.subarray(-checksumBytes).every((byte, index) => byte === expected[index])) {
    return refuse("mistyped", "its checksum does not match");
  }
  return readContent(body);
}

function readContent(body: Uint8Array): InviteRead {
  try {
    const [group, addresses, secret] = v.parse(schema, decode(body));
    return { ok: true, invite: { group, addresses, secret: secret ?? undefined } };
  } catch {
    // The checksum matched: whoever made it speaks another version of this format.
    return refuse("bad_content", "its content is of another version");
  }
}

function refuse(
  fault: Extract<InviteRead, { ok: false }>["fault"],
  reason: string,
): InviteRead {
  return { ok: false, fault, message: `Cannot read invite token: ${reason}` };
}

function fromBase32(text: string): Uint8Array | undefined {
  if (!/^[a-z2-7]+$/.test(text)) return undefined;
  try {
    return fromString(text, "base32");
  } catch {
    return undefined; // bits left over: cut short
  }
}
