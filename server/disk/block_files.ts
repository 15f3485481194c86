// The block store of a node: large blocks as files, small ones and every row in SQLite. This file
// is the port's face: it looks rows up, claims space and keeps one operation at a time per block;
// the writer makes files durable, the index knows the rows, the folders know the paths.
//
//   put:    claim -> file durable -> row durable -> ok          remove: row gone, durable -> unlink
//
// Invariants: a block is held if and only if its row is committed; its bytes are durable before
// that. A crash leaves a file without a row (adopted at the next start) or a doomed file (unlinked
// then): both are found from the last folders and one table, without reading any block.

import { Buffer } from "node:buffer";
import { assert } from "../../shared/base/assert.ts";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import {
  blockBytesMax,
  putsWaitingBytesMax,
  putsWaitingMax,
  smallBlockBytesMax,
} from "../../shared/base/limits.ts";
import type { BlockKind, PutOutcome, VerifiableStore } from "../../shared/block/block_store.ts";
import {
  type BlockPaths,
  createBlockPaths,
  exists,
  pruneQuarantine,
  quarantineFile,
  removeFile,
} from "./block_folders.ts";
import {
  type BlockRow,
  deleteBlock,
  deleteDoomed,
  deleteUntouched,
  findBlock,
  insertBlock,
  insertSmallBlock,
  lastSmallBlock,
  listBlocks,
  readSmallBlock,
  touchBlocks,
  verifyBlocks,
} from "./block_index.ts";
import { type BlockReader, createBlockReader } from "./block_reader.ts";
import { reconcileBlocks } from "./block_recovery.ts";
import { type BlockSpace, createBlockSpace } from "./block_space.ts";
import { type BlockWriter, createBlockWriter } from "./block_writer.ts";
import type { Database, Statement } from "./database.ts";
import { isOutOfHandles, isUnreadable, openDiskReserve, reservePath } from "./disk_space.ts";
import { createKeyedTurns, type KeyedTurns } from "./keyed_turns.ts";
import { matches } from "./verified_store.ts";

export interface BlockFilesOptions {
  /** Opened with `blockMigrations`; stopped by its owner after this store. */
  readonly database: Database;
  /** Folder of the block files, made when missing. */
  readonly root: string;
  /** Hard limit for the bytes of leaves. */
  readonly capacityBytes: number;
  /** Limit for database, log and inner blocks; default a tenth of the capacity, at least 1 GiB. */
  readonly metadataBytesMax?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Called once, when a write or sync failed: the node must stop. */
  readonly onFailed?: (error: SkyringError) => void;
}

/** What the file store offers beyond the port. */
export interface BlockFiles extends VerifiableStore {
  /**
   * Like get(), behind `headroom` bytes for the caller's header: sent on without a copy.
   * @returns headroom + block bytes. @throws as get()
   */
  getWithHeadroom(cid: Cid, headroom: number): Promise<Uint8Array | undefined>;
  /** The disk had no room for somebody's rows: gives up the reserve, takes no blocks meanwhile. */
  noteDiskFull(): Promise<void>;
}

interface Parts {
  readonly database: Database;
  readonly paths: BlockPaths;
  readonly space: BlockSpace;
  readonly writer: BlockWriter;
  readonly reader: BlockReader;
  readonly turns: KeyedTurns<Cid>;
  readonly now: () => number;
  nextSmall: number;
  puts: number;
  putBytes: number;
  failed: SkyringError | undefined;
  stopping: boolean;
}

/**
 * Opens the store: empties staging and brings files and rows together.
 * @throws {SkyringError} corrupt, disk_failed; other disk errors as they are
 */
export async function openBlockFiles(options: BlockFilesOptions): Promise<BlockFiles> {
  const { database, now } = options;
  const paths = createBlockPaths(options.root);
  const { place, placeBlocks } = await reconcileBlocks({ database, paths, now });
  const reserve = await openDiskReserve(reservePath(options.root));
  const onFailed = (error: SkyringError) => {
    parts.failed ??= error;
    options.onFailed?.(error);
  };
  const parts: Parts = {
    database,
    paths,
    space: createBlockSpace({ ...options, reserve }),
    writer: createBlockWriter({ paths, database, place, placeBlocks, onFailed }),
    reader: createBlockReader({ now: () => performance.now() }),
    turns: createKeyedTurns<Cid>(),
    now,
    nextSmall: lastSmallBlock(database) + 1,
    puts: 0,
    putBytes: 0,
    failed: undefined,
    stopping: false,
  };
  return {
    put: (cid, bytes, kind) => put(parts, { cid, bytes, kind }),
    get: (cid) => getBytes(parts, cid, 0),
    getWithHeadroom: (cid, headroom) => getBytes(parts, cid, headroom),
    has: (cid) => findBlock(database, cid) !== undefined,
    sizeOf: (cid) => findBlock(database, cid)?.bytes,
    remove: (cid) => remove(parts, { cid, touchedBefore: undefined }),
    removeUntouched: (cid, touchedBefore) => remove(parts, { cid, touchedBefore }),
    quarantine: (cid) => quarantine(parts, cid),
    touch: async (cids) => {
      if (cids.length > 0) await writeRows(parts, [touchBlocks(cids, now())]);
    },
    markVerified: async (cids) => {
      if (cids.length > 0) await writeRows(parts, [verifyBlocks(cids, now())]);
    },
    list: (after, limit) => listBlocks(database, { after, limit }),
    noteDiskFull: async () => void await parts.space.noteDiskFull(),
    use: () => parts.space.use(),
    resize: (capacityBytes) => parts.space.resize(capacityBytes),
    stop: async () => {
      parts.stopping = true;
      await parts.turns.idle();
      await parts.writer.idle();
    },
  };
}

interface Block {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  readonly kind: BlockKind;
}

async function put(parts: Parts, block: Block): Promise<PutOutcome> {
  assert(block.bytes.length <= blockBytesMax, "a block is larger than the limit");
  throwIfOver(parts);
  const size = block.bytes.length;
  if (parts.puts >= putsWaitingMax || parts.putBytes + size > putsWaitingBytesMax) {
    throw new SkyringError("busy", "Cannot store block: too many puts are waiting", {
      data: { puts: parts.puts, bytes: parts.putBytes, bytesMax: putsWaitingBytesMax },
      retriable: true,
    });
  }
  parts.puts++;
  parts.putBytes += size;
  try {
    return await parts.turns.run(block.cid, () => putInTurn(parts, block));
  } finally {
    parts.puts--;
    parts.putBytes -= size;
  }
}

async function putInTurn(parts: Parts, block: Block): Promise<PutOutcome> {
  const { cid } = block;
  if (findBlock(parts.database, cid) !== undefined) {
    // Its bytes may have rotted since: who puts it counts a copy on this answer.
    const held = await readHeld(parts, cid);
    if (held !== undefined && Buffer.compare(held, block.bytes) === 0) {
      const at = parts.now();
      await writeRows(parts, [touchBlocks([cid], at), verifyBlocks([cid], at)]);
      return { ok: true, fresh: false };
    }
    await quarantineHeld(parts, cid);
  }
  await parts.space.recover(false);
  const size = block.bytes.length;
  const refusal = parts.space.claim(block.kind, size);
  if (refusal !== undefined) return refusal;
  try {
    const stored = size <= smallBlockBytesMax
      ? await putSmall(parts, block)
      : await parts.writer.write({ ...block, at: parts.now() });
    return stored ? { ok: true, fresh: true } : await parts.space.noteDiskFull();
  } finally {
    parts.space.release(block.kind, size);
  }
}

async function putSmall(parts: Parts, block: Block): Promise<boolean> {
  const id = parts.nextSmall++;
  const at = parts.now();
  const { cid, kind } = block;
  const entry = { cid, kind, bytes: block.bytes.length, place: -id, touchedAt: at, verifiedAt: at };
  try {
    await parts.database.write([insertSmallBlock(id, block.bytes), insertBlock(entry)]);
    return true;
  } catch (thrown) {
    if (thrown instanceof SkyringError && thrown.code === "metadata_full") return false;
    throw thrown;
  }
}

/** Writes rows; a full disk gives its reserve for them, once. */
async function writeRows(parts: Parts, statements: readonly Statement[]): Promise<void> {
  throwIfOver(parts);
  try {
    await parts.database.write(statements);
  } catch (thrown) {
    if (!(thrown instanceof SkyringError) || thrown.code !== "metadata_full") throw thrown;
    await parts.space.noteDiskFull();
    await parts.database.write(statements);
  }
}

function throwIfOver(parts: Parts): void {
  if (parts.failed !== undefined) throw parts.failed;
  if (parts.stopping) throw new SkyringError("stopped", "Cannot use block store: it is stopped");
}

async function getBytes(
  parts: Parts,
  cid: Cid,
  headroom: number,
): Promise<Uint8Array | undefined> {
  let row = findBlock(parts.database, cid);
  while (row !== undefined) {
    const bytes = await readRow(parts, { cid, row, headroom });
    if (bytes !== undefined) return bytes;
    // Removed under our eyes, or lost: the row that is there now tells.
    const again = findBlock(parts.database, cid);
    if (again?.place === row.place) throw await missing(parts, cid);
    row = again;
  }
  return undefined;
}

async function readRow(
  parts: Parts,
  wanted: { readonly cid: Cid; readonly row: BlockRow; readonly headroom: number },
): Promise<Uint8Array | undefined> {
  const { cid, row, headroom } = wanted;
  if (row.place > 0) {
    try {
      const path = parts.paths.file(row.place, cid);
      return await parts.reader.read({ path, bytes: row.bytes, headroom });
    } catch (thrown) {
      throw readError(cid, thrown);
    }
  }
  const bytes = readSmallBlock(parts.database, row.place);
  if (bytes === undefined || headroom === 0) return bytes;
  const room = new Uint8Array(headroom + bytes.length);
  room.set(bytes, headroom);
  return room;
}

/** One file gone is that block's trouble; the whole folder gone (unmounted) is the disk's. */
async function missing(parts: Parts, cid: Cid): Promise<SkyringError> {
  if (await exists(parts.paths.staging)) return corrupt(cid, "its bytes are missing");
  const message = `Cannot read blocks: ${parts.paths.root} is gone`;
  return new SkyringError("disk_failed", message, { data: { file: parts.paths.root } });
}

/** Only what is wrong with this block's bytes is `corrupt`: it leads to their removal. */
function readError(cid: Cid, thrown: unknown): SkyringError {
  const state = messageOf(thrown);
  if (thrown instanceof SkyringError || isUnreadable(thrown)) return corrupt(cid, state, thrown);
  const options = { data: { cid }, cause: thrown, retriable: isOutOfHandles(thrown) };
  const code = options.retriable ? "busy" : "disk_failed";
  return new SkyringError(code, `Cannot read block ${cid}: ${state}`, options);
}

function corrupt(cid: Cid, state: string, cause?: unknown): SkyringError {
  return new SkyringError("corrupt", `Cannot read block ${cid}: ${state}`, {
    data: { cid },
    cause,
  });
}

function remove(
  parts: Parts,
  { cid, touchedBefore }: { readonly cid: Cid; readonly touchedBefore: number | undefined },
): Promise<boolean> {
  return parts.turns.run(cid, async () => {
    const row = findBlock(parts.database, cid);
    if (row === undefined) return false;
    const { place } = row;
    if (touchedBefore === undefined) await writeRows(parts, deleteBlock(cid, place));
    else await writeRows(parts, deleteUntouched(cid, { place, touchedBefore }));
    if (findBlock(parts.database, cid) !== undefined) return false;
    if (row.place > 0) await unlink(parts, cid, row.place);
    await parts.space.recover(true);
    return true;
  });
}

/** The row is gone for good; a file that cannot be unlinked is tried again at the next start. */
async function unlink(parts: Parts, cid: Cid, place: number): Promise<void> {
  const gone = await removeFile(parts.paths.file(place, cid)).then(() => true, () => false);
  if (!gone) return;
  await writeRows(parts, [deleteDoomed(cid, place)]);
}

/** A late call must not take the good copy that came since: what matches stays. */
function quarantine(parts: Parts, cid: Cid): Promise<void> {
  return parts.turns.run(cid, async () => {
    const held = await readHeld(parts, cid);
    if (held === undefined || !matches(cid, held)) await quarantineHeld(parts, cid);
  });
}

/** The bytes, or undefined when there are none to be had. @throws all but corrupt */
async function readHeld(parts: Parts, cid: Cid): Promise<Uint8Array | undefined> {
  try {
    return await getBytes(parts, cid, 0);
  } catch (thrown) {
    if (thrown instanceof SkyringError && thrown.code === "corrupt") return undefined;
    throw thrown;
  }
}

async function quarantineHeld(parts: Parts, cid: Cid): Promise<void> {
  const row = findBlock(parts.database, cid);
  if (row === undefined) return;
  if (row.place > 0) {
    await quarantineFile(parts.paths, { place: row.place, cid });
  } else {
    const bytes = readSmallBlock(parts.database, row.place);
    if (bytes !== undefined) await Deno.writeFile(parts.paths.quarantined(cid), bytes);
    await pruneQuarantine(parts.paths);
  }
  await writeRows(parts, deleteBlock(cid, row.place));
  if (row.place > 0) await writeRows(parts, [deleteDoomed(cid, row.place)]);
}
