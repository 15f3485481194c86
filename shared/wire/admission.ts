// Admission: how two connected peers prove that they know the group secret, over
// `/skyring/<group>/admission/1.0.0`, one message a frame, the dialler first:
//
//   dialler -> hello      { nonce, boot, role, speaks, starts?, ticket? }
//           <- challenge  { nonce, boot, speaks, starts? }
//           -> proof      { macs }         one per secret it knows, newest first
//           <- welcome    { macs }         or refused { reason }
//           -> done       {}               or refused { reason }
//
// A proof is an HMAC over both roles, the protocol, the group, both peer ids (noise has
// authenticated them), both fresh nonces and both boot ids: it is worth nothing on another
// connection, for another peer, or sent back. Who speaks another protocol is told both versions
// before any proof: fields may be added to the first messages. This file is pure: keys, nonces and
// the comparison in constant time come from outside; the driver is server/net/admission.ts.

import { decode, encode } from "cborg";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import * as v from "valibot";
import { assert } from "../base/assert.ts";
import { admissionMessageBytesMax } from "../base/limits.ts";
import { protocolVersion, version } from "../base/version.ts";

/** Bytes of a nonce, of a key and of a proof. */
export const nonceBytes = 32;
export const groupKeyBytes = 32;
const macBytes = 32;
/** Secrets a node may hold at once: the new one and the one it replaces. */
export const secretsMax = 2;

/** Why a peer was not admitted; both sides log it. */
export const refusalReasons = [
  "no_secret", // the peer proved no secret and this node has one
  "secret_here_missing", // the peer has a secret and this node has none
  "wrong_secret", // a proof came and none matches
  "not_loopback", // no secret on either side, and the address is not this machine's
  "bad_ticket",
  "expired_ticket",
  "other_version", // it speaks another protocol: both versions are named
  "copied_identity", // the same peer id is connected under another boot id
  "restored_disk", // a later start of the same peer id was met: it lost what it promised since
  "too_many_connections",
  "penalty", // a tab that misbehaved is kept out for a while
  "other_group", // the peer does not speak this group's admission
  "bad_message",
  "timeout",
] as const;
export type RefusalReason = typeof refusalReasons[number];

const bytesOf = (length: number) =>
  v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length);
const macs = v.pipe(v.array(bytesOf(macBytes)), v.maxLength(secretsMax));
const boot = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));

const speaksShape = v.object({
  protocol: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  version: v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,32}$/)),
});
const starts = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));

const ticketShape = v.strictObject({
  expiresAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  mac: bytesOf(macBytes),
});

const messageShape = v.variant("t", [
  v.object({
    t: v.literal("hello"),
    nonce: bytesOf(nonceBytes),
    boot,
    role: v.picklist(["member", "tab"]),
    speaks: v.optional(speaksShape),
    starts,
    ticket: v.optional(ticketShape),
  }),
  v.object({
    t: v.literal("challenge"),
    nonce: bytesOf(nonceBytes),
    boot,
    speaks: v.optional(speaksShape),
    starts,
  }),
  v.strictObject({ t: v.literal("proof"), macs }),
  v.strictObject({ t: v.literal("welcome"), macs }),
  v.strictObject({ t: v.literal("done") }),
  v.strictObject({
    t: v.literal("refused"),
    reason: v.picklist(refusalReasons),
    // Of who refuses, with other_version.
    speaks: v.optional(speaksShape),
    // Proofs of who refuses, where a refusal has consequences (copied_identity).
    macs: v.optional(macs),
  }),
]);

/** One message of the exchange. */
export type AdmissionMessage = v.InferOutput<typeof messageShape>;
/** A tab's permit: made by a node for one peer id (section 6). `expiresAt` ms since the epoch. */
export type Ticket = v.InferOutput<typeof ticketShape>;

/** Which protocol a program speaks; a peer that does not say so speaks the first. */
export type Speaks = v.InferOutput<typeof speaksShape>;

/** What this program speaks. */
export const ownSpeech: Speaks = { protocol: protocolVersion, version };

/** Whether two programs understand one another. @throws never */
export function understands(own: Speaks, other: Speaks | undefined): boolean {
  return own.protocol === (other?.protocol ?? 1);
}

/** One start of a node: how many it had counted, and the random name that it drew. */
export interface StartMark {
  readonly starts: number;
  readonly boot: string;
}

/** Whether a start comes before the last one met: its disk is an older one. @throws never */
export function isRestored(now: StartMark, last: StartMark | undefined): boolean {
  if (last === undefined) return false;
  return now.starts < last.starts || (now.starts === last.starts && now.boot !== last.boot);
}

/** What both sides know of one exchange once hello and challenge have passed. */
export interface Transcript {
  readonly group: string;
  readonly role: "member" | "tab";
  readonly diallerId: string;
  readonly acceptorId: string;
  readonly diallerNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
  readonly diallerBoot: string;
  readonly acceptorBoot: string;
}

/** Compares in constant time; node:crypto's on nodes. */
export type Equal = (left: Uint8Array, right: Uint8Array) => boolean;

/** The protocol's name for a group. */
export function admissionProtocol(group: string): string {
  return `/skyring/${group}/admission/1.0.0`;
}

/** A message as bytes. */
export function encodeAdmission(message: AdmissionMessage): Uint8Array {
  const bytes = encode(message);
  assert(bytes.length <= admissionMessageBytesMax, "an admission message must fit its limit");
  return bytes;
}

/** Reads a message, or undefined when it is anything else. @throws never */
export function decodeAdmission(bytes: Uint8Array): AdmissionMessage | undefined {
  if (bytes.length > admissionMessageBytesMax) return undefined;
  try {
    const decoded: unknown = decode(bytes, { strict: true, rejectDuplicateMapKeys: true });
    const parsed = v.safeParse(messageShape, decoded);
    return parsed.success ? parsed.output : undefined;
  } catch (thrown) {
    // cborg reports malformed input by throwing only; a bug of ours is no Error of its kind.
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

/** The proof of one side under one key. @returns Uint8Array[32]. Source: RFC 2104, RFC 8949 4.2 */
export function proofOf(
  transcript: Transcript,
  options: { readonly key: Uint8Array; readonly side: "dialler" | "acceptor" },
): Uint8Array {
  const said = encode([
    "skyring proof",
    options.side,
    transcript.role,
    admissionProtocol(transcript.group),
    transcript.group,
    transcript.diallerId,
    transcript.acceptorId,
    transcript.diallerNonce,
    transcript.acceptorNonce,
    transcript.diallerBoot,
    transcript.acceptorBoot,
  ]);
  return hmac(sha256, options.key, said);
}

/** Which of our keys one of the peer's proofs was made with; every pair is compared. */
export function provenKey(
  transcript: Transcript,
  options: {
    readonly keys: readonly Uint8Array[];
    readonly macs: readonly Uint8Array[];
    readonly side: "dialler" | "acceptor";
    readonly equal: Equal;
  },
): Uint8Array | undefined {
  let proven: Uint8Array | undefined;
  for (const key of options.keys) {
    const expected = proofOf(transcript, { key, side: options.side });
    for (const mac of options.macs) {
      if (options.equal(expected, mac)) proven ??= key;
    }
  }
  return proven;
}

/** Makes a ticket for a tab's peer id. Never fails. */
export function makeTicket(
  key: Uint8Array,
  permit: { readonly group: string; readonly peerId: string; readonly expiresAt: number },
): Ticket {
  return { expiresAt: permit.expiresAt, mac: ticketMac(key, permit) };
}

/** Whether a ticket was made with one of `keys` for this peer id, and is not over. */
export function judgeTicket(
  ticket: Ticket,
  options: {
    readonly keys: readonly Uint8Array[];
    readonly group: string;
    readonly peerId: string;
    readonly now: number;
    readonly equal: Equal;
  },
): "good" | "bad_ticket" | "expired_ticket" {
  const permit = { ...options, expiresAt: ticket.expiresAt };
  const matches = options.keys.map((key) => options.equal(ticketMac(key, permit), ticket.mac));
  if (!matches.includes(true)) return "bad_ticket";
  return ticket.expiresAt > options.now ? "good" : "expired_ticket";
}

function ticketMac(
  key: Uint8Array,
  permit: { readonly group: string; readonly peerId: string; readonly expiresAt: number },
): Uint8Array {
  const said = encode(["skyring ticket", permit.group, permit.peerId, permit.expiresAt]);
  return hmac(sha256, key, said);
}
