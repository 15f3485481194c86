// Slots and tokens: the same from a CID's text, its digest, and a reading of the hash by hand.

import { ok, strictEqual, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { asCid, asNodeId, asSlot } from "../../../../shared/base/ids.ts";
import { GiB, MiB, slotCount } from "../../../../shared/base/limits.ts";
import {
  clockwise,
  ringLength,
  slotAfter,
  slotAt,
  slotOfCid,
  slotOfDigest,
  slotOfKey,
  slotsBetween,
  startOf,
} from "../../../../shared/ring/slot.ts";
import { tokenCount, tokenPositions } from "../../../../shared/ring/token.ts";

const anySlot = fc.integer({ min: 0, max: slotCount - 1 }).map(asSlot);

Deno.test("slotOfCid() is the top 14 bits of the digest inside the CID", () => {
  const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(fc.property(digests, fc.constantFrom(0x55, 0x70), (digest, codec) => {
    const cid = asCid(CID.createV1(codec, create(0x12, digest)).toString());
    const top = Number.parseInt(
      [...digest.subarray(0, 2)]
        .map((byte) => byte.toString(2).padStart(8, "0")).join("").slice(0, 14),
      2,
    );
    strictEqual(slotOfCid(cid), top);
    strictEqual(slotOfDigest(digest), top);
  }));
});

Deno.test("slotOfCid() refuses what is not the CID of a block", () => {
  throws(() => slotOfCid(asCid("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n")));
  throws(() => slotOfCid(asCid("")));
});

Deno.test("slotOfKey() hashes kind NUL name", () => {
  const digest = createHash("sha256").update("file\0photos/ä.jpg").digest();
  strictEqual(slotOfKey({ kind: "file", name: "photos/ä.jpg" }), digest.readUInt16BE() >> 2);
});

Deno.test("slotAfter() and slotsBetween() undo each other round the ring", () => {
  fc.assert(fc.property(anySlot, fc.integer({ min: -40_000, max: 40_000 }), (from, steps) => {
    const to = slotAfter(from, steps);
    ok(to >= 0 && to < slotCount);
    strictEqual(slotAfter(from, slotsBetween({ from, to })), to);
    strictEqual(slotAt(startOf(from)), from);
  }));
  strictEqual(clockwise({ from: ringLength - 1, to: 1 }), 2);
});

Deno.test("tokenCount() follows capacity inside its bounds", () => {
  strictEqual(tokenCount(10 * GiB), 512);
  strictEqual(tokenCount(15 * GiB), 768);
  strictEqual(tokenCount(1 * MiB), 16);
  strictEqual(tokenCount(10_000 * GiB), 8_192);
});

Deno.test("tokenPositions() reads five positions from each digest", () => {
  const id = asNodeId("12D3KooWToken");
  const positions = tokenPositions(id, 7);
  const digest = createHash("sha256").update(`${id}/1`).digest();
  const expected = (digest.readUInt16BE(6) >> 2) * 2 ** 30 + (digest.readUInt32BE(8) >>> 2);
  strictEqual(positions[6], expected);
  strictEqual(tokenPositions(id, 500)[6], expected);
  ok(positions.every((position) => position >= 0 && position < ringLength));
});
