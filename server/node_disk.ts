// The disk of a node, opened: one database, the block store over it, and the identity of this
// start. Opened first and stopped last; whatever fails to sync ends the node.

import { join } from "node:path";
import { SkyringError } from "../shared/base/errors.ts";
import { addressMigrations } from "./disk/address_book.ts";
import { type BlockFiles, openBlockFiles } from "./disk/block_files.ts";
import { capacityAtStart, capacityMigrations } from "./disk/capacity_row.ts";
import { blockMigrations } from "./disk/block_index.ts";
import { catalogMigrations } from "./disk/catalog_table.ts";
import { type Database, openDatabase } from "./disk/database.ts";
import { emptyIfDeparted } from "./disk/departed.ts";
import { blocksFolder, freeBytes } from "./disk/disk_space.ts";
import type { Identity } from "./disk/identity.ts";
import { registerMigrations } from "./disk/register_rows.ts";
import { rosterMigrations } from "./disk/roster_table.ts";
import { startMarkMigrations } from "./disk/start_marks.ts";
import { beginStart } from "./disk/start_count.ts";
import { goodbyeMigrations } from "./engine/goodbyes.ts";
import { jobMigrations } from "./engine/jobs.ts";
import { clockMigrations } from "./engine/records.ts";
import type { Log } from "./log.ts";

export interface NodeDisk {
  readonly database: Database;
  readonly blocks: BlockFiles;
  readonly identity: Identity;
  stop(): Promise<void>;
}

export interface NodeDiskOptions {
  readonly folder: string;
  /** Asked-for capacity; the disk's free bytes bound it. */
  readonly capacityBytes: number;
  readonly now: () => number;
  readonly log: Log;
  /** A write or sync failed: the node must end. */
  readonly onFailed: (error: SkyringError) => void;
}

/** Share of the disk's free bytes that a node never promises to fill. */
const diskReserveShare = 0.05;

/** Opens everything under a locked data folder. @throws {SkyringError} corrupt, disk_failed */
export async function openNodeDisk(options: NodeDiskOptions): Promise<NodeDisk> {
  const { folder, onFailed, now, log } = options;
  if (await emptyIfDeparted(folder)) log.warn("folder_emptied", { folder, why: "its node left" });
  const database = await openDatabase({
    path: join(folder, "skyring.db"),
    migrations: [
      blockMigrations,
      catalogMigrations,
      rosterMigrations,
      registerMigrations,
      addressMigrations,
      startMarkMigrations,
      goodbyeMigrations,
      clockMigrations,
      capacityMigrations,
      jobMigrations,
    ],
    onFailed,
  });
  try {
    const { identity, renewed } = await beginStart(folder, database);
    if (renewed) log.warn("identity_renewed", { id: identity.id, why: "the database lost votes" });
    const root = blocksFolder(folder);
    const blocks = await openBlockFiles({
      ...{ database, root, now, onFailed },
      capacityBytes: capacityAtStart(database, options.capacityBytes),
    });
    boundCapacity(blocks, options);
    const stop = async () => {
      await blocks.stop();
      await database.stop();
    };
    return { database, blocks, identity, stop };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** Most that a node can offer on its disk, in bytes. @throws as statfs */
export function possibleCapacity(blocks: Pick<BlockFiles, "use">, folder: string): number {
  const room = Math.floor(freeBytes(folder) * (1 - diskReserveShare));
  return blocks.use().blockBytes + room;
}

/** Never more than the disk has: free bytes less a reserve, beside what is stored already. */
function boundCapacity(blocks: BlockFiles, options: NodeDiskOptions): void {
  const asked = blocks.use().capacityBytes;
  const possible = possibleCapacity(blocks, options.folder);
  if (possible >= asked) return;
  blocks.resize(possible);
  options.log.warn("capacity_bounded", { asked, possible });
}
