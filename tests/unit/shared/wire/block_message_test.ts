import assert from "node:assert/strict";
import fc from "fast-check";
import { asCid, type Cid } from "../../../../shared/base/ids.ts";
import { haveCidsMax } from "../../../../shared/base/limits.ts";
import {
  cidBytes,
  decodeCid,
  decodeCredit,
  decodeHave,
  decodeHeld,
  decodePutHeader,
  decodeStored,
  encodeCid,
  encodeCredit,
  encodeHave,
  encodeHeld,
  encodePutHeader,
  encodeStored,
} from "../../../../shared/wire/block_message.ts";

const cidArbitrary = fc.tuple(
  fc.constantFrom(0x55, 0x70),
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
).map(([codec, digest]): Cid => {
  const cid = decodeCid(new Uint8Array([1, codec, 0x12, 32, ...digest]));
  assert.ok(cid !== undefined);
  return cid;
});

Deno.test("every message decodes to what was encoded", () => {
  fc.assert(fc.property(
    fc.array(cidArbitrary, { maxLength: 20 }),
    fc.boolean(),
    fc.array(fc.boolean(), { maxLength: 70 }),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    (cids, lease, held, credit) => {
      for (const cid of cids) assert.equal(decodeCid(encodeCid(cid)), cid);
      assert.deepEqual(decodeHave(encodeHave({ lease, cids })), { lease, cids });
      assert.deepEqual(decodeHeld(encodeHeld(held), held.length), held);
      assert.equal(decodeCredit(encodeCredit(credit)), credit);
      const [cid] = cids;
      if (cid === undefined) return;
      const put = decodePutHeader(encodePutHeader({ kind: "inner", cid }));
      assert.equal(put?.cid, cid);
      assert.equal(put?.kind, "inner");
      assert.deepEqual(put?.digest, encodeCid(cid).subarray(4));
    },
  ));
  for (const outcome of ["ok", "full", "busy", "refused"] as const) {
    assert.equal(decodeStored(encodeStored(outcome)), outcome);
  }
});

Deno.test("no decoder throws on any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    decodeCid(bytes);
    decodeHave(bytes);
    decodeHeld(bytes, 9);
    decodePutHeader(bytes);
    decodeStored(bytes);
    decodeCredit(bytes);
  }));
});

Deno.test("decodeCid() refuses other versions, codecs, hashes and lengths", () => {
  const good = [1, 0x55, 0x12, 32, ...new Uint8Array(32)];
  assert.ok(decodeCid(new Uint8Array(good)) !== undefined);
  for (const [index, value] of [[0, 0], [1, 0x71], [2, 0x11], [3, 31]] as const) {
    assert.equal(decodeCid(new Uint8Array(good.with(index, value))), undefined);
  }
  assert.equal(decodeCid(new Uint8Array(good.slice(1))), undefined);
  assert.equal(decodeCid(new Uint8Array([...good, 0])), undefined);
});

Deno.test("decodeHave() refuses more CIDs than the limit", () => {
  const payload = new Uint8Array(1 + cidBytes * (haveCidsMax + 1));
  for (let index = 0; index <= haveCidsMax; index++) {
    payload.set([1, 0x55, 0x12, 32], 1 + index * cidBytes);
  }
  assert.equal(decodeHave(payload), undefined);
  assert.equal(decodeHave(payload.subarray(0, payload.length - cidBytes))?.cids.length, 1_024);
});

Deno.test("encodeCid() refuses a CIDv0", () => {
  const cid = asCid("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG");
  assert.throws(() => encodeCid(cid));
});
