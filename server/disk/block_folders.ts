// Files and folders of the block store: where a block's file lies and how it gets there.
//
//   blocks/staging/17           being written; emptied at each start
//   blocks/000001/<cid>         held; a folder takes some thousand files, then the next begins
//   blocks/quarantine/<cid>     did not match its CID; kept for inspection, never served
//
// Folders are filled one after the other, not by hash: so a batch of blocks needs one directory
// sync, and after a crash only the last folders can hold a file without a row. A file gets its
// final name only after its bytes are synced: under a final name no file is ever half written.

import { SkyringError } from "../../shared/base/errors.ts";
import { quarantinedBlocksMax } from "../../shared/base/limits.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { isNotEmpty } from "./disk_space.ts";
import { removeIfThere } from "./durable_file.ts";

/** Paths of one block store. @throws never */
export function createBlockPaths(root: string) {
  return {
    root,
    staging: `${root}/staging`,
    quarantine: `${root}/quarantine`,
    folder: (place: number) => `${root}/${String(place).padStart(6, "0")}`,
    file: (place: number, cid: Cid) => `${root}/${String(place).padStart(6, "0")}/${cid}`,
    quarantined: (cid: Cid) => `${root}/quarantine/${cid}`,
  };
}

export type BlockPaths = ReturnType<typeof createBlockPaths>;

/** Makes the fixed folders, empties staging and lists the numbered folders, lowest first. */
export async function openFolders(paths: BlockPaths): Promise<number[]> {
  await Deno.mkdir(paths.quarantine, { recursive: true });
  await Deno.mkdir(paths.staging, { recursive: true });
  await syncFolder(`${paths.root}/..`);
  for await (const { name } of Deno.readDir(paths.staging)) {
    await Deno.remove(`${paths.staging}/${name}`, { recursive: true });
  }
  const places: number[] = [];
  for await (const { name, isDirectory } of Deno.readDir(paths.root)) {
    if (isDirectory && /^\d{6,}$/.test(name)) places.push(Number(name));
  }
  return places.sort((a, b) => a - b);
}

/** Makes a numbered folder and syncs its name. @throws disk errors */
export async function makeFolder(paths: BlockPaths, place: number): Promise<void> {
  await Deno.mkdir(paths.folder(place), { recursive: true });
  await syncFolder(paths.root);
}

/** Writes and syncs a new file. @throws disk errors; `SyncFailed` when the sync failed */
export async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  try {
    await file.syncData();
  } catch (thrown) {
    throw new SyncFailed(path, thrown);
  }
}

/** Makes names in a folder durable. @throws SyncFailed */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch (thrown) {
    throw new SyncFailed(path, thrown);
  }
}

/** The kernel may have dropped what it could not write: nothing may be tried again. */
export class SyncFailed extends SkyringError {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super("disk_failed", `Cannot sync ${path}: ${reason}`, { data: { file: path }, cause });
  }
}

/** Removes a file; false when there was none. @throws other disk errors */
export async function removeFile(path: string): Promise<boolean> {
  return await removeIfThere(path);
}

/** Whether something lies at a path. @throws disk errors other than not found */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** Removes a numbered folder if it is empty; a full one stays. @throws other disk errors */
export async function removeFolderIfEmpty(paths: BlockPaths, place: number): Promise<void> {
  try {
    await removeIfThere(paths.folder(place));
  } catch (thrown) {
    if (!isNotEmpty(thrown)) throw thrown;
  }
}

/** Moves a block's file out of sight; false when there was none. @throws other disk errors */
export async function quarantineFile(
  paths: BlockPaths,
  block: { readonly place: number; readonly cid: Cid },
): Promise<boolean> {
  try {
    await Deno.rename(paths.file(block.place, block.cid), paths.quarantined(block.cid));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
  await pruneQuarantine(paths);
  return true;
}

/** Keeps the newest of the quarantined files. @throws disk errors */
export async function pruneQuarantine(paths: BlockPaths): Promise<void> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(paths.quarantine)) names.push(name);
  if (names.length <= quarantinedBlocksMax) return;
  const dated = await Promise.all(names.map(async (name) => {
    const { ctime } = await Deno.stat(`${paths.quarantine}/${name}`);
    return { name, at: ctime?.getTime() ?? 0 };
  }));
  dated.sort((a, b) => a.at - b.at);
  for (const { name } of dated.slice(0, names.length - quarantinedBlocksMax)) {
    await removeFile(`${paths.quarantine}/${name}`);
  }
}
