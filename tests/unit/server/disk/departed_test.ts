// A folder whose node left is emptied at its next start, also when that start is broken off; and a
// capacity that was given stays until the settings say otherwise.

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  capacityAtStart,
  capacityMigrations,
  putCapacity,
} from "../../../../server/disk/capacity_row.ts";
import { openDatabase } from "../../../../server/disk/database.ts";
import { emptyIfDeparted, markDeparted } from "../../../../server/disk/departed.ts";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

async function fill(folder: string): Promise<void> {
  await Deno.mkdir(join(folder, "blocks", "1"), { recursive: true });
  await Deno.writeTextFile(join(folder, "blocks", "1", "x"), "x");
  for (const name of ["skyring.db", "skyring.db-wal", "identity", "secret", "token"]) {
    await Deno.writeTextFile(join(folder, name), name);
  }
}

Deno.test("emptyIfDeparted() keeps a folder whose node did not leave", () =>
  inFolder(async (folder) => {
    await fill(folder);
    const before = await namesIn(folder);
    assert.equal(await emptyIfDeparted(folder), false);
    assert.deepEqual(await namesIn(folder), before);
  }));

Deno.test("emptyIfDeparted() empties a marked folder but for secret and token", () =>
  inFolder(async (folder) => {
    await fill(folder);
    await markDeparted(folder, "12D3KooWA");
    assert.equal(await emptyIfDeparted(folder), true);
    assert.deepEqual(await namesIn(folder), ["secret", "token"]);
    assert.equal(await emptyIfDeparted(folder), false, "once");
  }));

Deno.test("emptyIfDeparted() goes on where a broken-off start left", () =>
  inFolder(async (folder) => {
    await fill(folder);
    await markDeparted(folder, "12D3KooWA");
    await Deno.remove(join(folder, "skyring.db"));
    await Deno.remove(join(folder, "identity"));
    assert.equal(await emptyIfDeparted(folder), true);
    assert.deepEqual(await namesIn(folder), ["secret", "token"]);
  }));

Deno.test("capacityAtStart() keeps a given capacity until the settings say otherwise", () =>
  inFolder(async (folder) => {
    const path = join(folder, "db");
    const database = await openDatabase({ path, migrations: [capacityMigrations] });
    try {
      assert.equal(capacityAtStart(database, 100), 100);
      await database.write([putCapacity(60, 100)]);
      assert.equal(capacityAtStart(database, 100), 60, "the same command run again");
      assert.equal(capacityAtStart(database, 80), 80, "another word of the settings");
      await database.write([putCapacity(200, 100)]);
      assert.equal(capacityAtStart(database, 100), 200);
    } finally {
      await database.stop();
    }
  }));
