// Messages of the record protocol `/skyring/<group>/record/1.0.0`, and values as they are stored.
// One CBOR map a message: {lineage, epoch, body: {kind, ...}}; a message holds one value or one
// bounded page of rows. `installed` is a note to oneself and never accepted from the wire.

import { decode, encode } from "cborg";
import * as v from "valibot";
import { recordMessageBytesMax, rowsPerMessageMax, slotCount } from "../base/limits.ts";
import type { AgreementMessage } from "../record/agreement_port.ts";
import type { RecordBody } from "../record/register_message.ts";
import type { Value } from "../record/value.ts";
import {
  ballotTuple,
  keyText,
  lineageText,
  registerValue,
  slotNumber,
  whole,
} from "./register_value.ts";
import { type DecodedMessage, decodeMessage, strictCbor } from "./roster_message.ts";

const value = v.nullable(registerValue);
const ballot = ballotTuple;
const accepted = v.nullable(ballotTuple);
const rows = v.pipe(
  v.array(v.strictObject({ key: keyText, accepted: ballotTuple, value })),
  v.maxLength(rowsPerMessageMax),
);
const slots = v.pipe(v.array(slotNumber), v.maxLength(slotCount));
const question = v.strictObject({ slot: slotNumber, last: whole, after: keyText });
const answer = v.strictObject({
  slot: slotNumber,
  last: whole,
  after: keyText,
  yes: v.boolean(),
  rows,
  next: v.nullable(keyText),
});
const key = keyText;
const ask = whole;

const recordBody = v.pipe(
  v.variant("kind", [
    v.strictObject({ kind: v.literal("get"), ask, key }),
    v.strictObject({ kind: v.literal("have"), ask, key, accepted, value }),
    v.strictObject({ kind: v.literal("prepare"), key, ballot }),
    v.strictObject({ kind: v.literal("promise"), key, ballot, accepted, value }),
    v.strictObject({ kind: v.literal("accept"), key, ballot, value }),
    v.strictObject({ kind: v.literal("accepted"), key, ballot }),
    v.strictObject({ kind: v.literal("no"), key, ballot, promised: ballot }),
    v.strictObject({ kind: v.literal("arriving"), key }),
    v.strictObject({
      kind: v.literal("slot-read"),
      ask,
      slots: v.pipe(v.array(question), v.maxLength(rowsPerMessageMax)),
    }),
    v.strictObject({
      kind: v.literal("slot-rows"),
      ask,
      slots: v.pipe(v.array(answer), v.maxLength(rowsPerMessageMax)),
    }),
    v.strictObject({ kind: v.picklist(["settled?", "settled"]), ask, slots }),
    v.strictObject({ kind: v.picklist(["tomb?", "tomb", "drop"]), key, ballot }),
    v.strictObject({ kind: v.literal("list"), ask, slot: slotNumber, after: keyText }),
    v.strictObject({
      kind: v.literal("listed"),
      ask,
      slot: slotNumber,
      rows,
      next: v.nullable(keyText),
    }),
  ]),
  v.transform((body): RecordBody => body as RecordBody),
);

const envelope = v.strictObject({ lineage: lineageText, epoch: whole, body: recordBody });

/** Bytes of a record message; its body is a RecordBody. @throws never */
export function encodeRecordMessage(message: AgreementMessage): Uint8Array {
  return encode(message);
}

/** A record message from any bytes. Never throws, whatever the bytes. */
export function decodeRecordMessage(bytes: Uint8Array): DecodedMessage {
  return decodeMessage(bytes, { schema: envelope, bytesMax: recordMessageBytesMax });
}

/** A value as stored in a row. @throws never */
export function encodeValue(stored: Value): Uint8Array {
  return encode(stored);
}

/** @throws {Error} when the bytes are no value: the database is corrupt */
export function decodeValue(bytes: Uint8Array): Value {
  return v.parse(registerValue, decode(bytes, strictCbor));
}
