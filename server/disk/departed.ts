// A data folder whose node has left for good. The mark is the last thing that a leaver writes; the
// next start finds it and empties the folder before it opens anything, so that a new node begins
// there: identity, database and blocks go, the group's secret and the token stay.
//
// Invariant: the mark goes last, so a crash while the folder is emptied only repeats the work.

import { join } from "node:path";
import { SkyringError } from "../../shared/base/errors.ts";
import { readIfThere, removeIfThere, syncFolder, writeDurably } from "./durable_file.ts";

const markFile = "left";
const emptied = ["skyring.db", "skyring.db-wal", "skyring.db-shm", "blocks", "identity"];

/** Marks the folder: its node `id` has left. Durable when resolved. @throws {SkyringError} */
export async function markDeparted(folder: string, id: string): Promise<void> {
  const text = `${JSON.stringify({ version: 1, left: id })}\n`;
  await writeDurably(join(folder, markFile), new TextEncoder().encode(text), { mode: 0o600 });
}

/**
 * Empties a folder that is marked; call while holding its lock, before anything is opened.
 * @returns whether it was. @throws {SkyringError} disk_failed
 */
export async function emptyIfDeparted(folder: string): Promise<boolean> {
  if (await readIfThere(join(folder, markFile)) === undefined) return false;
  try {
    for (const name of [...emptied, markFile]) {
      await removeIfThere(join(folder, name), { recursive: true });
      await syncFolder(folder);
    }
  } catch (cause) {
    throw new SkyringError("disk_failed", `Cannot empty ${folder}: the disk refused`, {
      cause,
      data: { folder },
    });
  }
  return true;
}
