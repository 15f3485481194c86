import assert from "node:assert/strict";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import {
  cidOfDigest,
  cidToBytes,
  codecOf,
  digestOf,
  parseCid,
  parseCidBytes,
} from "../../../../shared/block/cid.ts";

const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
const codecs = fc.constantFrom("raw" as const, "dag-pb" as const);
const library = (digest: Uint8Array, code: number) =>
  CID.createV1(code, createDigest(0x12, digest));

Deno.test("cidOfDigest() gives the text and bytes that multiformats gives", () => {
  fc.assert(fc.property(digests, codecs, (digest, codec) => {
    const expected = library(digest, codec === "raw" ? 0x55 : 0x70);
    const cid = cidOfDigest(digest, codec);
    assert.equal(cid, expected.toString());
    assert.deepEqual([...cidToBytes(cid)], [...expected.bytes]);
    assert.deepEqual([...digestOf(cid)], [...digest]);
    assert.equal(codecOf(cid), codec);
  }));
});

Deno.test("parseCid() and parseCidBytes() give back what went in", () => {
  fc.assert(fc.property(digests, codecs, (digest, codec) => {
    const cid = cidOfDigest(digest, codec);
    for (const parsed of [parseCid(cid), parseCidBytes(cidToBytes(cid))]) {
      assert.ok(parsed.ok);
      assert.equal(parsed.cid, cid);
      assert.equal(parsed.codec, codec);
      assert.deepEqual([...parsed.digest], [...digest]);
    }
  }));
});

Deno.test("parseCid() refuses other bases, versions, codecs, hashes, lengths and set unused bits", () => {
  const digest = new Uint8Array(32).fill(7);
  const cid: string = cidOfDigest(digest, "raw");
  const code = (text: string) => {
    const parsed = parseCid(text);
    return parsed.ok ? "ok" : parsed.code;
  };
  assert.equal(code(""), "bad_length");
  assert.equal(code("Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"), "bad_length");
  assert.equal(code(cid.slice(0, -1)), "bad_length");
  assert.equal(code(`${cid}a`), "bad_length");
  assert.equal(code(cid.toUpperCase()), "bad_base");
  assert.equal(code(cid.replace("f", "0")), "bad_base");
  assert.equal(code(cid.replace("f", "é")), "bad_base");
  assert.equal(
    code(`${cid.slice(0, -1)}${String.fromCharCode(cid.charCodeAt(58) + 1)}`),
    "bad_base",
  );
  assert.equal(code(library(digest, 0x71).toString()), "bad_codec");
  const sha512Prefix = CID.createV1(0x55, createDigest(0x13, digest)).toString();
  assert.equal(code(sha512Prefix), "bad_hash");
  const bytes = cidToBytes(cidOfDigest(digest, "raw"));
  bytes[0] = 2;
  const version = parseCidBytes(bytes);
  assert.ok(!version.ok && version.code === "bad_version");
  assert.ok(!parseCidBytes(bytes.subarray(1)).ok);
});

Deno.test("parseCid() takes only texts that it would give itself", () => {
  const letters = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz234567");
  const texts = fc.array(letters, { minLength: 55, maxLength: 55 }).map((tail) =>
    `bafk${tail.join("")}`
  );
  fc.assert(fc.property(texts, (text) => {
    const parsed = parseCid(text);
    if (parsed.ok) assert.equal(cidOfDigest(parsed.digest, parsed.codec), text);
  }));
});
