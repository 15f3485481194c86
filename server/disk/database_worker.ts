/// <reference lib="webworker" />
// The one writer of the node's database, in its own thread: it joins the transactions of many
// callers into one commit, and checkpoints the write-ahead log itself, because SQLite's automatic
// checkpoint hides a failed sync and would retry it.
//
// Invariants: "committed" is sent only after the log is synced (synchronous=FULL); after a failed
// write or sync nothing is tried again: "failed" is the last message. No room is no failure: that
// transaction changed nothing, and a log that finds no room in the database stays as it is.
// It knows no table but its own.

import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type {
  DatabaseSizes,
  Failure,
  FromWorker,
  Migrations,
  PackedStatement,
  PackedValue,
  ToWorker,
} from "./database_messages.ts";
import { failureOf } from "./sqlite_failure.ts";

/** Kept in step with shared/base/limits.ts by a test: importing it would need more permission. */
export const workerLimits = {
  walPagesCheckpoint: 3_000,
  walPagesMax: 16_384,
  checkBytesMax: 256 * 1024 * 1024,
} as const;

/** SQLite's default page. */
const pageBytes = 4_096;

type Transaction = readonly PackedStatement[];

let database: DatabaseSync | undefined;
let path = "";
const texts: string[] = [];
const statements = new Map<number, StatementSync>();

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  self.onmessage = (event: MessageEvent<ToWorker>) => answer(event.data);
}

function send(message: FromWorker): void {
  (self as DedicatedWorkerGlobalScope).postMessage(message);
}

function answer(message: ToWorker): void {
  try {
    if (message.kind === "open") open(message);
    else if (message.kind === "commit") commit(message);
    else stop();
  } catch (thrown) {
    const failure = thrown instanceof Refusal ? thrown.failure : failureOf(thrown);
    send({ kind: message.kind === "open" ? "refused" : "failed", failure });
  }
}

/** Carries a judged failure up to the message loop. */
class Refusal extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

function open(message: { path: string; migrations: readonly Migrations[] }): void {
  path = message.path;
  // A clean stop removes the log: bytes in it mean that the last process was killed.
  const wasUnclean = fileBytes(`${path}-wal`) > 0;
  const opened = new DatabaseSync(path);
  database = opened;
  opened.exec(`
    PRAGMA page_size = 4096; PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384;`);
  if (wasUnclean || fileBytes(path) <= workerLimits.checkBytesMax) check(opened);
  migrate(opened, message.migrations);
  checkpoint(opened);
  send({ kind: "opened", sizes: sizes(), wasUnclean });
}

function check(opened: DatabaseSync): void {
  const row = opened.prepare("PRAGMA quick_check(1)").get();
  const result = row === undefined ? "no answer" : String(Object.values(row)[0]);
  if (result !== "ok") throw new Refusal({ kind: "corrupt", message: result });
}

function migrate(opened: DatabaseSync, migrations: readonly Migrations[]): void {
  opened.exec("BEGIN IMMEDIATE");
  opened.exec(
    "CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL)",
  );
  const found = new Map<string, number>();
  for (const row of opened.prepare("SELECT name, version FROM schema_versions").all()) {
    found.set(String(row["name"]), Number(row["version"]));
  }
  const known = new Map(migrations.map((each) => [each.name, each.steps.length]));
  for (const [name, version] of found) {
    const ours = known.get(name) ?? 0;
    if (version <= ours) continue;
    const message = `tables "${name}" have version ${version}, this program knows ${ours}`;
    throw new Refusal({ kind: "newer", message });
  }
  for (const { name, steps } of migrations) {
    for (const step of steps.slice(found.get(name) ?? 0)) opened.exec(step);
    opened.prepare("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)").run(name, steps.length);
  }
  opened.exec("COMMIT");
}

function commit(
  message: { texts: readonly string[]; transactions: readonly Transaction[]; blobs: ArrayBuffer },
): void {
  if (database === undefined) throw new Error("Cannot commit: the database is not open");
  texts.push(...message.texts);
  const blobs = new Uint8Array(message.blobs);
  const failures = commitWhatFits(database, { transactions: message.transactions, blobs });
  checkpointWhenLong(database);
  send({ kind: "committed", failures, sizes: sizes() });
}

interface Group {
  readonly transactions: readonly Transaction[];
  readonly blobs: Uint8Array;
}

/** On a full disk each goes on its own: a large write must not take small ones (deletes!) along. */
function commitWhatFits(opened: DatabaseSync, group: Group): readonly (Failure | undefined)[] {
  const failures = commitTogether(opened, group);
  if (failures !== "full") return failures;
  if (group.transactions.length <= 1) return [{ kind: "full", message: "the disk is full" }];
  return group.transactions.flatMap((each) =>
    commitWhatFits(opened, { transactions: [each], blobs: group.blobs })
  );
}

/** One commit of all; a wrong statement undoes its own transaction only. */
function commitTogether(
  opened: DatabaseSync,
  group: Group,
): (Failure | undefined)[] | "full" {
  const failures: (Failure | undefined)[] = [];
  try {
    opened.exec("BEGIN IMMEDIATE");
    for (const transaction of group.transactions) {
      failures.push(runOne(opened, transaction, group.blobs));
    }
    opened.exec("COMMIT");
    return failures;
  } catch (thrown) {
    if (failureOf(thrown).kind !== "full") throw thrown;
    if (opened.isTransaction) opened.exec("ROLLBACK");
    return "full";
  }
}

function runOne(
  opened: DatabaseSync,
  transaction: Transaction,
  blobs: Uint8Array,
): Failure | undefined {
  opened.exec("SAVEPOINT one");
  try {
    for (const [text, ...values] of transaction) {
      statementOf(opened, text).run(...values.map((value) => bound(value, blobs)));
    }
    opened.exec("RELEASE one");
    return undefined;
  } catch (thrown) {
    const failure = failureOf(thrown);
    if (failure.kind !== "statement") throw thrown;
    opened.exec("ROLLBACK TO one");
    opened.exec("RELEASE one");
    return failure;
  }
}

/** The library binds every number as a float: whole ones must be integers in expressions too. */
function bound(value: PackedValue, blobs: Uint8Array): SQLInputValue {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (value === null || typeof value !== "object") return value;
  return blobs.subarray(value[0], value[0] + value[1]);
}

function statementOf(opened: DatabaseSync, text: number): StatementSync {
  const known = statements.get(text);
  if (known !== undefined) return known;
  const sql = texts[text];
  if (sql === undefined) throw new Error(`Cannot run statement ${text}: its text was never sent`);
  const prepared = opened.prepare(sql);
  statements.set(text, prepared);
  return prepared;
}

/** Moves the log into the database when it is long; waits for readers only when very long. */
function checkpointWhenLong(opened: DatabaseSync): void {
  const pages = logPages(opened);
  if (pages < workerLimits.walPagesCheckpoint) return;
  checkpoint(opened, pages < workerLimits.walPagesMax ? "PASSIVE" : "TRUNCATE");
}

/** On a full disk the log stays, and all that is in it: the next commit tries again. */
function checkpoint(opened: DatabaseSync, mode: "PASSIVE" | "TRUNCATE" = "PASSIVE"): void {
  try {
    opened.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
  } catch (thrown) {
    if (failureOf(thrown).kind !== "full") throw thrown;
  }
}

/** Pages in the log that are not yet in the database. */
function logPages(opened: DatabaseSync): number {
  const row = opened.prepare("PRAGMA wal_checkpoint(NOOP)").get();
  return Number(row?.["log"] ?? 0) - Number(row?.["checkpointed"] ?? 0);
}

function stop(): void {
  // Closing checkpoints, syncs and removes the log: the mark of a clean stop.
  if (database !== undefined) {
    checkpoint(database);
    database.close();
  }
  database = undefined;
  send({ kind: "stopped" });
}

function sizes(): DatabaseSizes {
  const row = database?.prepare("PRAGMA freelist_count").get();
  const free = Number(row?.["freelist_count"] ?? 0) * pageBytes;
  return { database: Math.max(0, fileBytes(path) - free), wal: fileBytes(`${path}-wal`) };
}

function fileBytes(file: string): number {
  try {
    return Deno.statSync(file).size;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return 0;
    throw thrown;
  }
}
