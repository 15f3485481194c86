// The file store beyond its contract: what it makes of leftovers, losses and bad bytes on disk.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import {
  diskReserveBytes,
  folderBlocksMax,
  KiB,
  MiB,
  quarantinedBlocksMax,
} from "../../../../shared/base/limits.ts";
import { type BlockFiles, openBlockFiles } from "../../../../server/disk/block_files.ts";
import { createBlockPaths, openFolders } from "../../../../server/disk/block_folders.ts";
import { blockMigrations, deleteBlock, findBlock } from "../../../../server/disk/block_index.ts";
import { createBlockWriter } from "../../../../server/disk/block_writer.ts";
import { type Database, openDatabase } from "../../../../server/disk/database.ts";
import { createVerifiedStore, getVerified } from "../../../../server/disk/verified_store.ts";
import { type TestBlock, testBlock } from "../../../contract/block_fixture.ts";

interface Opened {
  readonly store: BlockFiles;
  readonly database: Database;
}

async function open(folder: string): Promise<Opened> {
  const database = await openDatabase({
    path: `${folder}/skyring.db`,
    migrations: [blockMigrations],
  });
  const store = await openBlockFiles({
    database,
    root: `${folder}/blocks`,
    capacityBytes: 256 * MiB,
    now: () => 5_000,
  });
  return { store, database };
}

async function close({ store, database }: Opened): Promise<void> {
  await store.stop();
  await database.stop();
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** One start to stop of the store on a folder. */
async function during(folder: string, use: (opened: Opened) => Promise<void>): Promise<void> {
  const opened = await open(folder);
  try {
    await use(opened);
  } finally {
    await close(opened);
  }
}

const put = (store: BlockFiles, { cid, bytes, kind }: TestBlock) => store.put(cid, bytes, kind);
const large = (seed: number) => testBlock(seed, 64 * KiB);
const small = (seed: number) => testBlock(seed, 1 * KiB);

function hasCode(code: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof SkyringError && thrown.code === code;
}

async function names(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(path)) found.push(name);
  return found.sort();
}

Deno.test("openBlockFiles() finds everything again after a clean stop", () =>
  inFolder(async (folder) => {
    const blocks = [large(1), small(2), testBlock(3, 40 * KiB, "inner")];
    let before: unknown;
    await during(folder, async ({ store }) => {
      for (const block of blocks) await put(store, block);
      await put(store, small(4));
      await store.remove(small(4).cid);
      const { blocks: count, blockBytes } = store.use();
      before = [count, blockBytes, store.list(undefined, 10)];
    });
    await during(folder, async ({ store }) => {
      const { blocks: count, blockBytes } = store.use();
      assert.deepEqual([count, blockBytes, store.list(undefined, 10)], before);
      for (const { cid, bytes } of blocks) assert.deepEqual(await store.get(cid), bytes);
      // Ids of small blocks are not used twice.
      assert.deepEqual(await put(store, small(5)), { ok: true, fresh: true });
      assert.deepEqual(await store.get(small(2).cid), small(2).bytes);
    });
  }));

Deno.test("openBlockFiles() clears up what a crash leaves", () =>
  inFolder(async (folder) => {
    const root = `${folder}/blocks`;
    await during(folder, async ({ store, database }) => {
      for (const seed of [1, 2]) await put(store, large(seed));
      // A removal that was cut off: the row is gone, the file is not.
      await database.write(deleteBlock(large(2).cid, 1));
    });
    await Deno.writeFile(`${root}/staging/7`, new Uint8Array(10));
    await Deno.writeFile(`${root}/000001/${large(3).cid}`, large(3).bytes);
    await Deno.writeFile(`${root}/000001/stranger`, large(4).bytes);
    await Deno.writeFile(`${root}/000001/${large(5).cid}`, new Uint8Array(5));
    await during(folder, async ({ store }) => {
      assert.deepEqual(await names(`${root}/staging`), []);
      assert.deepEqual(await names(`${root}/000001`), [large(1).cid, large(3).cid].sort());
      assert.deepEqual(await names(`${root}/quarantine`), [large(5).cid, "stranger"].sort());
      assert.equal(store.has(large(2).cid), false);
      assert.deepEqual(await store.get(large(3).cid), large(3).bytes);
      const adopted = store.list(undefined, 10).find(({ cid }) => cid === large(3).cid);
      assert.deepEqual([adopted?.touchedAt, adopted?.verifiedAt], [5_000, 0]);
    });
  }));

Deno.test("openBlockFiles() takes up every file again when the database is lost", () =>
  inFolder(async (folder) => {
    const blocks = Array.from({ length: 20 }, (_, seed) => large(seed));
    await during(folder, async ({ store }) => {
      await Promise.all(blocks.map((block) => put(store, block)));
    });
    await Deno.remove(`${folder}/skyring.db`);
    // Older folders are looked through as well.
    await Deno.rename(`${folder}/blocks/000001`, `${folder}/blocks/000003`);
    for (const place of [5, 8]) await Deno.mkdir(`${folder}/blocks/00000${place}`);
    await during(folder, async ({ store }) => {
      assert.equal(store.use().blocks, blocks.length);
      for (const { cid, bytes } of blocks) assert.deepEqual(await store.get(cid), bytes);
    });
  }));

Deno.test("get() of a block whose file is short, long or gone is corrupt", () =>
  inFolder((folder) =>
    during(folder, async ({ store }) => {
      const path = ({ cid }: TestBlock) => `${folder}/blocks/000001/${cid}`;
      for (const seed of [1, 2, 3]) await put(store, large(seed));
      await Deno.truncate(path(large(1)), 64 * KiB - 1);
      await Deno.writeFile(path(large(2)), new Uint8Array(1), { append: true });
      await Deno.remove(path(large(3)));
      for (const seed of [1, 2, 3]) {
        await assert.rejects(store.get(large(seed).cid), hasCode("corrupt"));
        if (seed > 1) await store.quarantine(large(seed).cid);
        assert.equal(store.has(large(seed).cid), seed === 1);
        assert.deepEqual(await put(store, large(seed)), { ok: true, fresh: true });
        assert.deepEqual(await store.get(large(seed).cid), large(seed).bytes);
      }
      // The whole folder gone is not the fault of the blocks: none may be given up for it.
      await Deno.rename(`${folder}/blocks`, `${folder}/elsewhere`);
      await assert.rejects(store.get(large(1).cid), hasCode("disk_failed"));
      assert.equal(store.has(large(1).cid), true);
      await Deno.rename(`${folder}/elsewhere`, `${folder}/blocks`);
    })
  ));

Deno.test("getVerified() never returns wrong bytes and quarantines the block", () =>
  inFolder((folder) =>
    during(folder, async ({ store, database }) => {
      const flipped = large(1).bytes.slice();
      flipped[40_000] = (flipped[40_000] ?? 0) ^ 1;
      for (const block of [large(1), small(1), large(2)]) await put(store, block);
      await Deno.writeFile(`${folder}/blocks/000001/${large(1).cid}`, flipped);
      const id = -(findBlock(database, small(1).cid)?.place ?? 0);
      await database.write([{
        sql: "UPDATE small_blocks SET bytes = ? WHERE id = ?",
        params: [new Uint8Array(1 * KiB), id],
      }]);
      const verified = createVerifiedStore(store);
      for (const { cid } of [large(1), small(1)]) {
        await assert.rejects(verified.get(cid), hasCode("corrupt"));
        assert.equal(store.has(cid), false);
        assert.equal(await verified.get(cid), undefined);
      }
      assert.deepEqual(await Deno.readFile(`${folder}/blocks/quarantine/${large(1).cid}`), flipped);
      assert.deepEqual(await getVerified(store, large(2).cid), large(2).bytes);
    })
  ));

Deno.test("getWithHeadroom() leaves room before the bytes", () =>
  inFolder((folder) =>
    during(folder, async ({ store }) => {
      for (const block of [large(1), small(1), testBlock(1, 0)]) {
        await put(store, block);
        const room = await store.getWithHeadroom(block.cid, 12);
        assert.equal(room?.length, 12 + block.bytes.length);
        assert.deepEqual(room?.slice(12), block.bytes);
      }
      assert.equal(await store.getWithHeadroom(small(9).cid, 12), undefined);
    })
  ));

Deno.test("put() answers busy when too many bytes wait, and stopped after stop()", () =>
  inFolder(async (folder) => {
    const opened = await open(folder);
    const blocks = Array.from({ length: 80 }, (_, seed) => testBlock(seed, 1 * MiB));
    const outcomes = await Promise.allSettled(blocks.map((block) => put(opened.store, block)));
    const refused = outcomes.filter(({ status }) => status === "rejected");
    assert.equal(refused.length, 16);
    for (const each of refused) {
      assert.ok(each.status === "rejected" && hasCode("busy")(each.reason));
    }
    assert.equal(opened.store.use().blocks, 64);
    const last = put(opened.store, large(1));
    await close(opened);
    assert.deepEqual(await last, { ok: true, fresh: true });
    await assert.rejects(put(opened.store, large(2)), hasCode("stopped"));
  }));

Deno.test("createBlockWriter() begins the next folder when one has enough files", () =>
  inFolder(async (folder) => {
    const paths = createBlockPaths(`${folder}/blocks`);
    await openFolders(paths);
    const path = `${folder}/skyring.db`;
    const database = await openDatabase({ path, migrations: [blockMigrations] });
    const writer = createBlockWriter({
      paths,
      database,
      place: 7,
      placeBlocks: folderBlocksMax - 20,
      onFailed: (error) => assert.fail(error),
    });
    const blocks = Array.from({ length: 40 }, (_, seed) => large(seed));
    await Promise.all(blocks.map((block) => writer.write({ ...block, at: 1 })));
    const [first, second] = [await names(paths.folder(7)), await names(paths.folder(8))];
    assert.ok(first.length > 0 && first.length <= 20, `${first.length} files in the first`);
    assert.equal(first.length + second.length, 40);
    await writer.idle();
    await database.stop();
    await during(folder, ({ store }) => {
      assert.equal(store.use().blocks, 40);
      return Promise.resolve();
    });
  }));

Deno.test("quarantine() keeps a bounded number of blocks", () =>
  inFolder((folder) =>
    during(folder, async ({ store }) => {
      const blocks = Array.from({ length: quarantinedBlocksMax + 5 }, (_, seed) => small(seed));
      const bytes = small(-1).bytes;
      await Promise.all(blocks.map((block) => put(store, { ...block, bytes })));
      for (const { cid } of blocks) await store.quarantine(cid);
      assert.equal((await names(`${folder}/blocks/quarantine`)).length, quarantinedBlocksMax);
    })
  ));

Deno.test("openBlockFiles() holds a reserve on disk", () =>
  inFolder((folder) =>
    during(folder, async () => {
      assert.equal((await Deno.stat(`${folder}/blocks/reserve`)).size, diskReserveBytes);
    })
  ));
