// What every block store promises, whatever it keeps the blocks in: one suite, run against the
// file store, the memory store and each wrapper by the *_test.ts files beside it.

import assert from "node:assert/strict";
import fc from "fast-check";
import { KiB, smallBlockBytesMax } from "../../shared/base/limits.ts";
import type { Cid } from "../../shared/base/ids.ts";
import type { VerifiableStore } from "../../shared/block/block_store.ts";
import { type TestBlock, testBlock } from "./block_fixture.ts";

/** One store under test, and the clock it was given. */
export interface StoreUnderTest {
  readonly store: VerifiableStore;
  readonly clock: { at: number };
  /** Stops it and removes what it left. */
  close(): Promise<void>;
}

export interface StoreSettings {
  readonly capacityBytes: number;
  readonly metadataRoomBytes: number;
}

/** Opens an empty store with these limits; the metadata limit leaves room for that many bytes. */
export type OpenStore = (settings: StoreSettings) => Promise<StoreUnderTest>;

const roomy: StoreSettings = { capacityBytes: 64 * 1024 * KiB, metadataRoomBytes: 64 * 1024 * KiB };
const sizes = [0, 1, 4 * KiB, smallBlockBytesMax, smallBlockBytesMax + 1, 256 * KiB, 1024 * KiB];

/** Registers the suite for one implementation. */
export function testBlockStore(name: string, open: OpenStore): void {
  const test = (
    title: string,
    body: (under: StoreUnderTest) => Promise<void>,
    settings: StoreSettings = roomy,
  ) =>
    Deno.test(`${name}: ${title}`, async () => {
      const under = await open(settings);
      try {
        await body(under);
      } finally {
        await under.close();
      }
    });
  testBytes(test);
  testTurns(test);
  testListing(test);
  testLeases(test);
  testLimits(test);
  testHistory(test);
}

type Test = (
  title: string,
  body: (under: StoreUnderTest) => Promise<void>,
  settings?: StoreSettings,
) => void;

const putBlock = (store: VerifiableStore, { cid, bytes, kind }: TestBlock) =>
  store.put(cid, bytes, kind);

function testBytes(test: Test): void {
  test("get() returns the bytes that were put, at every size and kind", async ({ store }) => {
    const blocks = sizes.flatMap((size) => [
      testBlock("a", size),
      ...(size === 0 ? [] : [testBlock("a", size, "inner")]),
    ]);
    const outcomes = await Promise.all(blocks.map((block) => putBlock(store, block)));
    assert.deepEqual(
      new Set(outcomes.map((outcome) => outcome.ok && outcome.fresh)),
      new Set([true]),
    );
    for (const { cid, bytes } of blocks) {
      assert.equal(store.has(cid), true);
      assert.equal(store.sizeOf(cid), bytes.length);
      const read = await store.get(cid);
      assert.ok(read !== undefined && read.length === bytes.length);
      assert.ok(read.every((byte, index) => byte === bytes[index]));
    }
  });

  test("get(), has(), sizeOf() and remove() of an unknown block say so", async ({ store }) => {
    const { cid } = testBlock("unknown", 10);
    assert.equal(await store.get(cid), undefined);
    assert.equal(store.has(cid), false);
    assert.equal(store.sizeOf(cid), undefined);
    assert.equal(await store.remove(cid), false);
    await store.quarantine(cid);
    await store.touch([cid]);
    assert.equal(store.use().blocks, 0);
  });

  test("put() of the same block at once and again stores it once", async ({ store }) => {
    for (const size of [100, 100 * KiB]) {
      const block = testBlock("same", size);
      const outcomes = await Promise.all([1, 2, 3].map(() => putBlock(store, block)));
      assert.equal(outcomes.filter((outcome) => outcome.ok && outcome.fresh).length, 1);
      assert.ok(outcomes.every((outcome) => outcome.ok));
      assert.deepEqual(await putBlock(store, block), { ok: true, fresh: false });
    }
    assert.equal(store.use().blocks, 2);
    assert.equal(store.use().blockBytes, 100 + 100 * KiB);
  });

  test("get() gives bytes that the caller may change", async ({ store }) => {
    for (const size of [100, 100 * KiB]) {
      const block = testBlock("own", size);
      await putBlock(store, block);
      (await store.get(block.cid))?.fill(0);
      assert.deepEqual(await store.get(block.cid), block.bytes);
    }
  });
}

function testTurns(test: Test): void {
  test("remove() and put() of one block take turns, whatever is under way", async ({ store }) => {
    for (const size of [100, 100 * KiB]) {
      const block = testBlock("turns", size);
      const steps: Promise<unknown>[] = [];
      for (let turn = 0; turn < 5; turn++) {
        steps.push(putBlock(store, block), store.get(block.cid), store.remove(block.cid));
      }
      await Promise.all([...steps, putBlock(store, block)]);
      assert.deepEqual(await store.get(block.cid), block.bytes);
      assert.equal(await store.remove(block.cid), true);
      assert.equal(store.has(block.cid), false);
      assert.equal(await store.get(block.cid), undefined);
    }
    assert.equal(store.use().blockBytes, 0);
  });

  test("quarantine() hides a bad block, which can be put again", async ({ store }) => {
    for (const size of [100, 100 * KiB]) {
      const block = testBlock("bad", size);
      await putBlock(store, rotten(block));
      await store.quarantine(block.cid);
      assert.equal(store.has(block.cid), false);
      assert.equal(await store.get(block.cid), undefined);
      assert.deepEqual(await putBlock(store, block), { ok: true, fresh: true });
      assert.deepEqual(await store.get(block.cid), block.bytes);
    }
  });

  test("quarantine() that comes late leaves the good copy that came since", async ({ store }) => {
    for (const size of [100, 100 * KiB]) {
      const block = testBlock("late", size);
      await putBlock(store, rotten(block));
      const steps = [store.quarantine(block.cid), putBlock(store, block)];
      await Promise.all([...steps, store.quarantine(block.cid), store.quarantine(block.cid)]);
      assert.deepEqual(await store.get(block.cid), block.bytes);
    }
  });

  test("put() of a held block replaces bytes that rotted", async ({ store, clock }) => {
    for (const size of [100, 100 * KiB]) {
      const block = testBlock("rotten", size);
      await putBlock(store, rotten(block));
      assert.deepEqual(await putBlock(store, block), { ok: true, fresh: true });
      assert.deepEqual(await store.get(block.cid), block.bytes);
      clock.at += 1_000;
      assert.deepEqual(await putBlock(store, block), { ok: true, fresh: false });
      const row = store.list(undefined, 10).find(({ cid }) => cid === block.cid);
      assert.deepEqual([row?.touchedAt, row?.verifiedAt], [clock.at, clock.at]);
    }
    assert.equal(store.use().blockBytes, 100 + 100 * KiB);
  });
}

/** The same block with a bit flipped, as a disk would. */
function rotten(block: TestBlock): TestBlock {
  const bytes = block.bytes.slice();
  bytes[7] = (bytes[7] ?? 0) ^ 1;
  return { ...block, bytes };
}

function testListing(test: Test): void {
  test("list() pages through all blocks in the order of their CIDs", async ({ store }) => {
    const blocks = Array.from(
      { length: 23 },
      (_, seed) =>
        testBlock(seed, seed % 3 === 0 ? 20 * KiB : 50, seed % 4 === 0 ? "inner" : "leaf"),
    );
    await Promise.all(blocks.map((block) => putBlock(store, block)));
    const seen: Cid[] = [];
    for (let after: Cid | undefined;; after = seen.at(-1)) {
      const page = store.list(after, 5);
      for (const held of page) {
        const block = blocks.find(({ cid }) => cid === held.cid);
        assert.equal(held.bytes, block?.bytes.length);
        assert.equal(held.kind, block?.kind);
      }
      seen.push(...page.map(({ cid }) => cid));
      if (page.length < 5) break;
    }
    assert.deepEqual(seen, blocks.map(({ cid }) => cid).sort());
    assert.deepEqual(store.list(seen[21], 10).map(({ cid }) => cid), seen.slice(22));
  });
}

function testLeases(test: Test): void {
  test("touch() and put() renew the lease, markVerified() the check", async (under) => {
    const { store, clock } = under;
    const [held, touched, again] = ["held", "touched", "again"].map((seed) => testBlock(seed, 50));
    assert.ok(held !== undefined && touched !== undefined && again !== undefined);
    clock.at = 1_000;
    for (const block of [held, touched, again]) await putBlock(store, block);
    clock.at = 2_000;
    await store.touch([touched.cid, testBlock("unknown", 5).cid]);
    await putBlock(store, again);
    clock.at = 3_000;
    await store.markVerified([touched.cid]);
    await store.touch([]);
    await store.markVerified([]);
    const byCid = new Map(store.list(undefined, 10).map((each) => [each.cid, each]));
    const stamps = ({ cid }: TestBlock) => {
      const row = byCid.get(cid);
      return [row?.touchedAt, row?.verifiedAt];
    };
    assert.deepEqual(stamps(held), [1_000, 1_000]);
    assert.deepEqual(stamps(touched), [2_000, 3_000]);
    assert.deepEqual(stamps(again), [2_000, 2_000]);
  });

  test("removeUntouched() spares what was touched, also just before", async (under) => {
    const { store, clock } = under;
    for (const size of [50, 256 * KiB]) {
      const [old, touched] = [testBlock(`old ${size}`, size), testBlock(`touched ${size}`, size)];
      clock.at = 1_000;
      for (const block of [old, touched]) await putBlock(store, block);
      const { blocks, blockBytes } = store.use();
      assert.equal(await store.removeUntouched(old.cid, 1_000), false, "not touched before");
      clock.at = 5_000;
      // The renewal is asked for first and not awaited: it still comes first.
      const renewed = store.touch([touched.cid]);
      assert.equal(await store.removeUntouched(touched.cid, 2_000), false);
      await renewed;
      assert.equal(await store.removeUntouched(old.cid, 2_000), true);
      assert.equal(await store.removeUntouched(old.cid, 2_000), false);
      assert.deepEqual([store.has(old.cid), store.has(touched.cid)], [false, true]);
      assert.deepEqual(await store.get(touched.cid), touched.bytes);
      const after = store.use();
      assert.deepEqual([after.blocks, after.blockBytes], [blocks - 1, blockBytes - size]);
      assert.deepEqual(await putBlock(store, old), { ok: true, fresh: true });
    }
  });
}

function testLimits(test: Test): void {
  const tight = { capacityBytes: 1000 * KiB, metadataRoomBytes: 64 * 1024 * KiB };

  test("put() never exceeds the capacity, also with many at once", async ({ store }) => {
    const blocks = Array.from({ length: 30 }, (_, seed) => testBlock(seed, 100 * KiB));
    const outcomes = await Promise.all(blocks.map((block) => putBlock(store, block)));
    assert.equal(outcomes.filter(({ ok }) => ok).length, 10);
    for (const outcome of outcomes) if (!outcome.ok) assert.equal(outcome.code, "full");
    const { blockBytes, blocks: held, full, capacityBytes } = store.use();
    assert.deepEqual([blockBytes, held, full, capacityBytes], [1000 * KiB, 10, true, 1000 * KiB]);
    for (const [index, { cid }] of blocks.entries()) {
      assert.equal(store.has(cid), outcomes[index]?.ok);
    }
  }, tight);

  test("full begins with a refusal and ends below 90 %", async ({ store }) => {
    const blocks = Array.from({ length: 10 }, (_, seed) => testBlock(seed, 100 * KiB));
    for (const block of blocks) await putBlock(store, block);
    assert.equal(store.use().full, false);
    const more = testBlock("more", 50 * KiB);
    assert.deepEqual(await putBlock(store, more), { ok: false, code: "full", freeBytes: 0 });
    assert.equal(store.use().full, true);
    await store.remove(blocks[0]?.cid ?? more.cid);
    assert.equal(store.use().full, true, "90 % is not below 90 %");
    assert.equal((await putBlock(store, more)).ok, false);
    assert.deepEqual(await putBlock(store, blocks[1] ?? more), { ok: true, fresh: false });
    await store.remove(blocks[1]?.cid ?? more.cid);
    assert.equal(store.use().full, false);
    assert.deepEqual(await putBlock(store, more), { ok: true, fresh: true });
  }, tight);

  test("resize() below what is held makes it full, above it frees it", async ({ store }) => {
    const block = testBlock("held", 600 * KiB);
    await putBlock(store, block);
    store.resize(500 * KiB);
    assert.deepEqual([store.use().full, store.use().capacityBytes], [true, 500 * KiB]);
    assert.equal((await putBlock(store, testBlock("more", 1))).ok, false);
    assert.deepEqual(await store.get(block.cid), block.bytes);
    store.resize(2000 * KiB);
    assert.equal(store.use().full, false);
    assert.equal((await putBlock(store, testBlock("more", 1))).ok, true);
  }, tight);

  test("inner blocks count as metadata, with a limit of their own", async ({ store }) => {
    const leaf = testBlock("leaf", 1000 * KiB);
    await putBlock(store, leaf);
    const before = store.use();
    let code: string | undefined;
    let stored = 0;
    for (let seed = 0; code === undefined && seed < 100; seed++) {
      const outcome = await putBlock(store, testBlock(seed, 64 * KiB, "inner"));
      if (outcome.ok) stored++;
      else code = outcome.code;
    }
    assert.equal(code, "metadata_full");
    assert.ok(stored >= 4 && stored <= 16, `${stored} inner blocks fit`);
    const after = store.use();
    assert.equal(after.blockBytes, before.blockBytes);
    assert.ok(after.metadataBytes >= before.metadataBytes + stored * 64 * KiB);
    assert.ok(after.metadataBytes <= after.metadataBytesMax + 512 * KiB);
    assert.equal(after.full, false);
  }, { capacityBytes: 1000 * KiB, metadataRoomBytes: 1024 * KiB });
}

/** Random histories against the dumbest model there is: a map. */
function testHistory(test: Test): void {
  type Step = { readonly kind: "put" | "get" | "remove" | "quarantine"; readonly block: number };
  const pool = Array.from({ length: 8 }, (_, seed) => testBlock(seed, seed % 2 ? 30 * KiB : 300));
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom("put", "put", "get", "remove", "quarantine"),
    block: fc.nat(pool.length - 1),
  });

  test("any history of steps leaves what a map would hold", async ({ store }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const model = new Map<Cid, Uint8Array>();
        for (const { cid } of pool) await store.remove(cid);
        for (const { kind, block } of steps) {
          const each = pool[block];
          if (each === undefined) continue;
          const { cid, bytes } = each;
          if (kind === "put") {
            const fresh = !model.has(cid);
            model.set(cid, bytes);
            assert.deepEqual(await putBlock(store, each), { ok: true, fresh });
          } else if (kind === "get") assert.deepEqual(await store.get(cid), model.get(cid));
          else if (kind === "remove") assert.equal(await store.remove(cid), model.delete(cid));
          else await store.quarantine(cid);
        }
        const sum = [...model.values()].reduce((total, bytes) => total + bytes.length, 0);
        assert.deepEqual([store.use().blocks, store.use().blockBytes], [model.size, sum]);
        assert.deepEqual(
          store.list(undefined, 100).map(({ cid }) => cid),
          [...model.keys()].sort(),
        );
      }),
      { numRuns: 25 },
    );
  });
}
