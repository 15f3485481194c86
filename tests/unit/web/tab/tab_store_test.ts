import assert from "node:assert/strict";
import fc from "fast-check";
import type { Cid } from "../../../../shared/base/ids.ts";
import { sha256 } from "../../../../shared/base/hash.ts";
import { type KeyValues, memoryValues } from "../../../../web/tab/key_values.ts";
import { openTabStore } from "../../../../web/tab/tab_store.ts";
import { testBlock } from "../../../contract/block_fixture.ts";

const hash = (bytes: Uint8Array) => Promise.resolve(sha256(bytes));
const open = (values: KeyValues, quotaBytes = 1_000_000) =>
  openTabStore({ values, quotaBytes, hash });
const blocks = (count: number, bytes = 100) =>
  Array.from({ length: count }, (_, seed) => testBlock(`block ${seed}`, bytes));

Deno.test("openTabStore() holds what was put before, without reading its bytes", async () => {
  const values = memoryValues();
  const [one, two] = [testBlock("one", 300), testBlock("two", 400, "inner")];
  const first = await open(values);
  for (const { cid, bytes, kind } of [one, two]) await first.put(cid, bytes, kind);
  let reads = 0;
  const counting: KeyValues = { ...values, get: (key) => (reads += 1, values.get(key)) };
  const second = await open(counting);
  assert.equal(reads, 0);
  assert.deepEqual(second.use(), { ...second.use(), blocks: 2, bytes: 700 });
  assert.equal(second.sizeOf(two.cid), 400);
  assert.deepEqual(await second.get(one.cid), one.bytes);
});

Deno.test("TabStore never holds more than its quota, whatever is put at once", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 30 }),
    fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
    async (sizes, kept) => {
      const values = memoryValues();
      const store = await open(values, 1_000);
      const made = sizes.map((size, index) => testBlock(`${index}`, size));
      store.keep(made.filter((_, index) => kept[index]).map(({ cid }) => cid));
      await Promise.all(made.map(({ cid, bytes, kind }) => store.put(cid, bytes, kind)));
      const stored = await bytesIn(values);
      assert.ok(stored <= 1_000, `${stored} bytes are stored`);
      assert.equal(store.use().bytes, stored);
    },
  ));
});

Deno.test("TabStore makes room for kept blocks by letting the oldest of the others go", async () => {
  const store = await open(memoryValues(), 1_000);
  const pool = blocks(10);
  for (const { cid, bytes, kind } of pool) await store.put(cid, bytes, kind);
  const wanted = testBlock("wanted", 250);
  assert.equal((await store.put(wanted.cid, wanted.bytes, "leaf")).ok, false, "it only helps");
  store.keep([wanted.cid]);
  assert.equal((await store.put(wanted.cid, wanted.bytes, "leaf")).ok, true);
  assert.deepEqual(pool.map(({ cid }) => store.has(cid)), [
    ...new Array(3).fill(false),
    ...new Array(7).fill(true),
  ]);
  const large = testBlock("large", 900);
  store.keep([large.cid]);
  assert.equal((await store.put(large.cid, large.bytes, "leaf")).ok, false, "kept ones stay");
  assert.equal(store.use().bytes, 950);
});

Deno.test("TabStore.resize() lets go at once of what is over the new quota, kept blocks last", async () => {
  const values = memoryValues();
  const store = await open(values, 1_000);
  const made = blocks(10);
  store.setKept([made[0]?.cid as Cid]);
  for (const { cid, bytes, kind } of made) await store.put(cid, bytes, kind);
  await store.resize(250);
  assert.equal(await bytesIn(values), 200);
  assert.ok(store.has(made[0]?.cid as Cid));
  await store.resize(50);
  assert.equal(await bytesIn(values), 0);
});

Deno.test("TabStore.get() gives nothing for a block that was damaged, and forgets it", async () => {
  const values = memoryValues();
  const store = await open(values);
  const { cid, bytes } = testBlock("damaged", 500);
  await store.put(cid, bytes, "leaf");
  const [key = ""] = await values.keys();
  await values.setMany([[key, bytes.map((byte) => byte ^ 1)]]);
  assert.equal(await store.get(cid), undefined);
  assert.equal(store.has(cid), false);
  assert.equal(store.use().bytes, 0);
  assert.deepEqual(await store.put(cid, bytes, "leaf"), { ok: true, fresh: true });
});

Deno.test("TabStore.put() is full, and says so, when the browser refuses the bytes", async () => {
  const values = memoryValues();
  let refuses = true;
  const store = await open({
    ...values,
    setMany: (entries) => {
      if (refuses) return Promise.reject(new DOMException("no", "QuotaExceededError"));
      return values.setMany(entries);
    },
  });
  const { cid, bytes } = testBlock("refused", 500);
  assert.equal((await store.put(cid, bytes, "leaf")).ok, false);
  assert.equal(store.has(cid), false);
  assert.deepEqual(store.use(), { blocks: 0, bytes: 0, quotaBytes: 1_000_000, refused: true });
  refuses = false;
  assert.deepEqual(await store.put(cid, bytes, "leaf"), { ok: true, fresh: true });
});

Deno.test("TabStore gathers puts of one moment into few transactions, and shares one of a block", async () => {
  const values = memoryValues();
  let transactions = 0;
  const store = await open({
    ...values,
    setMany: async (entries) => {
      transactions += 1;
      await values.setMany(entries);
    },
  });
  const made = blocks(50);
  const outcomes = await Promise.all(
    [...made, ...made].map(({ cid, bytes }) => store.put(cid, bytes, "leaf")),
  );
  assert.equal(transactions, 2);
  assert.equal(outcomes.filter((outcome) => outcome.ok && outcome.fresh).length, 50);
  assert.equal(store.use().bytes, 5_000);
});

Deno.test("TabStore.clear() leaves nothing behind, not even a put under way", async () => {
  const values = memoryValues();
  const gate = Promise.withResolvers<void>();
  const store = await open({
    ...values,
    setMany: async (entries) => {
      await gate.promise;
      await values.setMany(entries);
    },
  });
  const { cid, bytes } = testBlock("late", 500);
  const put = store.put(cid, bytes, "leaf");
  await store.clear();
  gate.resolve();
  assert.equal((await put).ok, false);
  assert.deepEqual(await values.keys(), []);
  assert.equal(store.use().bytes, 0);
});

async function bytesIn(values: KeyValues): Promise<number> {
  let sum = 0;
  for (const key of await values.keys()) {
    const value = await values.get(key);
    assert.ok(value instanceof Uint8Array);
    sum += value.length;
  }
  return sum;
}

Deno.test("TabStore put() says when what had to make room could not be removed", async () => {
  const values = memoryValues();
  const store = await open({ ...values, delMany: () => Promise.reject(new Error("gone")) }, 1_000);
  const [helps, kept] = [testBlock("helps", 700), testBlock("kept", 700)];
  assert.deepEqual(await store.put(helps.cid, helps.bytes, helps.kind), { ok: true, fresh: true });
  store.keep([kept.cid]);
  await assert.rejects(store.put(kept.cid, kept.bytes, kept.kind), { message: "gone" });
});
