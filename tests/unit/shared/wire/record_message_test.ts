// Codec of record messages: reads back what it wrote, and never throws on anything else.

import assert from "node:assert/strict";
import { encode } from "cborg";
import fc from "fast-check";
import { asLineage, asNodeId, asSlot } from "../../../../shared/base/ids.ts";
import { recordMessageBytesMax, valueBytesMax } from "../../../../shared/base/limits.ts";
import type { AgreementMessage } from "../../../../shared/record/agreement_port.ts";
import type { RecordBody } from "../../../../shared/record/register_message.ts";
import type { Ballot, Value } from "../../../../shared/record/value.ts";
import {
  decodeRecordMessage,
  decodeValue,
  encodeRecordMessage,
  encodeValue,
} from "../../../../shared/wire/record_message.ts";

const ballot: Ballot = [3, 2, asNodeId("12D3KooWA"), 7];
const value: Value = {
  ...{ version: ballot, n: 2, stamp: [1_700_000_000_000, 3], deleted: false },
  ...{ recent: [ballot, ballot], body: new Uint8Array([1, 2, 3]) },
};
const key = "file\0a name";
const row = { key, accepted: ballot, value };
const ask = 5 * 2 ** 32 + 9;

const bodies: readonly RecordBody[] = [
  { kind: "get", ask, key },
  { kind: "have", ask, key, accepted: null, value: null },
  { kind: "have", ask, key, accepted: ballot, value },
  { kind: "prepare", key, ballot },
  { kind: "promise", key, ballot, accepted: ballot, value: null },
  { kind: "accept", key, ballot, value },
  { kind: "accepted", key, ballot },
  { kind: "no", key, ballot, promised: ballot },
  { kind: "arriving", key },
  { kind: "slot-read", ask, slots: [{ slot: asSlot(16_383), last: 4, after: key }] },
  {
    kind: "slot-rows",
    ask,
    slots: [{ slot: asSlot(1), last: 4, after: "", yes: true, rows: [row], next: key }],
  },
  { kind: "settled?", ask, slots: [asSlot(0), asSlot(9)] },
  { kind: "settled", ask, slots: [] },
  { kind: "tomb?", key, ballot },
  { kind: "tomb", key, ballot },
  { kind: "drop", key, ballot },
  { kind: "list", ask, slot: asSlot(3), after: "" },
  { kind: "listed", ask, slot: asSlot(3), rows: [{ ...row, value: null }], next: null },
];

function message(body: RecordBody): AgreementMessage {
  return { lineage: asLineage("a".repeat(64)), epoch: 4, body };
}

Deno.test("decodeRecordMessage() reads back every kind of message", () => {
  for (const body of bodies) {
    const decoded = decodeRecordMessage(encodeRecordMessage(message(body)));
    assert.deepEqual(decoded, { ok: true, message: message(body) });
  }
});

Deno.test("decodeRecordMessage() takes the largest value, and refuses a larger one", () => {
  const sized = (bytes: number) =>
    decodeRecordMessage(encodeRecordMessage(message({
      ...{ kind: "accept", key, ballot },
      value: { ...value, body: new Uint8Array(bytes) },
    })));
  assert.equal(sized(valueBytesMax).ok, true);
  assert.equal(sized(valueBytesMax + 1).ok, false);
  assert.equal(sized(recordMessageBytesMax).ok, false);
});

Deno.test("decodeRecordMessage() refuses what no peer may send", () => {
  const refused: readonly unknown[] = [
    null,
    [],
    { lineage: "x", epoch: 1, body: { kind: "arriving", key } },
    { lineage: "", epoch: -1, body: { kind: "arriving", key } },
    { lineage: "", epoch: 1, body: { kind: "arriving", key, more: 1 } },
    { lineage: "", epoch: 1, body: { kind: "installed", ask: 1, lane: 0, slots: [1] } },
    { lineage: "", epoch: 1, body: { kind: "settled?", ask: 1, slots: [16_384] } },
    { lineage: "", epoch: 1, body: { kind: "prepare", key, ballot: [1, 1, "", 1] } },
    { lineage: "", epoch: 1, body: { kind: "prepare", key, ballot: [1.5, 1, "A", 1] } },
    { lineage: "", epoch: 1, body: { kind: "get", ask: 1, key: "k".repeat(9_000) } },
  ];
  for (const bad of refused) assert.equal(decodeRecordMessage(encode(bad)).ok, false);
});

Deno.test("decodeRecordMessage() never throws on random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(typeof decodeRecordMessage(bytes).ok, "boolean");
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeRecordMessage() never throws on damaged messages", () => {
  const written = bodies.map((body) => encodeRecordMessage(message(body)));
  const damage = fc.tuple(fc.constantFrom(...written), fc.nat(), fc.nat(255), fc.nat());
  fc.assert(
    fc.property(damage, ([bytes, at, byte, cut]) => {
      const damaged = bytes.slice(0, bytes.length - (cut % 3 === 0 ? cut % bytes.length : 0));
      if (damaged.length > 0) damaged[at % damaged.length] = byte;
      assert.equal(typeof decodeRecordMessage(damaged).ok, "boolean");
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeRecordMessage() refuses nesting without end", () => {
  const deep = new Uint8Array(200_000).fill(0x81);
  assert.equal(decodeRecordMessage(deep).ok, false);
});

Deno.test("decodeValue() reads back what encodeValue() wrote", () => {
  assert.deepEqual(decodeValue(encodeValue(value)), value);
});
