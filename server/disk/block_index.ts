// The rows behind the block store: which block is held, how large, where, and since when. Small
// blocks have their bytes here too. Nothing is kept in memory: a lookup costs a few microseconds,
// a million blocks cost no heap, and what is read is always what was committed.
//
//   blocks.place > 0: number of the folder with the block's file; < 0: minus its small_blocks.id
//
// Invariants: totals are kept by triggers, in the transaction that changes a row, so they are
// exact after any crash; a file whose row goes is listed in doomed_files until it is unlinked.

import type { BlockKind, HeldBlock } from "../../shared/block/block_store.ts";
import type { Cid } from "../../shared/base/ids.ts";
import type { Database, Migrations, Statement } from "./database.ts";

/** The tables of the block store, for openDatabase(). */
export const blockMigrations: Migrations = {
  name: "blocks",
  steps: [`
    CREATE TABLE blocks (
      cid TEXT PRIMARY KEY, bytes INTEGER NOT NULL, kind INTEGER NOT NULL, place INTEGER NOT NULL,
      touched_at INTEGER NOT NULL, verified_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE small_blocks (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE doomed_files (
      cid TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (cid, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE block_totals (
      kind INTEGER NOT NULL, in_file INTEGER NOT NULL, blocks INTEGER NOT NULL,
      bytes INTEGER NOT NULL, PRIMARY KEY (kind, in_file)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO block_totals VALUES (0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (1, 1, 0, 0);
    CREATE TRIGGER blocks_added AFTER INSERT ON blocks BEGIN
      UPDATE block_totals SET blocks = blocks + 1, bytes = bytes + new.bytes
        WHERE kind = new.kind AND in_file = (new.place > 0);
    END;
    CREATE TRIGGER blocks_removed AFTER DELETE ON blocks BEGIN
      UPDATE block_totals SET blocks = blocks - 1, bytes = bytes - old.bytes
        WHERE kind = old.kind AND in_file = (old.place > 0);
    END;`],
};

/** Where a held block's bytes are. */
export interface BlockRow {
  readonly bytes: number;
  readonly kind: BlockKind;
  /** Folder number above zero, or minus the id of a small block. */
  readonly place: number;
}

/** Held bytes by kind; `small` are those of them that lie inside the database. */
export interface BlockTotals {
  readonly blocks: number;
  readonly leafBytes: number;
  readonly innerBytes: number;
  readonly smallBytes: number;
  readonly smallLeafBytes: number;
}

/** A block to be entered. */
export interface BlockEntry extends BlockRow {
  readonly cid: Cid;
  readonly touchedAt: number;
  readonly verifiedAt: number;
}

const kinds: readonly BlockKind[] = ["leaf", "inner"];
const kindOf = (number: number): BlockKind => kinds[number] ?? "leaf";

/** The row of a block, or undefined when it is not held. @throws as Database.read() */
export function findBlock(database: Database, cid: Cid): BlockRow | undefined {
  const row = database.readOne<{ bytes: number; kind: number; place: number }>(
    "SELECT bytes, kind, place FROM blocks WHERE cid = ?",
    cid,
  );
  if (row === undefined) return undefined;
  return { bytes: row.bytes, kind: kindOf(row.kind), place: row.place };
}

/** The bytes of a small block by its row's place, or undefined. @throws as Database.read() */
export function readSmallBlock(database: Database, place: number): Uint8Array | undefined {
  const sql = "SELECT bytes FROM small_blocks WHERE id = ?";
  return database.readOne<{ bytes: Uint8Array }>(sql, -place)?.bytes;
}

/** The largest id among small blocks, 0 when there are none. @throws as Database.read() */
export function lastSmallBlock(database: Database): number {
  const sql = "SELECT max(id) AS id FROM small_blocks";
  return database.readOne<{ id: number | null }>(sql)?.id ?? 0;
}

/** Sums over all held blocks. @throws as Database.read() */
export function readTotals(database: Database): BlockTotals {
  const rows = database.read<{ kind: number; in_file: number; blocks: number; bytes: number }>(
    "SELECT kind, in_file, blocks, bytes FROM block_totals",
  );
  let [blocks, leafBytes, innerBytes, smallBytes, smallLeafBytes] = [0, 0, 0, 0, 0];
  for (const row of rows) {
    const leaf = kindOf(row.kind) === "leaf";
    blocks += row.blocks;
    if (leaf) leafBytes += row.bytes;
    else innerBytes += row.bytes;
    if (row.in_file === 0) smallBytes += row.bytes;
    if (row.in_file === 0 && leaf) smallLeafBytes += row.bytes;
  }
  return { blocks, leafBytes, innerBytes, smallBytes, smallLeafBytes };
}

/** Blocks after a CID, in the order of their texts. @throws as Database.read() */
export function listBlocks(
  database: Database,
  page: { readonly after: Cid | undefined; readonly limit: number },
): readonly HeldBlock[] {
  interface Row {
    cid: Cid;
    bytes: number;
    kind: number;
    touched_at: number;
    verified_at: number;
  }
  const rows = database.read<Row>(
    `SELECT cid, bytes, kind, touched_at, verified_at FROM blocks
      WHERE cid > ? ORDER BY cid LIMIT ?`,
    page.after ?? "",
    page.limit,
  );
  return rows.map((row) => ({
    cid: row.cid,
    bytes: row.bytes,
    kind: kindOf(row.kind),
    touchedAt: row.touched_at,
    verifiedAt: row.verified_at,
  }));
}

/** Enters a block. @throws never */
export function insertBlock(entry: BlockEntry): Statement {
  const kind = kinds.indexOf(entry.kind);
  return {
    sql: "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?)",
    params: [entry.cid, entry.bytes, kind, entry.place, entry.touchedAt, entry.verifiedAt],
  };
}

/** Stores the bytes of a small block. @throws never */
export function insertSmallBlock(id: number, bytes: Uint8Array): Statement {
  return { sql: "INSERT INTO small_blocks VALUES (?, ?)", params: [id, bytes] };
}

/** Forgets a block: its bytes with it, or its file named as doomed. @throws never */
export function deleteBlock(cid: Cid, place: number): readonly Statement[] {
  const row = { sql: "DELETE FROM blocks WHERE cid = ?", params: [cid] };
  const bytes = place < 0
    ? { sql: "DELETE FROM small_blocks WHERE id = ?", params: [-place] }
    : { sql: "INSERT OR IGNORE INTO doomed_files VALUES (?, ?)", params: [cid, place] };
  return [row, bytes];
}

/**
 * The same as deleteBlock(), unless its lease was renewed at or after a time: decided when the
 * transaction runs, so after every renewal that was queued before it. @throws never
 */
export function deleteUntouched(
  cid: Cid,
  { place, touchedBefore }: { readonly place: number; readonly touchedBefore: number },
): readonly Statement[] {
  const untouched = "SELECT cid FROM blocks WHERE cid = ? AND place = ? AND touched_at < ?";
  const bytes = place < 0
    ? {
      sql: `DELETE FROM small_blocks WHERE id = ? AND EXISTS (${untouched})`,
      params: [-place, cid, place, touchedBefore],
    }
    : {
      sql: `INSERT OR IGNORE INTO doomed_files SELECT cid, place FROM blocks
        WHERE cid = ? AND place = ? AND touched_at < ?`,
      params: [cid, place, touchedBefore],
    };
  const row = {
    sql: "DELETE FROM blocks WHERE cid = ? AND place = ? AND touched_at < ?",
    params: [cid, place, touchedBefore],
  };
  return [bytes, row];
}

/** A doomed file is gone. @throws never */
export function deleteDoomed(cid: Cid, place: number): Statement {
  return { sql: "DELETE FROM doomed_files WHERE cid = ? AND place = ?", params: [cid, place] };
}

/** Files to unlink whose rows are gone, at most `limit`. @throws as Database.read() */
export function listDoomed(
  database: Database,
  limit: number,
): readonly { readonly cid: Cid; readonly place: number }[] {
  return database.read("SELECT cid, place FROM doomed_files LIMIT ?", limit);
}

/** Renews the leases of blocks; those not held are passed over. @throws never */
export function touchBlocks(cids: readonly Cid[], at: number): Statement {
  return {
    sql: `UPDATE blocks SET touched_at = max(touched_at, ?)
      WHERE cid IN (SELECT value FROM json_each(?))`,
    params: [at, JSON.stringify(cids)],
  };
}

/** Notes that blocks were read back and matched. @throws never */
export function verifyBlocks(cids: readonly Cid[], at: number): Statement {
  return {
    sql: `UPDATE blocks SET verified_at = max(verified_at, ?)
      WHERE cid IN (SELECT value FROM json_each(?))`,
    params: [at, JSON.stringify(cids)],
  };
}
