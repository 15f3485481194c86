// Messages of the roster protocol `/skyring/<group>/roster/1.0.0`, and rosters as they are stored.
// One CBOR map a message: {lineage, epoch, body: {kind, ...}}. No message is answered by the
// stream: answers are messages of their own, because all may be lost, doubled and late.

import { decode, encode } from "cborg";
import * as v from "valibot";
import { controlMessageBytesMax, councilMax, rosterMembersMax } from "../base/limits.ts";
import { rosterLostMax, rostersPerMessageMax } from "../base/limits.ts";
import type { AgreementMessage } from "../record/agreement_port.ts";
import type { Roster } from "../ring/roster.ts";
import type { CouncilBallot, CouncilState, RosterBody } from "../ring/roster_message.ts";
import { lineageText, nodeIdText, whole } from "./register_value.ts";

/** A decoded message, or why the bytes are none. */
export type DecodedMessage =
  | { readonly ok: true; readonly message: AgreementMessage }
  | { readonly ok: false; readonly reason: string };

const zoneText = v.pipe(v.string(), v.maxLength(256));
const member = v.strictObject({ id: nodeIdText, since: whole, capacity: whole, zone: zoneText });

const rosterObject = v.pipe(
  v.strictObject({
    lineage: lineageText,
    epoch: v.pipe(whole, v.minValue(1)),
    members: v.pipe(v.array(member), v.minLength(1), v.maxLength(rosterMembersMax)),
    council: v.pipe(v.array(nodeIdText), v.minLength(1), v.maxLength(councilMax)),
    lost: v.pipe(v.array(nodeIdText), v.maxLength(rosterLostMax)),
    foundedAt: whole,
    founder: nodeIdText,
    salt: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
    into: v.exactOptional(lineageText),
    parent: v.exactOptional(v.strictObject({ lineage: lineageText, epoch: whole })),
  }),
  v.transform((roster): Roster => roster),
  v.check(isSound, "a roster's council and members do not fit"),
);

const ballot = v.pipe(
  v.strictTuple([whole, nodeIdText, whole]),
  v.transform(([round, node, boot]): CouncilBallot => [round, node, boot]),
);
const accepted = v.nullable(v.strictObject({ ballot, roster: rosterObject }));

const change = v.variant("kind", [
  v.strictObject({
    kind: v.literal("join"),
    id: nodeIdText,
    at: whole,
    capacity: whole,
    zone: zoneText,
  }),
  v.strictObject({ kind: v.picklist(["leave", "expel"]), id: nodeIdText, since: whole }),
  v.strictObject({ kind: v.literal("resize"), id: nodeIdText, since: whole, capacity: whole }),
  v.strictObject({ kind: v.literal("lost"), id: nodeIdText }),
  v.strictObject({ kind: v.literal("dissolve"), into: lineageText }),
]);

const rosterBody = v.pipe(
  v.variant("kind", [
    v.strictObject({ kind: v.literal("hello") }),
    v.strictObject({
      kind: v.literal("rosters"),
      rosters: v.pipe(v.array(rosterObject), v.maxLength(rostersPerMessageMax)),
      oldest: whole,
    }),
    v.strictObject({ kind: v.literal("r-prepare"), ballot }),
    v.strictObject({ kind: v.literal("r-accept"), ballot, roster: rosterObject }),
    v.strictObject({ kind: v.literal("r-promise"), ballot, accepted }),
    v.strictObject({ kind: v.literal("r-accepted"), ballot }),
    v.strictObject({ kind: v.literal("r-no"), ballot, promised: ballot }),
    v.strictObject({ kind: v.literal("want"), change }),
    v.strictObject({ kind: v.literal("meet"), roster: rosterObject, bare: v.boolean() }),
  ]),
  v.transform((body): RosterBody => body),
);

const envelope = v.strictObject({ lineage: lineageText, epoch: whole, body: rosterBody });
const councilState = v.pipe(
  v.strictObject({ promised: ballot, accepted }),
  v.transform((state): CouncilState => state),
);

/** Decoding options of both protocols: canonical CBOR only, no tags, no endless items. */
export const strictCbor = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
  allowInfinity: false,
  allowNaN: false,
  rejectDuplicateMapKeys: true,
} as const;

/** Bytes of a roster message; its body is a RosterBody. @throws never */
export function encodeRosterMessage(message: AgreementMessage): Uint8Array {
  return encode(message);
}

/** A roster message from any bytes. Never throws, whatever the bytes. */
export function decodeRosterMessage(bytes: Uint8Array): DecodedMessage {
  return decodeMessage(bytes, { schema: envelope, bytesMax: controlMessageBytesMax });
}

/** Decodes bytes by a schema, within a limit; the one place where decoding may fail. */
export function decodeMessage(
  bytes: Uint8Array,
  { schema, bytesMax }: {
    readonly schema: v.GenericSchema<unknown, AgreementMessage>;
    readonly bytesMax: number;
  },
): DecodedMessage {
  if (bytes.byteLength > bytesMax) {
    return { ok: false, reason: `${bytes.byteLength} bytes, at most ${bytesMax} allowed` };
  }
  let decoded: unknown;
  try {
    decoded = decode(bytes, strictCbor);
  } catch (thrown) {
    // Deep nesting ends in a RangeError of the stack, other garbage in the decoder's own errors.
    return { ok: false, reason: thrown instanceof Error ? thrown.message : "not CBOR" };
  }
  const parsed = v.safeParse(schema, decoded, { abortEarly: true });
  return parsed.success
    ? { ok: true, message: parsed.output }
    : { ok: false, reason: parsed.issues[0].message };
}

/** A roster as stored. @throws never */
export function encodeRoster(roster: Roster): Uint8Array {
  return encode(roster);
}

/** @throws {Error} when the bytes are no roster: the database is corrupt */
export function decodeRoster(bytes: Uint8Array): Roster {
  return v.parse(rosterObject, decode(bytes, strictCbor));
}

/** Council state as stored. @throws never */
export function encodeCouncilState(state: CouncilState): Uint8Array {
  return encode(state);
}

/** @throws {Error} when the bytes are no council state: the database is corrupt */
export function decodeCouncilState(bytes: Uint8Array): CouncilState {
  return v.parse(councilState, decode(bytes, strictCbor));
}

/** Distinct members, and a council of an odd number of them. */
function isSound(roster: Roster): boolean {
  const ids = new Set(roster.members.map(({ id }) => id));
  return ids.size === roster.members.length && roster.council.length % 2 === 1 &&
    new Set(roster.council).size === roster.council.length &&
    roster.council.every((id) => ids.has(id));
}
