import assert from "node:assert/strict";
import { encode as encodeDagPb } from "@ipld/dag-pb";
import fc from "fast-check";
import { UnixFS } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { decodeFileNode, encodeFileNode } from "../../../../shared/block/unixfs.ts";

const digest = new Uint8Array(32).fill(9);
const leaf = cidOfDigest(digest, "raw");
const hash = CID.createV1(0x55, createDigest(0x12, digest));

function libraryNode(
  sizes: readonly number[],
  options: { data?: Uint8Array; type?: "directory" } = {},
) {
  const unixfs = new UnixFS({
    type: options.type ?? "file",
    blockSizes: sizes.map(BigInt),
    ...(options.data === undefined ? {} : { data: options.data }),
  });
  const links = sizes.map((Tsize) => ({ Hash: hash, Name: "", Tsize }));
  return encodeDagPb({ Data: unixfs.marshal(), Links: links });
}

const code = (bytes: Uint8Array) => {
  const outcome = decodeFileNode(bytes);
  return outcome.ok ? "ok" : outcome.code;
};

/** Protocol Buffers, "Encoding": groups of seven bits, lowest first. */
function varint(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];
}

const encoded = (sizes: readonly number[]) =>
  encodeFileNode(sizes.map((size) => ({ cid: leaf, size, totalBytes: size })));

Deno.test("encodeFileNode() gives the bytes that ipfs-unixfs and dag-pb give", () => {
  // Below 256 MiB: ipfs-unixfs 13.1.1 writes some larger sizes wrong (2 GiB as zeros).
  const sizes = fc.array(fc.nat(2 ** 22), { minLength: 1, maxLength: 50 });
  fc.assert(fc.property(sizes, (list) => {
    assert.deepEqual(encoded(list), libraryNode(list));
  }));
});

Deno.test("encodeFileNode() writes sizes of any magnitude as the specification says", () => {
  const sizes = fc.array(fc.nat(2 ** 45), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(sizes, (list) => {
      const total = list.reduce((sum, size) => sum + size, 0);
      const fields = list.flatMap((size) => [0x20, ...varint(BigInt(size))]);
      const Data = Uint8Array.from([8, 2, 0x18, ...varint(BigInt(total)), ...fields]);
      const Links = list.map((Tsize) => ({ Hash: hash, Name: "", Tsize }));
      assert.deepEqual(encoded(list), encodeDagPb({ Data, Links }));
      const outcome = decodeFileNode(encoded(list));
      assert.ok(outcome.ok);
      assert.deepEqual(outcome.node.links.map((link) => link.size), list);
    }),
    { examples: [[[2 ** 31]], [[2 ** 31, 0]], [[2 ** 32, 2 ** 35]]] },
  );
});

Deno.test("decodeFileNode() reads inline data before children", () => {
  const outcome = decodeFileNode(libraryNode([3, 4], { data: new Uint8Array(5) }));
  assert.ok(outcome.ok);
  assert.equal(outcome.node.size, 12);
  assert.equal(outcome.node.data.length, 5);
});

Deno.test("decodeFileNode() refuses directories, garbage and sizes that disagree", () => {
  assert.equal(code(libraryNode([], { type: "directory" })), "not_a_file");
  assert.equal(code(new Uint8Array([1, 2, 3])), "not_dag_pb");
  assert.equal(code(encodeDagPb({ Links: [] })), "not_unixfs");
  assert.equal(code(encodeDagPb({ Data: new Uint8Array([0xff]), Links: [] })), "not_unixfs");
  assert.equal(code(new Uint8Array(1_048_577)), "too_large");
  // Two block sizes, one link; then a file size that is not the sum.
  const Links = [{ Hash: hash, Name: "", Tsize: 1 }];
  assert.equal(
    code(encodeDagPb({ Data: new Uint8Array([8, 2, 0x18, 2, 0x20, 1, 0x20, 1]), Links })),
    "sizes_disagree",
  );
  assert.equal(
    code(encodeDagPb({ Data: new Uint8Array([8, 2, 0x18, 9, 0x20, 1]), Links })),
    "sizes_disagree",
  );
  const sha1 = CID.createV1(0x55, createDigest(0x11, new Uint8Array(20)));
  assert.equal(
    code(encodeDagPb({
      Data: new Uint8Array([8, 2, 0x18, 1, 0x20, 1]),
      Links: [{ Hash: sha1, Name: "", Tsize: 1 }],
    })),
    "bad_link",
  );
});

Deno.test("decodeFileNode() reads packed block sizes as other writers make them", () => {
  const Links = [1, 2].map((Tsize) => ({ Hash: hash, Name: "", Tsize }));
  const Data = new Uint8Array([8, 2, 0x18, 3, 0x22, 2, 1, 2]);
  assert.equal(code(encodeDagPb({ Data, Links })), "ok");
});

Deno.test("decodeFileNode() never throws, whatever the bytes", () => {
  const good = encodeFileNode([1, 2, 3].map((size) => ({ cid: leaf, size, totalBytes: size })));
  const flips = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(flips, fc.nat(good.length), (changes, length) => {
      const bytes = good.slice(0, length);
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      decodeFileNode(bytes);
    }),
    { numRuns: 500 },
  );
});
