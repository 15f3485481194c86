// The file store keeps the block store's contract, bare and behind its wrapper.

import { openBlockFiles } from "../../server/disk/block_files.ts";
import { blockMigrations } from "../../server/disk/block_index.ts";
import { openDatabase } from "../../server/disk/database.ts";
import { createVerifiedStore } from "../../server/disk/verified_store.ts";
import { type OpenStore, testBlockStore } from "./block_store_contract.ts";

const open: OpenStore = async ({ capacityBytes, metadataRoomBytes }) => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/skyring.db`;
  const database = await openDatabase({ path, migrations: [blockMigrations] });
  const { database: databaseBytes, wal } = database.sizeBytes();
  const clock = { at: 1_000 };
  const store = await openBlockFiles({
    database,
    root: `${folder}/blocks`,
    capacityBytes,
    metadataBytesMax: databaseBytes + wal + metadataRoomBytes,
    now: () => clock.at,
  });
  const close = async () => {
    await store.stop();
    await database.stop();
    await Deno.remove(folder, { recursive: true });
  };
  return { store, clock, close };
};

testBlockStore("file store", open);
testBlockStore("verified file store", async (settings) => {
  const under = await open(settings);
  return { ...under, store: createVerifiedStore(under.store) };
});
