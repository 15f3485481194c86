// What the block store does before it opens: it brings files and rows together after a crash.
//
// Rows are trusted, for they were committed after their files were durable. What can be left over:
// staged files (removed), doomed files (unlinked), and whole files without a row in the folders
// that were being filled last (adopted: entered as held but never verified, so that the scrubber
// looks at them first). Only when there are files and no row at all, because the database was
// lost, every folder is looked through. No block is read. A strange file goes to quarantine.

import { asCid } from "../../shared/base/ids.ts";
import {
  blockBytesMax,
  folderBlocksMax,
  putBatchesMax,
  smallBlockBytesMax,
} from "../../shared/base/limits.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import { codecOf, parseCid } from "../../shared/block/cid.ts";
import {
  type BlockPaths,
  openFolders,
  quarantineFile,
  removeFile,
  removeFolderIfEmpty,
  syncFolder,
} from "./block_folders.ts";
import {
  type BlockEntry,
  deleteDoomed,
  findBlock,
  insertBlock,
  listDoomed,
  readTotals,
} from "./block_index.ts";
import type { Database } from "./database.ts";

interface Recovery {
  readonly database: Database;
  readonly paths: BlockPaths;
  readonly now: () => number;
}

const entriesAtOnce = 500;

/**
 * Brings files and rows together.
 * @returns the folder to fill next, and how many files it has
 * @throws {SkyringError} as Database; disk errors as they are
 */
export async function reconcileBlocks(
  recovery: Recovery,
): Promise<{ place: number; placeBlocks: number }> {
  const { database, paths } = recovery;
  const places = await openFolders(paths);
  await unlinkDoomed(recovery);
  const last = places.slice(-putBatchesMax);
  const suspects = readTotals(database).blocks === 0 ? places : last;
  for (const place of suspects) await adoptFiles(recovery, place);
  for (const place of places) if (!last.includes(place)) await removeFolderIfEmpty(paths, place);
  const place = last.at(-1) ?? 1;
  const placeBlocks = last.length === 0 ? 0 : await countFiles(paths.folder(place));
  return placeBlocks < folderBlocksMax
    ? { place, placeBlocks }
    : { place: place + 1, placeBlocks: 0 };
}

async function unlinkDoomed({ database, paths }: Recovery): Promise<void> {
  while (true) {
    const doomed = listDoomed(database, entriesAtOnce);
    if (doomed.length === 0) return;
    for (const { cid, place } of doomed) {
      if (findBlock(database, cid)?.place === place) continue;
      await removeFile(paths.file(place, cid));
    }
    await database.write(doomed.map(({ cid, place }) => deleteDoomed(cid, place)));
  }
}

async function adoptFiles({ database, paths, now }: Recovery, place: number): Promise<void> {
  const found: BlockEntry[] = [];
  for await (const { name, isFile } of Deno.readDir(paths.folder(place))) {
    if (!isFile || findBlock(database, asCid(name))?.place === place) continue;
    const entry = await judgeFile({ path: `${paths.folder(place)}/${name}`, name, place });
    if (entry === undefined) await quarantineFile(paths, { place, cid: asCid(name) });
    else if (findBlock(database, entry.cid) !== undefined) {
      await removeFile(paths.file(place, entry.cid));
    } else found.push({ ...entry, touchedAt: now(), verifiedAt: 0 });
  }
  if (found.length === 0) return;
  await syncFolder(paths.folder(place));
  for (let start = 0; start < found.length; start += entriesAtOnce) {
    await database.write(found.slice(start, start + entriesAtOnce).map(insertBlock));
  }
}

async function judgeFile(
  file: { readonly path: string; readonly name: string; readonly place: number },
): Promise<Omit<BlockEntry, "touchedAt" | "verifiedAt"> | undefined> {
  const kind = kindByName(file.name);
  const { size: bytes } = await Deno.stat(file.path);
  if (kind === undefined || bytes <= smallBlockBytesMax || bytes > blockBytesMax) return undefined;
  return { cid: asCid(file.name), kind, bytes, place: file.place };
}

function kindByName(name: string): BlockKind | undefined {
  const parsed = parseCid(name);
  if (!parsed.ok) return undefined;
  return codecOf(parsed.cid) === "raw" ? "leaf" : "inner";
}

async function countFiles(folder: string): Promise<number> {
  let count = 0;
  for await (const _ of Deno.readDir(folder)) count++;
  return count;
}
