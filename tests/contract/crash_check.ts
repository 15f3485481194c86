// What must hold of a folder after any crash of crash_child.ts: its answers are kept, nothing half
// written shows, and the sums are right.

import assert from "node:assert/strict";
import { openBlockFiles } from "../../server/disk/block_files.ts";
import { blockMigrations } from "../../server/disk/block_index.ts";
import { openDatabase } from "../../server/disk/database.ts";
import { matches } from "../../server/disk/verified_store.ts";
import { GiB } from "../../shared/base/limits.ts";
import { testBlock } from "./block_fixture.ts";
import { sizeOfSeed } from "./crash_child.ts";

/** What a child said before it ended: the last word on each seed. */
export function lastWords(output: string): Map<number, string> {
  const words = new Map<number, string>();
  // A line cut by the kill was not said.
  for (const line of output.slice(0, output.lastIndexOf("\n") + 1).split("\n")) {
    const [word, seed] = line.split(" ");
    if (word !== undefined && seed !== undefined) words.set(Number(seed), word);
  }
  return words;
}

/**
 * Opens the folder as the next start would and checks every block against what was said.
 * @returns how many blocks are held
 */
export async function checkFolder(
  folder: string,
  said: ReadonlyMap<number, string>,
): Promise<number> {
  const database = await openDatabase({
    path: `${folder}/skyring.db`,
    migrations: [blockMigrations],
  });
  const root = `${folder}/blocks`;
  const store = await openBlockFiles({
    database,
    root,
    capacityBytes: GiB,
    now: () => Date.now(),
  });
  try {
    for (const [seed, word] of said) {
      const { cid, bytes } = testBlock(seed, sizeOfSeed(seed));
      if (word === "ok") {
        assert.deepEqual(await store.get(cid), bytes, `block ${seed} was promised`);
      }
      if (word === "gone") assert.equal(store.has(cid), false, `block ${seed} was removed`);
    }
    const held = store.list(undefined, 1_000_000);
    for (const { cid, bytes } of held) {
      const read = await store.get(cid);
      assert.ok(read !== undefined && read.length === bytes && matches(cid, read), "half a block");
    }
    const sum = held.reduce((total, { bytes }) => total + bytes, 0);
    assert.deepEqual([store.use().blocks, store.use().blockBytes], [held.length, sum]);
    await checkFiles(root, new Set(held.map(({ cid }) => cid as string)));
    return held.length;
  } finally {
    await store.stop();
    await database.stop();
  }
}

/** No file without a row, nothing left in staging or quarantine. */
async function checkFiles(root: string, held: ReadonlySet<string>): Promise<void> {
  for await (const { name: folder, isDirectory } of Deno.readDir(root)) {
    if (!isDirectory) continue;
    for await (const { name } of Deno.readDir(`${root}/${folder}`)) {
      assert.ok(/^\d+$/.test(folder) && held.has(name), `${folder}/${name} is left over`);
    }
  }
}
