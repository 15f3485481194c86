// Reads block files. On this thread while the disk is quick, since handing a read to another
// thread costs several times the read itself when the file is cached, and blocks are small. Reads
// that took long send the next ones aside, so that a slow disk never holds up the node: a few in
// a row, or one very long, since one alone may as well have waited for a processor.

import { SkyringError } from "../../shared/base/errors.ts";
import {
  readsAsideCount,
  readSlowMs,
  readsSlowMax,
  readStallMs,
} from "../../shared/base/limits.ts";

/** A file to read: `bytes` is what it must have, `headroom` is left free before them. */
export interface FileToRead {
  readonly path: string;
  readonly bytes: number;
  readonly headroom: number;
}

/** Reads of one store. */
export interface BlockReader {
  /**
   * A file's bytes behind the headroom; undefined when there is no such file.
   * @throws {SkyringError} corrupt when it has another length; the disk's own errors
   */
  read(file: FileToRead): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** A reader that measures its disk as it reads. `now` in milliseconds. @throws never */
export function createBlockReader(options: { readonly now: () => number }): BlockReader {
  let aside = 0;
  let slowInARow = 0;
  const note = (tookMs: number) => {
    slowInARow = tookMs > readSlowMs ? slowInARow + 1 : 0;
    if (slowInARow <= readsSlowMax && tookMs <= readStallMs) return;
    aside = readsAsideCount;
    slowInARow = 0;
  };
  return {
    read: async (file) => {
      if (aside > 0) {
        aside--;
        return await readAside(file);
      }
      const startedAt = options.now();
      try {
        return readHere(file);
      } finally {
        note(options.now() - startedAt); // of a failing disk too
      }
    },
  };
}

function readHere(file: FileToRead): Uint8Array<ArrayBuffer> | undefined {
  let opened: Deno.FsFile;
  try {
    opened = Deno.openSync(file.path);
  } catch (thrown) {
    return noneIfMissing(thrown);
  }
  using source = opened;
  const room = roomFor(file);
  let end = file.headroom;
  while (end < room.length) {
    const count = source.readSync(room.subarray(end));
    if (count === null) break;
    end += count;
  }
  return whole(file, { room, end });
}

async function readAside(file: FileToRead): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let opened: Deno.FsFile;
  try {
    opened = await Deno.open(file.path);
  } catch (thrown) {
    return noneIfMissing(thrown);
  }
  using source = opened;
  const room = roomFor(file);
  let end = file.headroom;
  while (end < room.length) {
    const count = await source.read(room.subarray(end));
    if (count === null) break;
    end += count;
  }
  return whole(file, { room, end });
}

/** One byte more than expected, so that a file that is too long shows itself. */
function roomFor({ headroom, bytes }: FileToRead): Uint8Array<ArrayBuffer> {
  return new Uint8Array(headroom + bytes + 1);
}

function whole(
  file: FileToRead,
  read: { readonly room: Uint8Array<ArrayBuffer>; readonly end: number },
): Uint8Array<ArrayBuffer> {
  const { room, end } = read;
  if (end === room.length - 1) return room.subarray(0, end);
  const { path, bytes } = file;
  throw new SkyringError("corrupt", `Cannot read ${path}: it has not ${bytes} bytes`, {
    data: { file: path, bytes },
  });
}

function noneIfMissing(thrown: unknown): undefined {
  if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
}
