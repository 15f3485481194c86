// Codec of repair messages: reads back what it wrote, refuses everything else with bad_message.

import assert from "node:assert/strict";
import { decode, encode } from "cborg";
import fc from "fast-check";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asLineage, type Cid } from "../../../../shared/base/ids.ts";
import {
  lostCidsMax,
  repairMessageBytesMax,
  vouchBlocksMax,
} from "../../../../shared/base/limits.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import {
  decodeRepairReply,
  decodeRepairRequest,
  encodeRepairReply,
  encodeRepairRequest,
  type RepairReply,
  type RepairRequest,
} from "../../../../shared/wire/repair_message.ts";

const cid = (seed: number): Cid =>
  cidOfDigest(new Uint8Array(32).fill(seed), seed % 2 === 0 ? "raw" : "dag-pb");
const lineage = asLineage("ab".repeat(32));
const many = Array.from({ length: vouchBlocksMax }, (_, at) => ({ cid: cid(at), replicas: 9 }));

const requests: readonly RepairRequest[] = [
  { kind: "vouch", lineage, epoch: 7, blocks: [] },
  { kind: "vouch", lineage, epoch: 7, blocks: many },
  { kind: "heal", begin: true },
  { kind: "heal", begin: false },
  { kind: "pushes" },
];
const lost = Array.from({ length: lostCidsMax }, (_, at) => cid(at % 256));
const replies: readonly RepairReply[] = [
  { kind: "vouched", mine: [true, false, true] },
  { kind: "vouched", mine: many.map(() => true) },
  { kind: "healing", state: { done: false, wanted: 5, restored: 0, lost: [] } },
  { kind: "healing", state: { done: true, wanted: 2, restored: 9, lost } },
  { kind: "pushing", oldestMs: 0, quietMs: null },
];

function isBadMessage(error: unknown): boolean {
  return error instanceof SkyringError && error.code === "bad_message";
}

Deno.test("decodeRepairRequest() and decodeRepairReply() read back every kind, within the limit", () => {
  for (const request of requests) {
    const bytes = encodeRepairRequest(request);
    assert.ok(bytes.length <= repairMessageBytesMax);
    assert.deepEqual(decodeRepairRequest(bytes), request);
  }
  for (const reply of replies) {
    const bytes = encodeRepairReply(reply);
    assert.ok(bytes.length <= repairMessageBytesMax);
    assert.deepEqual(decodeRepairReply(bytes), reply);
  }
});

Deno.test("encodeRepairReply() names no more lost blocks than the limit", () => {
  const state = { done: true, wanted: 0, restored: 0, lost: [...lost, cid(1)] };
  const read = decodeRepairReply(encodeRepairReply({ kind: "healing", state }));
  assert.equal(read.kind === "healing" && read.state.lost.length, lostCidsMax);
});

Deno.test("decodeRepairRequest() refuses what breaks shapes and limits", () => {
  const bad: readonly unknown[] = [
    [0, lineage, -1, []],
    [0, lineage, 1, [[new Uint8Array(36), 3]]],
    [0, lineage, 1, [[new Uint8Array(3), 3]]],
    [0, "x".repeat(129), 1, []],
    [0, lineage, 1, Array.from({ length: vouchBlocksMax + 1 }, () => [])],
    [1, "yes"],
    [1],
    [2, 1],
    [3],
    {},
    null,
  ];
  for (const one of bad) assert.throws(() => decodeRepairRequest(encode(one)), isBadMessage);
  assert.throws(() => decodeRepairRequest(new Uint8Array(repairMessageBytesMax + 1)), isBadMessage);
});

Deno.test("decodeRepairRequest() and decodeRepairReply() stand any bytes", () => {
  const stands = (bytes: Uint8Array) => {
    for (const read of [decodeRepairRequest, decodeRepairReply]) {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(isBadMessage(error), String(error));
      }
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), stands));
  const flips = fc.record({
    which: fc.nat(requests.length + replies.length - 1),
    at: fc.nat(400),
    bits: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(fc.property(flips, ({ which, at, bits }) => {
    const request = requests[which];
    const reply = replies[which - requests.length];
    const bytes = request !== undefined
      ? encodeRepairRequest(request)
      : encodeRepairReply(reply ?? { kind: "pushing", oldestMs: 1, quietMs: 2 });
    const flipped = bytes.slice();
    flipped[at % bytes.length] = (flipped[at % bytes.length] ?? 0) ^ bits;
    stands(flipped);
    stands(bytes.subarray(0, at % bytes.length));
  }));
  fc.assert(fc.property(fc.anything(), (value) => {
    try {
      stands(encode(value));
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error; // else it cannot be encoded
    }
  }));
  assert.deepEqual(decode(encodeRepairRequest({ kind: "pushes" })), [2]);
});
