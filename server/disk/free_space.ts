// How much of the disk below a folder Skyring may fill: its capacity is a hard limit, but a disk
// shared with others may have less. The last 5 % are left to the system.

import { statfs } from "node:fs/promises";
import { SkyringError } from "../../shared/base/errors.ts";

const leftToSystem = 0.05;

/** Bytes that may still be written below `folder`. @throws {SkyringError} disk_failed */
export async function freeSpace(folder: string): Promise<number> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return Math.max(0, Math.floor((bavail - blocks * leftToSystem) * bsize));
  } catch (cause) {
    throw new SkyringError("disk_failed", `Cannot measure free space of ${folder}: no answer`, {
      cause,
      data: { folder },
    });
  }
}
