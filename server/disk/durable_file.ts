// Small files that must be whole after any crash: written beside their place, synced, renamed
// over it, and the folder synced. A reader sees the old bytes or the new ones, never a mix.

import { dirname } from "node:path";
import { SkyringError } from "../../shared/base/errors.ts";

/** Replaces a file durably. `mode` as in chmod. @throws {SkyringError} disk_failed */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  options: { readonly mode: number },
): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await removeIfThere(temporary);
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: options.mode });
    try {
      await writeAll(file, bytes);
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw new SkyringError("disk_failed", `Cannot write ${path}: the disk refused`, {
      cause,
      data: { path },
    });
  }
}

/** Makes entries of a folder durable. @throws as the system does */
export async function syncFolder(path: string): Promise<void> {
  const folder = await Deno.open(path, { read: true });
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

/** The bytes of a file, or undefined when there is none. @throws {SkyringError} disk_failed */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new SkyringError("disk_failed", `Cannot read ${path}: the disk refused`, {
      cause,
      data: { path },
    });
  }
}

/** Removes what lies at a path; false when nothing does. @throws other disk errors */
export async function removeIfThere(
  path: string,
  options: Deno.RemoveOptions = {},
): Promise<boolean> {
  try {
    await Deno.remove(path, options);
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
