// Makes large blocks durable, many at a time. While one batch syncs its files another commits its
// rows; blocks that come meanwhile wait and go together into the next.
//
//   staged and synced (in parallel) -> final names -> folder synced -> rows committed -> answered
//
// Invariants: a block is answered ok only after all five; a crash before leaves a staged file
// (emptied at the next start) or a whole file without a row (adopted then); a full disk refuses
// the blocks concerned and no others; a failed sync ends the writer: nothing is tried again.

import { SkyringError } from "../../shared/base/errors.ts";
import { folderBlocksMax, putBatchBlocks, putBatchesMax } from "../../shared/base/limits.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import type { Cid } from "../../shared/base/ids.ts";
import {
  type BlockPaths,
  makeFolder,
  removeFile,
  syncFolder,
  writeSynced,
} from "./block_folders.ts";
import { insertBlock } from "./block_index.ts";
import type { Database } from "./database.ts";
import { isDiskFull, isOutOfHandles } from "./disk_space.ts";

export interface WriterOptions {
  readonly paths: BlockPaths;
  readonly database: Database;
  /** The folder to fill first, and how many files it has. */
  readonly place: number;
  readonly placeBlocks: number;
  /** Called once, before the blocks concerned reject: the node must stop. */
  readonly onFailed: (error: SkyringError) => void;
}

export interface BlockToWrite {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  readonly kind: BlockKind;
  readonly at: number;
}

export interface BlockWriter {
  /** True once durable, false when the disk is full. @throws {SkyringError} disk_failed */
  write(block: BlockToWrite): Promise<boolean>;
  /** Resolves when nothing is under way. Never throws. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly block: BlockToWrite;
  readonly resolve: (durable: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** A writer that makes its first folder when it is needed. @throws never */
export function createBlockWriter(options: WriterOptions): BlockWriter {
  const waiting: Waiting[] = [];
  const underWay = new Set<Promise<void>>();
  const folder = createFolderFiller(options);
  let staged = 0;
  let failed: SkyringError | undefined;

  const fail = (thrown: unknown): SkyringError => {
    if (failed !== undefined) return failed;
    failed = thrown instanceof SkyringError ? thrown : diskFailed(thrown);
    options.onFailed(failed);
    for (const each of waiting.splice(0)) each.reject(failed);
    return failed;
  };

  const runBatch = async (batch: readonly Waiting[]): Promise<void> => {
    // All of them end before anything is judged: none may go on behind our back.
    const results = await Promise.allSettled(
      batch.map((each) => stage(each, `${options.paths.staging}/${staged++}`)),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
    const ready = batch.flatMap((each, index) => {
      const result = results[index];
      const path = result?.status === "fulfilled" ? result.value : undefined;
      return path === undefined ? [] : [{ ...each, path }];
    });
    if (ready.length === 0) return;
    const named = await nameAll({ options, ready, place: () => folder.take(ready.length) });
    for (const each of ready) each.resolve(named);
  };

  const start = () => {
    while (waiting.length > 0 && underWay.size < putBatchesMax && failed === undefined) {
      const batch = waiting.splice(0, putBatchBlocks);
      const run = runBatch(batch).catch((thrown) => {
        const error = isHarmless(thrown) ? thrown : fail(thrown);
        for (const each of batch) each.reject(error);
      }).finally(() => {
        underWay.delete(run);
        start();
      });
      underWay.add(run);
    }
  };

  return {
    write: (block) => {
      if (failed !== undefined) return Promise.reject(failed);
      return new Promise((resolve, reject) => {
        waiting.push({ block, resolve, reject });
        // At the end of this turn, so that puts of one turn share a batch.
        queueMicrotask(start);
      });
    },
    idle: async () => {
      while (underWay.size > 0 || waiting.length > 0) {
        await Promise.allSettled(underWay);
        await Promise.resolve();
      }
    },
  };
}

/** Writes one block's bytes; undefined when it was refused, and nothing is left of it. */
async function stage(each: Waiting, path: string): Promise<string | undefined> {
  try {
    await writeSynced(path, each.block.bytes);
    return path;
  } catch (thrown) {
    const passes = isDiskFull(thrown) || isOutOfHandles(thrown);
    if (thrown instanceof SkyringError || !passes) throw thrown;
    await removeFile(path);
    if (isDiskFull(thrown)) each.resolve(false);
    else each.reject(new SkyringError("busy", "Cannot store block: too many open files", retry));
    return undefined;
  }
}

interface Ready extends Waiting {
  readonly path: string;
}

/** Gives staged files their names and rows; false when the disk is full and all is undone. */
async function nameAll(
  parts: {
    options: WriterOptions;
    ready: readonly Ready[];
    place: () => Promise<number>;
  },
): Promise<boolean> {
  const { options, ready } = parts;
  const made: string[] = ready.map(({ path }) => path);
  try {
    const place = await parts.place();
    for (const [index, { path, block }] of ready.entries()) {
      const file = options.paths.file(place, block.cid);
      await Deno.rename(path, file);
      made[index] = file;
    }
    await syncFolder(options.paths.folder(place));
    await options.database.write(ready.map(({ block }) =>
      insertBlock({
        cid: block.cid,
        bytes: block.bytes.length,
        kind: block.kind,
        place,
        touchedAt: block.at,
        verifiedAt: block.at,
      })
    ));
    return true;
  } catch (thrown) {
    const noRoom = thrown instanceof SkyringError
      ? thrown.code === "metadata_full"
      : isDiskFull(thrown);
    if (!noRoom && !isHarmless(thrown)) throw thrown;
    for (const file of made) await removeFile(file);
    if (noRoom) return false;
    throw thrown;
  }
}

/** Hands out the folder to fill, and begins the next one when it has enough files. */
function createFolderFiller(options: WriterOptions): { take(blocks: number): Promise<number> } {
  let place = options.place;
  let blocks = options.placeBlocks;
  let made: Promise<void> | undefined;
  const take = async (count: number): Promise<number> => {
    if (blocks + count > folderBlocksMax) {
      place++;
      blocks = 0;
      made = undefined;
    }
    blocks += count;
    const mine = place;
    made ??= makeFolder(options.paths, mine);
    try {
      await made;
    } catch (thrown) {
      if (place === mine) made = undefined;
      throw thrown;
    }
    return mine;
  };
  return { take };
}

/** The database took nothing, and is well: the blocks are refused, the writer goes on. */
function isHarmless(thrown: unknown): boolean {
  return thrown instanceof SkyringError && (thrown.code === "busy" || thrown.code === "stopped");
}

const retry = { retriable: true } as const;

function diskFailed(thrown: unknown): SkyringError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new SkyringError("disk_failed", `Cannot write blocks: ${reason}`, { cause: thrown });
}
