// The beginning of a start: which identity this node may use, and the number of this start, durable
// in the database and then in the identity file before anything is said to anyone. A database that
// saw fewer starts than the identity file was lost or restored from a backup: its votes are gone,
// so the node takes a new identity (ARCHITECTURE.md, "Agreement", what is on disk and when).

import { type Identity, openIdentity, readStarts, renewIdentity } from "./identity.ts";
import type { Database } from "./database.ts";
import { checkStarts, countStart, forgetAgreement, startsSeen } from "./roster_table.ts";

/** The identity of this start; `renewed` when an older one had to be given up. */
export interface Beginning {
  readonly identity: Identity;
  readonly renewed: boolean;
}

/** Counts this start. @throws {SkyringError} corrupt, disk_failed */
export async function beginStart(folder: string, database: Database): Promise<Beginning> {
  const counted = await readStarts(folder);
  const lost = counted === undefined
    ? startsSeen(database) > 0
    : checkStarts(database, counted.starts) === "new identity";
  if (lost) await forgetAgreement(database);
  const identity = lost ? await renewIdentity(folder) : await begin(folder, counted, database);
  await countStart(database, identity.boot);
  return { identity, renewed: lost };
}

/** The database counts first: a crash in between leaves it ahead, never behind. */
async function begin(
  folder: string,
  counted: { readonly starts: number } | undefined,
  database: Database,
): Promise<Identity> {
  await countStart(database, (counted?.starts ?? 0) + 1);
  return await openIdentity(folder);
}
