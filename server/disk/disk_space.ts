// Room on the disk: how much is free, what "no room" looks like, and a reserve that is given up
// when there is none, so that deletes (which must write before they free anything) still work.

import { statfsSync } from "node:fs";
import { diskReserveBytes, MiB } from "../../shared/base/limits.ts";
import { removeIfThere } from "./durable_file.ts";

/**
 * Bytes that this user may still write on the file system of `path`.
 * Needs `--allow-sys=statfs`. @throws when the path does not exist or the permission is missing
 */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Whether an error says that the disk or the user's quota is full. @throws never */
export function isDiskFull(thrown: unknown): boolean {
  return hasCode(thrown, ["ENOSPC", "EDQUOT"]);
}

/** Whether an error says that a folder could not be removed because it holds something. */
export function isNotEmpty(thrown: unknown): boolean {
  return hasCode(thrown, ["ENOTEMPTY", "EEXIST"]);
}

/** Whether an error says that too many files are open: it passes. @throws never */
export function isOutOfHandles(thrown: unknown): boolean {
  return hasCode(thrown, ["EMFILE", "ENFILE"]);
}

/** Whether an error says that the disk could not give the bytes back. @throws never */
export function isUnreadable(thrown: unknown): boolean {
  return hasCode(thrown, ["EIO"]);
}

function hasCode(thrown: unknown, codes: readonly string[]): boolean {
  if (!(thrown instanceof Error) || !("code" in thrown)) return false;
  return codes.some((code) => code === thrown.code);
}

/** A file of zeros that stands for room: holding it or giving it up. */
export interface DiskReserve {
  /** True while the room is held. */
  held(): boolean;
  /** Gives the room up, if the disk lets it. @throws disk errors other than a full disk */
  release(): Promise<void>;
  /** Takes the room again. @returns false while the disk is full. @throws other disk errors */
  restore(): Promise<boolean>;
}

/** Where a data folder keeps its blocks, and the reserve beside them. @throws never */
export function blocksFolder(folder: string): string {
  return `${folder}/blocks`;
}

/**
 * Makes room for a start in a data folder that nobody has opened: a disk that others filled must
 * not keep a node down. @throws disk errors other than a full disk
 */
export async function makeRoomToStart(folder: string): Promise<void> {
  if (freeBytes(folder) >= diskReserveBytes) return;
  await giveUp(reservePath(blocksFolder(folder)));
}

/** Where the reserve of a block folder lies. @throws never */
export function reservePath(blocks: string): string {
  return `${blocks}/reserve`;
}

/** The reserve at `path`, taken when there is room. @throws disk errors other than a full disk */
export async function openDiskReserve(path: string): Promise<DiskReserve> {
  let held = await bytesOf(path) === diskReserveBytes;
  const release = async () => {
    held = !await giveUp(path);
  };
  const restore = async () => {
    if (held) return true;
    try {
      await fill(path);
      held = true;
    } catch (thrown) {
      if (!isDiskFull(thrown)) throw thrown;
      await release();
    }
    return held;
  };
  await restore();
  return { held: () => held, release, restore };
}

/** Removes the reserve; false when the disk is too full even for that (copy-on-write systems). */
async function giveUp(path: string): Promise<boolean> {
  try {
    await removeIfThere(path);
    return true;
  } catch (thrown) {
    if (!isDiskFull(thrown)) throw thrown;
    return false;
  }
}

async function fill(path: string): Promise<void> {
  const part = new Uint8Array(1 * MiB);
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for (let done = 0; done < diskReserveBytes;) {
    done += await file.write(part.subarray(0, Math.min(part.length, diskReserveBytes - done)));
  }
}

async function bytesOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return 0;
    throw thrown;
  }
}
