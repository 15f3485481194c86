// Room on the disk: what is free, what a full disk looks like, the reserve.

import assert from "node:assert/strict";
import { diskReserveBytes } from "../../../../shared/base/limits.ts";
import { createBlockPaths, removeFolderIfEmpty } from "../../../../server/disk/block_folders.ts";
import { freeBytes, isDiskFull, openDiskReserve } from "../../../../server/disk/disk_space.ts";

Deno.test("freeBytes() is what the file system says", async () => {
  const folder = await Deno.makeTempDir();
  const free = freeBytes(folder);
  assert.ok(Number.isSafeInteger(free) && free > 0);
  await Deno.remove(folder);
  assert.throws(() => freeBytes(folder));
});

Deno.test("isDiskFull() knows a real full disk and nothing else", async () => {
  // Linux has a device that is always full.
  const full = await Deno.writeFile("/dev/full", new Uint8Array(1), { create: false })
    .then(() => undefined, (thrown) => thrown);
  if (Deno.build.os === "linux") assert.equal(isDiskFull(full), true);
  const missing = await Deno.readFile("/none/of/it").catch((thrown) => thrown);
  assert.equal(isDiskFull(missing), false);
  assert.equal(isDiskFull("os error 28"), false);
});

Deno.test("DiskReserve gives its room up and takes it again", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/reserve`;
  const reserve = await openDiskReserve(path);
  assert.equal((await Deno.stat(path)).size, diskReserveBytes);
  await reserve.release();
  await reserve.release();
  assert.equal(reserve.held(), false);
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  assert.equal(await reserve.restore(), true);
  assert.equal(reserve.held(), true);
  // One cut short by a crash is filled again.
  await Deno.truncate(path, 5);
  assert.equal((await openDiskReserve(path)).held(), true);
  assert.equal((await Deno.stat(path)).size, diskReserveBytes);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("DiskReserve release() says when the room stays taken, and holds it then", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/reserve`;
  const reserve = await openDiskReserve(path);
  await Deno.remove(path);
  await Deno.mkdir(`${path}/in the way`, { recursive: true });
  await assert.rejects(reserve.release(), { code: "ENOTEMPTY" });
  assert.equal(reserve.held(), true);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("removeFolderIfEmpty() leaves a folder in use, and tells of any other refusal", async () => {
  const folder = await Deno.makeTempDir();
  const paths = createBlockPaths(folder);
  await Deno.mkdir(paths.folder(1));
  await Deno.writeTextFile(`${paths.folder(1)}/block`, "");
  await removeFolderIfEmpty(paths, 1);
  assert.ok((await Deno.stat(paths.folder(1))).isDirectory);
  await Deno.remove(`${paths.folder(1)}/block`);
  await removeFolderIfEmpty(paths, 1);
  await removeFolderIfEmpty(paths, 1);
  await assert.rejects(Deno.stat(paths.folder(1)), Deno.errors.NotFound);
  await Deno.writeTextFile(`${folder}/file`, "");
  await assert.rejects(removeFolderIfEmpty(createBlockPaths(`${folder}/file`), 1));
  await Deno.remove(folder, { recursive: true });
});
