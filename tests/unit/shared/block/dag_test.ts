// The DAG of a file, written and read: held to computed vectors, to kubo's published CIDs where
// they are at hand, and to ipfs-unixfs-importer on random sizes around every boundary.

import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import fc from "fast-check";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import { importer } from "ipfs-unixfs-importer";
import { createChunker } from "../../../../shared/block/chunker.ts";
import { cidOfDigest, codecOf, parseCid } from "../../../../shared/block/cid.ts";
import { createDagBuilder } from "../../../../shared/block/dag_builder.ts";
import {
  createDagWalk,
  type DagStep,
  fileSizeOf,
  leafPart,
} from "../../../../shared/block/dag_reader.ts";
import { type EncodableLink, encodeFileNode } from "../../../../shared/block/unixfs.ts";
import type { Cid } from "../../../../shared/base/ids.ts";
import golden from "../../../golden/unixfs/raw_leaves_174.json" with { type: "json" };
import { needing } from "../../../gate/needs.ts";

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

interface Built {
  root: Cid;
  leaves: number;
  size: number;
  blocks: Map<Cid, Uint8Array>;
}

function build(bytes: Uint8Array, chunkBytes: number, linksMax: number): Built {
  const chunker = createChunker({ chunkBytes });
  const builder = createDagBuilder({ linksMax, hash });
  const blocks = new Map<Cid, Uint8Array>();
  const add = (chunk: Uint8Array) => {
    const cid = cidOfDigest(hash(chunk), "raw");
    blocks.set(cid, chunk);
    for (const inner of builder.add({ cid, size: chunk.length })) {
      blocks.set(inner.cid, inner.bytes);
    }
  };
  chunker.push(bytes).forEach(add);
  const last = chunker.end();
  if (last !== undefined) add(last);
  const dag = builder.finish();
  for (const inner of dag.inner) blocks.set(inner.cid, inner.bytes);
  return { root: dag.root, leaves: dag.leaves, size: dag.size, blocks };
}

/** Walks a range over blocks at hand; also says which blocks it asked for. */
function read(built: Built, start: number, end: number): { bytes: Uint8Array; asked: Cid[] } {
  const rootBytes = built.blocks.get(built.root) as Uint8Array;
  const sized = fileSizeOf(built.root, rootBytes);
  assert.ok(sized.ok);
  const walk = createDagWalk({
    root: built.root,
    size: sized.size,
    start,
    end,
    innerBlocksMax: 10_000,
  });
  const parts: Uint8Array[] = [];
  const asked: Cid[] = [];
  for (let step = walk.next(); step.kind !== "end"; step = walk.next()) {
    if (step.kind === "refused") throw new Error(step.code);
    if (step.kind === "data") {
      parts.push(step.bytes);
      continue;
    }
    asked.push(step.cid);
    const bytes = built.blocks.get(step.cid) as Uint8Array;
    if (step.kind === "inner") walk.supply(step.cid, bytes);
    else parts.push(leafPart(step, bytes) as Uint8Array);
  }
  return { bytes: Buffer.concat(parts), asked };
}

/** The importer only ever puts, though its type asks for a whole block store. */
function sink(took: (cid: Cid, bytes: Uint8Array) => void): Parameters<typeof importer>[1] {
  const store = {
    put: (cid: { toString(): string }, bytes: Uint8Array) => {
      took(cid.toString() as Cid, bytes);
      return Promise.resolve(cid);
    },
  };
  return store as unknown as Parameters<typeof importer>[1];
}

async function importedCid(bytes: Uint8Array, chunkSize: number, maxLinks: number) {
  const store = sink(() => {});
  const source = [{
    content: (async function* () {
      yield bytes;
    })(),
  }];
  let root = "";
  for await (
    const entry of importer(source, store, {
      cidVersion: 1,
      rawLeaves: true,
      reduceSingleLeafToSelf: true,
      wrapWithDirectory: false,
      chunker: fixedSize({ chunkSize }),
      layout: balanced({ maxChildrenPerNode: maxLinks }),
    })
  ) root = entry.cid.toString();
  return root;
}

/** The root of a generated file that is never in memory as a whole. */
function streamedRoot(pieces: Iterable<Uint8Array>, chunkBytes: number, linksMax: number): Cid {
  const chunker = createChunker({ chunkBytes });
  const builder = createDagBuilder({ linksMax, hash });
  const add = (chunk: Uint8Array) =>
    void builder.add({ cid: cidOfDigest(hash(chunk), "raw"), size: chunk.length });
  for (const piece of pieces) chunker.push(piece).forEach(add);
  const last = chunker.end();
  if (last !== undefined) add(last);
  return builder.finish().root;
}

function* keystreamPieces(seed: string, size: number): Generator<Uint8Array> {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("chacha20", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(300_000);
  for (let at = 0; at < size; at += zeros.length) {
    yield cipher.update(zeros.subarray(0, Math.min(zeros.length, size - at)));
  }
}

function keystream(seed: string, size: number): Uint8Array {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("chacha20", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

Deno.test("createDagBuilder() gives the computed roots, block counts and leaves", () => {
  for (const vector of golden.vectors) {
    const built = build(
      keystream(vector.seed, vector.size),
      vector.chunkSize,
      vector.maxLinks,
    );
    assert.equal(built.root, vector.cid);
    assert.equal(built.leaves, vector.leaves);
    assert.equal(built.size, vector.size);
    assert.ok(
      built.blocks.has(vector.firstLeaf as Cid) && built.blocks.has(vector.lastLeaf as Cid),
    );
  }
});

const vectors = Deno.env.get("SKYRING_VECTORS");
Deno.test({
  ...needing(["vectors"], "createDagBuilder() gives kubo's published CIDs with raw leaves"),
  fn: async () => {
    const text = await Deno.readTextFile(`${vectors}/unixfs/published-cids.json`);
    let checked = 0;
    for (const { data, params, cid } of JSON.parse(text).vectors) {
      if (params.cidVersion !== 1 || !params.rawLeaves) continue;
      if (data.generator !== undefined && data.generator !== "chacha20-zero") continue;
      const pieces = data.utf8 === undefined
        ? keystreamPieces(data.seed, data.size)
        : [new TextEncoder().encode(data.utf8)];
      assert.equal(streamedRoot(pieces, params.chunkSize, params.maxLinks), cid);
      checked++;
    }
    assert.ok(checked >= 3, `only ${checked} vectors applied`);
  },
});

Deno.test("createDagBuilder() equals ipfs-unixfs-importer for any small chunk, width and size", async () => {
  const shape = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 6 })).chain(
    ([chunk, width]) => {
      const boundaries = [0, 1, chunk, width, width ** 2, width ** 3].map((count) => count * chunk);
      const near = fc.tuple(fc.constantFrom(...boundaries), fc.integer({ min: -1, max: chunk + 1 }))
        .map(([boundary, delta]) => Math.max(0, boundary + delta));
      return fc.record({
        chunk: fc.constant(chunk),
        width: fc.constant(width),
        size: fc.oneof(near, fc.nat(chunk * width ** 3)),
      });
    },
  );
  await fc.assert(
    fc.asyncProperty(shape, async ({ chunk, width, size }) => {
      const bytes = keystream("importer", size);
      assert.equal(build(bytes, chunk, width).root, await importedCid(bytes, chunk, width));
    }),
    { numRuns: 150 },
  );
});

for (const [chunk, width] of [[262_144, 174], [1_048_576, 1_024]] as const) {
  Deno.test(`createDagBuilder() equals ipfs-unixfs-importer at ${chunk} bytes and ${width} links`, async () => {
    // Sizes around one full inner node are covered at 256 KiB only: 1 GiB would be needed else.
    const full = width === 174 ? [chunk * width, chunk * width + 1] : [chunk * 3 + 17];
    for (const size of [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, ...full]) {
      const bytes = keystream("boundary", size);
      assert.equal(
        build(bytes, chunk, width).root,
        await importedCid(bytes, chunk, width),
        `${size}`,
      );
    }
  });
}

Deno.test("createDagBuilder() joins 1,025 leaves of 1 MiB under two inner nodes", () => {
  // Leaves are the same block each time, so that a gigabyte costs no memory.
  const leaf = keystream("leaf", 1_048_576);
  const cid = cidOfDigest(hash(leaf), "raw");
  const builder = createDagBuilder({ linksMax: 1_024, hash });
  const early: string[] = [];
  for (let index = 0; index < 1_025; index++) {
    for (const inner of builder.add({ cid, size: leaf.length })) {
      early.push(`${index} ${inner.cid}`);
    }
  }
  const dag = builder.finish();
  assert.equal(early.length, 1);
  assert.equal(dag.inner.length, 2);
  const full: EncodableLink[] = Array(1_024).fill({
    cid,
    size: leaf.length,
    totalBytes: leaf.length,
  });
  const first = encodeFileNode(full);
  const one = encodeFileNode(full.slice(0, 1));
  const link = (bytes: Uint8Array, count: number): EncodableLink => ({
    cid: cidOfDigest(hash(bytes), "dag-pb"),
    size: count * leaf.length,
    totalBytes: bytes.length + count * leaf.length,
  });
  const root = encodeFileNode([link(first, 1_024), link(one, 1)]);
  assert.equal(dag.root, cidOfDigest(hash(root), "dag-pb"));
});

Deno.test("createDagWalk() gives exactly the range and asks for no block outside it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 3, max: 5 }),
      fc.nat(600),
      fc.nat(600),
      fc.nat(600),
      (chunk, width, size, one, other) => {
        const bytes = keystream("range", size);
        const built = build(bytes, chunk, width);
        const start = Math.min(one, other, size);
        const end = Math.min(Math.max(one, other), size);
        const result = read(built, start, end);
        assert.deepEqual([...result.bytes], [...bytes.subarray(start, end)]);
        const leaves = result.asked.filter((cid) => codecOf(cid) === "raw").length;
        const needed = end > start
          ? Math.floor((end - 1) / chunk) - Math.floor(start / chunk) + 1
          : 0;
        assert.equal(leaves, needed);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("createDagWalk() reads what the importer writes with leaves in dag-pb", async () => {
  const blocks = new Map<Cid, Uint8Array>();
  const store = sink((cid, bytes) => blocks.set(cid, bytes));
  const bytes = keystream("dag-pb leaves", 1_000);
  let root = "";
  for await (
    const entry of importer([{ content: bytes }], store, {
      cidVersion: 1,
      rawLeaves: false,
      chunker: fixedSize({ chunkSize: 16 }),
      layout: balanced({ maxChildrenPerNode: 4 }),
    })
  ) root = entry.cid.toString();
  const built = { root: root as Cid, blocks, leaves: 0, size: 1_000 };
  assert.deepEqual([...read(built, 5, 777).bytes], [...bytes.subarray(5, 777)]);
});

/** Drives a walk over blocks until it ends; the last step and how many inner blocks it took. */
function drive(walk: ReturnType<typeof createDagWalk>, blocks: Map<Cid, Uint8Array>) {
  let inner = 0;
  let step: DagStep;
  do {
    step = walk.next();
    if (step.kind === "inner") {
      inner++;
      walk.supply(step.cid, blocks.get(step.cid) as Uint8Array);
    }
  } while (step.kind !== "end" && step.kind !== "refused");
  return { step, inner };
}

Deno.test("createDagWalk() refuses an inner block whose size is not what its parent says", () => {
  const blocks = new Map<Cid, Uint8Array>();
  const leaf = cidOfDigest(hash(new Uint8Array(5)), "raw");
  const store = (links: EncodableLink[]) => {
    const bytes = encodeFileNode(links);
    const cid = cidOfDigest(hash(bytes), "dag-pb");
    blocks.set(cid, bytes);
    return cid;
  };
  const child = store([{ cid: leaf, size: 5, totalBytes: 5 }]);
  const root = store([{ cid: child, size: 6, totalBytes: 60 }]);
  const walk = createDagWalk({ root, size: 6, start: 0, end: 6 });
  const { step } = drive(walk, blocks);
  assert.deepEqual(step, { kind: "refused", code: "size_mismatch", cid: child });
});

Deno.test("createDagWalk() ends on a bomb of shared inner blocks and on a deep chain", () => {
  const blocks = new Map<Cid, Uint8Array>();
  const leaf = cidOfDigest(hash(new Uint8Array(1)), "raw");
  const grow = (levels: number, copies: number) => {
    let link: EncodableLink = { cid: leaf, size: 1, totalBytes: 1 };
    for (let level = 0; level < levels; level++) {
      const bytes = encodeFileNode(Array(copies).fill(link));
      const cid = cidOfDigest(hash(bytes), "dag-pb");
      blocks.set(cid, bytes);
      link = { cid, size: link.size * copies, totalBytes: 1 };
    }
    return link;
  };
  const chain = grow(20, 1);
  const deep = drive(createDagWalk({ root: chain.cid, size: 1, start: 0, end: 1 }), blocks);
  assert.equal(deep.step.kind === "refused" && deep.step.code, "too_deep");
  assert.ok(deep.inner <= 9);
  const bomb = grow(8, 30);
  const walk = createDagWalk({
    root: bomb.cid,
    size: bomb.size,
    start: 0,
    end: bomb.size,
    innerBlocksMax: 500,
  });
  const wide = drive(walk, blocks);
  assert.equal(wide.step.kind === "refused" && wide.step.code, "too_many_inner_blocks");
  assert.equal(wide.inner, 500);
});

Deno.test("parseCid() takes every root of the vectors and gives the same text back", () => {
  for (const { cid } of golden.vectors) {
    const parsed = parseCid(cid);
    assert.ok(parsed.ok && parsed.cid === cid);
  }
});
