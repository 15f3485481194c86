// Register rows in SQLite: the RegisterRows port of the agreement machine. Reads show what is
// committed and, over it, rows and floors whose transaction is still under way, because the
// machine reads its own last step. Installs and dropped slots show once durable; the machine
// does not look before.
//
// Keys are stored as UTF-8 blobs, since they contain NUL; ballots so that bytes order as ballots
// do, which lets one statement keep the greater of two:
//
//   epoch u32 | round u32 | node, UTF-8 | 00 | boot u32

import { Buffer } from "node:buffer";
import { asNodeId, asSlot, type Slot } from "../../shared/base/ids.ts";
import type {
  AgreementWrite,
  RegisterRow,
  RegisterRows,
} from "../../shared/record/agreement_port.ts";
import type { Ballot, Value } from "../../shared/record/value.ts";
import { decodeValue, encodeValue } from "../../shared/wire/record_message.ts";
import type { Database, Migrations, SqlValue, Statement } from "./database.ts";

/** The tables of the registers, for openDatabase(). */
export const registerMigrations: Migrations = {
  name: "registers",
  steps: [
    `CREATE TABLE register_row (
       lane INTEGER NOT NULL, slot INTEGER NOT NULL, key BLOB NOT NULL,
       promised BLOB, accepted BLOB, value BLOB, tomb_ms INTEGER,
       PRIMARY KEY (lane, slot, key)
     );
     CREATE INDEX register_tomb ON register_row (lane, tomb_ms) WHERE tomb_ms IS NOT NULL;
     CREATE TABLE register_floor (
       lane INTEGER NOT NULL, slot INTEGER NOT NULL, floor BLOB NOT NULL,
       PRIMARY KEY (lane, slot)
     ) WITHOUT ROWID;
     CREATE TABLE register_stage (
       lane INTEGER NOT NULL, slot INTEGER NOT NULL, key BLOB NOT NULL,
       accepted BLOB NOT NULL, value BLOB, tomb_ms INTEGER,
       PRIMARY KEY (lane, slot, key)
     );`,
  ],
};

/** The writes that these tables take. */
export type RegisterWrite = Extract<
  AgreementWrite,
  {
    kind:
      | "row"
      | "drop row"
      | "floor"
      | "stage"
      | "unstage"
      | "install"
      | "drop slot"
      | "drop lane";
  }
>;

/** Rows on disk under the writes that are on their way there. */
export interface RegisterTable {
  rows(lane: number): RegisterRows;
  /** Shows the single rows and floors of a transaction until `settled` with its number. */
  show(writes: readonly AgreementWrite[], transaction: number): void;
  /** All transactions up to this one are durable. */
  settled(transaction: number): void;
}

interface Pending<Shown> {
  readonly shown: Shown;
  readonly transaction: number;
}

interface PendingSlot {
  readonly rows: Map<string, Pending<RegisterRow | undefined>>;
  floor: Pending<Ballot> | undefined;
}

interface StoredRow {
  readonly key: Uint8Array;
  readonly promised: Uint8Array | null;
  readonly accepted: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** The rows of a database with its overlay. @throws {SkyringError} in reads: corrupt */
export function createRegisterTable(database: Database): RegisterTable {
  const pending = new Map<string, PendingSlot>();
  const touched: { readonly name: string; readonly transaction: number }[] = [];

  function slotOf(name: string, transaction: number): PendingSlot {
    const slot: PendingSlot = pending.get(name) ?? { rows: new Map(), floor: undefined };
    pending.set(name, slot);
    touched.push({ name, transaction });
    return slot;
  }

  return {
    rows: (lane) => laneRows(database, { lane, overlay: (slot) => pending.get(`${lane}/${slot}`) }),
    show(writes, transaction) {
      for (const write of writes) {
        if (write.kind === "row") {
          const { lane, slot, row } = write;
          slotOf(`${lane}/${slot}`, transaction).rows.set(row.key, { shown: row, transaction });
        } else if (write.kind === "drop row") {
          const { lane, slot, key } = write;
          slotOf(`${lane}/${slot}`, transaction).rows.set(key, { shown: undefined, transaction });
        } else if (write.kind === "floor") {
          const { lane, slot, floor } = write;
          slotOf(`${lane}/${slot}`, transaction).floor = { shown: floor, transaction };
        }
      }
    },
    settled(transaction) {
      while ((touched[0]?.transaction ?? Infinity) <= transaction) {
        const name = touched.shift()?.name ?? "";
        const slot = pending.get(name);
        if (slot === undefined) continue;
        for (const [key, row] of slot.rows) {
          if (row.transaction <= transaction) slot.rows.delete(key);
        }
        if (slot.floor !== undefined && slot.floor.transaction <= transaction) {
          slot.floor = undefined;
        }
        if (slot.rows.size === 0 && slot.floor === undefined) pending.delete(name);
      }
    },
  };
}

function laneRows(
  database: Database,
  { lane, overlay }: {
    readonly lane: number;
    readonly overlay: (slot: Slot) => PendingSlot | undefined;
  },
): RegisterRows {
  const columns = "SELECT key, promised, accepted, value FROM register_row";
  return {
    get(slot, key) {
      const over = overlay(slot)?.rows.get(key);
      if (over !== undefined) return over.shown;
      const where = "WHERE lane = ? AND slot = ? AND key = ?";
      const row = database.readOne<StoredRow>(`${columns} ${where}`, lane, slot, keyBytes(key));
      return row === undefined ? undefined : rowOf(row);
    },
    scan(slot, { after, limit }) {
      const where = "WHERE lane = ? AND slot = ? AND key > ? ORDER BY key LIMIT ?";
      const over = overlay(slot)?.rows;
      const rows: RegisterRow[] = [];
      // A page shortened by rows under deletion must not look like the last one.
      for (let from = after;;) {
        const stored = database
          .read<StoredRow>(`${columns} ${where}`, lane, slot, keyBytes(from), limit).map(rowOf);
        const last = stored.length < limit ? undefined : stored[stored.length - 1]?.key;
        rows.push(...merged(stored, { over, after: from, last }));
        if (last === undefined || rows.length >= limit) return rows.slice(0, limit);
        from = last;
      }
    },
    empty() {
      const sql = "SELECT 1 AS one FROM register_row WHERE lane = ? LIMIT 1";
      return database.readOne(sql, lane) === undefined;
    },
    floor(slot) {
      const over = overlay(slot)?.floor;
      if (over !== undefined) return over.shown;
      const sql = "SELECT floor FROM register_floor WHERE lane = ? AND slot = ?";
      const row = database.readOne<{ floor: Uint8Array }>(sql, lane, slot);
      return row === undefined ? null : ballotOf(row.floor);
    },
    tombstones({ beforeMs, limit }) {
      const sql = `SELECT slot, key FROM register_row
                   WHERE lane = ? AND tomb_ms IS NOT NULL AND tomb_ms < ?
                   ORDER BY tomb_ms LIMIT ?`;
      return database
        .read<{ slot: number; key: Uint8Array }>(sql, lane, Math.floor(beforeMs), limit)
        .map(({ slot, key }) => ({ slot: asSlot(slot), key: keyText(key) }));
    },
  };
}

/** Stored rows of the keys (after, last] with the pending ones of that range laid over them. */
function merged(
  stored: readonly RegisterRow[],
  { over, after, last }: {
    readonly over: PendingSlot["rows"] | undefined;
    readonly after: string;
    readonly last: string | undefined;
  },
): RegisterRow[] {
  if (over === undefined || over.size === 0) return [...stored];
  const rows = new Map(stored.map((row) => [row.key, row]));
  for (const [key, { shown }] of over) {
    if (compareKeys(key, after) <= 0) continue;
    if (last !== undefined && compareKeys(key, last) > 0) continue;
    if (shown === undefined) rows.delete(key);
    else rows.set(key, shown);
  }
  return [...rows.values()].sort((left, right) => compareKeys(left.key, right.key));
}

/** The statements of a run of writes of one kind; whole slots go together. @throws never */
export function registerStatements(writes: readonly RegisterWrite[]): Statement[] {
  const [first] = writes;
  if (first === undefined) return [];
  if (first.kind === "unstage" || first.kind === "install" || first.kind === "drop slot") {
    const slots = writes.flatMap((write) => "slot" in write ? [write.slot] : []);
    return wholeSlots(first.kind, { lane: first.lane, slots });
  }
  return writes.flatMap(rowStatements);
}

/** Whether two writes may go into one run: same kind, same lane, whole slots. @throws never */
export function joins(left: AgreementWrite, right: AgreementWrite): boolean {
  if (left.kind !== right.kind) return false;
  if (left.kind !== "unstage" && left.kind !== "install" && left.kind !== "drop slot") return false;
  return "lane" in right && left.lane === right.lane;
}

function rowStatements(write: RegisterWrite): Statement[] {
  switch (write.kind) {
    case "row": {
      const { promised, accepted, value, key } = write.row;
      const sql = `INSERT OR REPLACE INTO register_row
                   (lane, slot, key, promised, accepted, value, tomb_ms)
                   VALUES (?, ?, ?, ?, ?, ?, ?)`;
      const ballots = [promised, accepted].map((one) => one === null ? null : ballotBytes(one));
      const params = [write.lane, write.slot, keyBytes(key), ...ballots, ...valueParams(value)];
      return [{ sql, params }];
    }
    case "drop row":
      return [{
        sql: "DELETE FROM register_row WHERE lane = ? AND slot = ? AND key = ?",
        params: [write.lane, write.slot, keyBytes(write.key)],
      }];
    case "floor":
      return [{
        sql: "INSERT OR REPLACE INTO register_floor (lane, slot, floor) VALUES (?, ?, ?)",
        params: [write.lane, write.slot, ballotBytes(write.floor)],
      }];
    case "stage":
      return write.rows.map(({ key, accepted, value }) => ({
        sql: `INSERT INTO register_stage (lane, slot, key, accepted, value, tomb_ms)
              VALUES (?, ?, ?, ?, ?, ?)
              ON CONFLICT (lane, slot, key) DO UPDATE SET accepted = excluded.accepted,
                value = excluded.value, tomb_ms = excluded.tomb_ms
              WHERE excluded.accepted > accepted`,
        params: [
          write.lane,
          write.slot,
          keyBytes(key),
          ballotBytes(accepted),
          ...valueParams(value),
        ],
      }));
    case "unstage":
    case "install":
    case "drop slot":
      return wholeSlots(write.kind, { lane: write.lane, slots: [write.slot] });
    case "drop lane":
      return ["register_row", "register_floor", "register_stage", "slot_state", "roster"].map(
        (table) => ({ sql: `DELETE FROM ${table} WHERE lane = ?`, params: [write.lane] }),
      );
    default:
      return write satisfies never;
  }
}

function wholeSlots(
  kind: "unstage" | "install" | "drop slot",
  { lane, slots }: { readonly lane: number; readonly slots: readonly Slot[] },
): Statement[] {
  const where = "WHERE lane = ? AND slot IN (SELECT value FROM json_each(?))";
  const params = [lane, JSON.stringify(slots)];
  const clear = (table: string) => ({ sql: `DELETE FROM ${table} ${where}`, params });
  const stage = clear("register_stage");
  if (kind === "unstage") return [stage];
  const rows = [clear("register_row"), clear("register_floor")];
  if (kind === "drop slot") return [...rows, stage];
  const copy = `INSERT INTO register_row (lane, slot, key, promised, accepted, value, tomb_ms)
                SELECT lane, slot, key, accepted, accepted, value, tomb_ms
                FROM register_stage ${where}`;
  return [...rows, { sql: copy, params }, stage];
}

function valueParams(value: Value | null): SqlValue[] {
  if (value === null) return [null, null];
  return [encodeValue(value), value.deleted ? value.stamp[0] : null];
}

function rowOf({ key, promised, accepted, value }: StoredRow): RegisterRow {
  return {
    key: keyText(key),
    promised: promised === null ? null : ballotOf(promised),
    accepted: accepted === null ? null : ballotOf(accepted),
    value: value === null ? null : decodeValue(value),
  };
}

function keyBytes(key: string): Uint8Array {
  return Buffer.from(key, "utf8");
}

function keyText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function compareKeys(left: string, right: string): number {
  return Buffer.compare(keyBytes(left), keyBytes(right));
}

/** A ballot as bytes that order as ballots do. @throws {RangeError} beyond 32 bits */
export function ballotBytes([epoch, round, node, boot]: Ballot): Uint8Array {
  const name = Buffer.from(node, "utf8");
  const bytes = Buffer.alloc(13 + name.length);
  bytes.writeUInt32BE(epoch, 0);
  bytes.writeUInt32BE(round, 4);
  name.copy(bytes, 8);
  bytes.writeUInt32BE(boot, 9 + name.length);
  return bytes;
}

/** The ballot of such bytes. @throws {RangeError} on fewer than 13 bytes */
export function ballotOf(bytes: Uint8Array): Ballot {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = all.length - 5;
  const node = asNodeId(all.subarray(8, end).toString("utf8"));
  return [all.readUInt32BE(0), all.readUInt32BE(4), node, all.readUInt32BE(end + 1)];
}

/** Where a page of all rows of a lane ended. */
export interface RegisterCursor {
  readonly slot: number;
  readonly key: Uint8Array;
}

/** A row's key, and of its value what the catalog can be compared by. */
export interface RegisterHead {
  readonly key: string;
  readonly version: Ballot | null;
  readonly stampMs: number;
  readonly deleted: boolean;
}

/** One page of the committed rows of a lane, in order. */
export function readRegisterPage(
  database: Database,
  page: {
    readonly lane: number;
    readonly after: RegisterCursor | undefined;
    readonly limit: number;
  },
): {
  readonly rows: readonly RegisterHead[];
  readonly next: RegisterCursor | undefined;
} {
  const after = page.after ?? { slot: -1, key: new Uint8Array(0) };
  const rows = database.read<{ slot: number; key: Uint8Array; value: Uint8Array | null }>(
    `SELECT slot, key, value FROM register_row WHERE lane = ? AND (slot, key) > (?, ?)
       ORDER BY slot, key LIMIT ?`,
    page.lane,
    after.slot,
    after.key,
    page.limit,
  );
  const last = rows.at(-1);
  return {
    rows: rows.map(({ key, value }) => {
      const held = value === null ? null : decodeValue(value);
      return {
        key: Buffer.from(key).toString("utf8"),
        version: held?.version ?? null,
        stampMs: held?.stamp[0] ?? 0,
        deleted: held?.deleted ?? false,
      };
    }),
    next: rows.length === page.limit && last ? { slot: last.slot, key: last.key } : undefined,
  };
}
