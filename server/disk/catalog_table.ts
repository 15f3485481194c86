// The catalog on disk: one row a key, with the columns that finding, paging and comparing need
// beside the encoded value. `complete` says that every inner block of a file is held here.
//
// Invariants: a row's point and id are those of its key and version (catalog_entry.ts); the index
// over (point, id) is what fingerprints are built from and ranges are listed by; rows lie in order
// of their keys, in which a new node copies them.

import { decode, encode } from "cborg";
import type { Lineage } from "../../shared/base/ids.ts";
import type { CatalogEntry, EntryMark } from "../../shared/record/catalog_entry.ts";
import type { Ballot, RecordKey, RecordKind } from "../../shared/record/value.ts";
import type { Database, Migrations, Statement } from "./database.ts";

/** The catalog's table, for openDatabase(). */
export const catalogMigrations: Migrations = {
  name: "catalog",
  steps: [
    `CREATE TABLE catalog (
       kind TEXT NOT NULL, name TEXT NOT NULL, point INTEGER NOT NULL, id BLOB NOT NULL,
       version BLOB NOT NULL, n INTEGER NOT NULL, stamp_ms INTEGER NOT NULL,
       stamp_counter INTEGER NOT NULL, deleted INTEGER NOT NULL, recent BLOB NOT NULL,
       body BLOB NOT NULL, complete INTEGER NOT NULL,
       PRIMARY KEY (kind, name)
     ) WITHOUT ROWID;
     CREATE INDEX catalog_point ON catalog (point, id);
     CREATE INDEX catalog_incomplete ON catalog (kind, name) WHERE complete = 0;
     CREATE TABLE catalog_compared (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
     CREATE TABLE catalog_lineage (
       one INTEGER PRIMARY KEY CHECK (one = 1), lineage TEXT NOT NULL
     );`,
    "CREATE TABLE catalog_rebuilding (one INTEGER PRIMARY KEY CHECK (one = 1))",
    `CREATE INDEX catalog_names ON catalog (kind, name) WHERE deleted = 0;
     CREATE INDEX catalog_deleted ON catalog (stamp_ms) WHERE deleted = 1;`,
  ],
};

interface Row {
  readonly kind: RecordKind;
  readonly name: string;
  readonly point: number;
  readonly id: Uint8Array;
  readonly version: Uint8Array;
  readonly n: number;
  readonly stamp_ms: number;
  readonly stamp_counter: number;
  readonly deleted: number;
  readonly recent: Uint8Array;
  readonly body: Uint8Array;
}

const columns = "kind, name, point, id, version, n, stamp_ms, stamp_counter, deleted, recent, body";

/** Where a page of names ends: the last name, or undefined at the beginning. */
export interface NamePage {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
}

/** The entry under a key, tombstones included. */
export function readEntry(database: Database, key: RecordKey): CatalogEntry | undefined {
  const row = database.readOne<Row>(
    `SELECT ${columns} FROM catalog WHERE kind = ? AND name = ?`,
    key.kind,
    key.name,
  );
  return row && entryOf(row);
}

/** Live entries of a kind by name, in byte order of the names. */
export function readNames(database: Database, kind: RecordKind, page: NamePage): CatalogEntry[] {
  const { prefix, after, limit } = page;
  const from = after === undefined || after < prefix ? prefix : after;
  const rows = database.read<Row>(
    `SELECT ${columns} FROM catalog WHERE kind = ? AND name >= ? AND name < ? AND name <> ?
       AND deleted = 0 ORDER BY name LIMIT ?`,
    kind,
    from,
    beyondPrefix(prefix),
    after ?? "",
    limit,
  );
  return rows.map(entryOf);
}

/** Live names of a kind in byte order, from an index that holds nothing else. */
export function readNamesOnly(database: Database, kind: RecordKind, page: NamePage): string[] {
  const { prefix, after, limit } = page;
  const rows = database.read<{ readonly name: string }>(
    `SELECT name FROM catalog INDEXED BY catalog_names
       WHERE kind = ? AND name >= ? AND name < ? AND name <> ? AND deleted = 0
       ORDER BY name LIMIT ?`,
    kind,
    after === undefined || after < prefix ? prefix : after,
    beyondPrefix(prefix),
    after ?? "",
    limit,
  );
  return rows.map(({ name }) => name);
}

/** Tombstones of a kind made after a wall time, the last first. */
export function readDeleted(
  database: Database,
  kind: RecordKind,
  { afterMs, limit }: { readonly afterMs: number; readonly limit: number },
): CatalogEntry[] {
  const rows = database.read<Row>(
    `SELECT ${columns} FROM catalog INDEXED BY catalog_deleted
       WHERE deleted = 1 AND stamp_ms > ? AND kind = ? ORDER BY stamp_ms DESC LIMIT ?`,
    afterMs,
    kind,
    limit,
  );
  return rows.map(entryOf);
}

/** Live entries of a kind whose inner blocks are not all here yet, after a name. */
export function readIncomplete(
  database: Database,
  kind: RecordKind,
  page: NamePage,
): CatalogEntry[] {
  const rows = database.read<Row>(
    `SELECT ${columns} FROM catalog WHERE complete = 0 AND kind = ? AND name > ?
       ORDER BY kind, name LIMIT ?`,
    kind,
    page.after ?? "",
    page.limit,
  );
  return rows.map(entryOf);
}

/** Marks of the points [from, to), in order. */
export function readMarks(database: Database, range: { from: number; to: number }): EntryMark[] {
  return database.read<EntryMark>(
    "SELECT point, id FROM catalog WHERE point >= ? AND point < ? ORDER BY point, id",
    range.from,
    range.to,
  );
}

/** Entries of all kinds after a key, tombstones included, in order of the keys. */
export function readAfter(
  database: Database,
  { after, limit }: { readonly after: RecordKey | null; readonly limit: number },
): CatalogEntry[] {
  const rows = database.read<Row>(
    `SELECT ${columns} FROM catalog WHERE (kind, name) > (?, ?) ORDER BY kind, name LIMIT ?`,
    after?.kind ?? "",
    after?.name ?? "",
    limit,
  );
  return rows.map(entryOf);
}

/** The entry with a mark, if that version is still the one held. */
export function readMarked(database: Database, mark: EntryMark): CatalogEntry | undefined {
  const row = database.readOne<Row>(
    `SELECT ${columns} FROM catalog WHERE point = ? AND id = ?`,
    mark.point,
    mark.id,
  );
  return row && entryOf(row);
}

/** All marks, page by page: what fingerprints are built from at start. */
export function scanMarks(database: Database): AsyncGenerator<readonly EntryMark[]> {
  return database.scan<EntryMark>(
    "SELECT point, id FROM catalog WHERE (point, id) > (?, ?) ORDER BY point, id LIMIT ?",
    { after: [-1, new Uint8Array(0)], keyOf: ({ point, id }) => [point, id], pageRows: 2_000 },
  );
}

/** Writes an entry over whatever its key holds. */
export function putEntry(
  { key, value }: CatalogEntry,
  { mark, complete }: { mark: EntryMark; complete: boolean },
): Statement {
  return {
    sql: `INSERT OR REPLACE INTO catalog (${columns}, complete)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    params: [
      key.kind,
      key.name,
      mark.point,
      mark.id,
      encode(value.version),
      value.n,
      value.stamp[0],
      value.stamp[1],
      value.deleted ? 1 : 0,
      encode(value.recent),
      value.body,
      complete ? 1 : 0,
    ],
  };
}

/** Marks a version of an entry as complete: all its inner blocks are held. */
export function completeEntry(mark: EntryMark): Statement {
  return {
    sql: "UPDATE catalog SET complete = 1 WHERE point = ? AND id = ?",
    params: [mark.point, mark.id],
  };
}

/** Removes an entry by its mark (an old tombstone). */
export function dropEntry(mark: EntryMark): Statement {
  return {
    sql: "DELETE FROM catalog WHERE point = ? AND id = ?",
    params: [mark.point, mark.id],
  };
}

/** Marks of tombstones older than a wall time. */
export function readOldTombstones(
  database: Database,
  { beforeMs, limit }: { beforeMs: number; limit: number },
): EntryMark[] {
  return database.read<EntryMark>(
    "SELECT point, id FROM catalog WHERE deleted = 1 AND stamp_ms < ? LIMIT ?",
    beforeMs,
    limit,
  );
}

/** When the last full comparison with another node ended, ms since the epoch; undefined never. */
export function readComparedAt(database: Database): number | undefined {
  return database.readOne<{ at: number }>("SELECT at FROM catalog_compared")?.at;
}

/** Notes the end of a full comparison. */
export function putComparedAt(at: number): Statement {
  return { sql: "INSERT OR REPLACE INTO catalog_compared (one, at) VALUES (1, ?)", params: [at] };
}

/** The lineage whose records the catalog copies; undefined before the first. */
export function readCatalogLineage(database: Database): Lineage | undefined {
  return database.readOne<{ lineage: Lineage }>("SELECT lineage FROM catalog_lineage")?.lineage;
}

/** Notes whose records the catalog copies from now on. */
export function putCatalogLineage(lineage: Lineage): Statement {
  return {
    sql: "INSERT OR REPLACE INTO catalog_lineage (one, lineage) VALUES (1, ?)",
    params: [lineage],
  };
}

/** Empties the catalog: another lineage, or copies too old to be trusted. */
export const clearCatalog: readonly Statement[] = [
  { sql: "DELETE FROM catalog", params: [] },
  { sql: "INSERT OR IGNORE INTO catalog_rebuilding (one) VALUES (1)", params: [] },
];

/** Whether the catalog was emptied, and not all registers were compared with it since. */
export function readRebuilding(database: Database): boolean {
  return database.readOne("SELECT one FROM catalog_rebuilding") !== undefined;
}

/** The catalog holds again what the registers of this node hold. */
export const endRebuilding: Statement = { sql: "DELETE FROM catalog_rebuilding", params: [] };

function entryOf(row: Row): CatalogEntry {
  return {
    key: { kind: row.kind, name: row.name },
    value: {
      version: decode(row.version) as Ballot,
      n: row.n,
      stamp: [row.stamp_ms, row.stamp_counter],
      deleted: row.deleted === 1,
      recent: decode(row.recent) as Ballot[],
      body: row.body,
    },
  };
}

/** The first text after all texts that begin with `prefix`. U+10FFFF is the last code point. */
function beyondPrefix(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}
