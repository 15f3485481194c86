// The node's one SQLite database: every write goes through a worker thread that joins many
// callers' transactions into one durable commit (group commit); reads run here, on a read-only
// connection that sees everything committed, because a round trip to a worker costs twenty reads.
//
//   write() -> queue -> [at most one message under way] -> worker: BEGIN .. COMMIT, sync -> resolve
//
// Invariants: writes take effect in the order of the calls; a resolved write is on disk; after one
// failed commit or sync none is tried again, every later write rejects, and `onFailed` is called,
// upon which the node must stop. It knows no table: modules bring theirs as `Migrations`.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { SkyringError } from "../../shared/base/errors.ts";
import { sqlTextsMax } from "../../shared/base/limits.ts";
import { type CommitQueue, createCommitQueue } from "./commit_queue.ts";
import type {
  DatabaseSizes,
  Failure,
  FromWorker,
  Migrations,
  SqlValue,
  Statement,
  ToWorker,
} from "./database_messages.ts";
import { failureOf } from "./sqlite_failure.ts";

export type { DatabaseSizes, Migrations, SqlValue, Statement } from "./database_messages.ts";

export interface DatabaseOptions {
  /** The database file; its folder exists. */
  readonly path: string;
  /** The tables of every module that uses this database. */
  readonly migrations: readonly Migrations[];
  /** Called once, when a commit or sync failed: the node must stop. */
  readonly onFailed?: (error: SkyringError) => void;
  /** Gives up before opening; an opened database ends with stop(). */
  readonly signal?: AbortSignal;
}

/** How a scan pages: `sql` takes the values of `after`, then the page's row limit. */
export interface ScanOptions<Row> {
  readonly after: readonly SqlValue[];
  /** The values of `after` for the page that follows this row. */
  readonly keyOf: (row: Row) => readonly SqlValue[];
  readonly pageRows?: number;
  readonly signal?: AbortSignal;
}

export interface Database {
  /**
   * One atomic transaction, durable when resolved. Statements run in order.
   * @throws {SkyringError} conflict (a constraint or a wrong statement: nothing changed, others
   * went on), metadata_full (no room on disk: nothing changed), busy (queue full, retriable),
   * disk_failed (this and every later write: the node must stop), corrupt, stopped
   */
  write(statements: readonly Statement[]): Promise<void>;
  /** All rows, of everything committed. Keep it to about a thousand rows: it runs on this thread.
   * @throws {SkyringError} corrupt, disk_failed, stopped */
  read<Row>(sql: string, ...params: SqlValue[]): Row[];
  /** The first row, or undefined. @throws as read() */
  readOne<Row>(sql: string, ...params: SqlValue[]): Row | undefined;
  /** Pages of rows, each its own short read with a turn of the event loop between them. */
  scan<Row>(sql: string, options: ScanOptions<Row>): AsyncGenerator<readonly Row[]>;
  /** Bytes on disk after the last commit. */
  sizeBytes(): DatabaseSizes;
  /** True when the process before this one did not stop cleanly. */
  readonly wasUnclean: boolean;
  /** Lets queued writes finish, then closes. Never throws; a second call waits for the first. */
  stop(): Promise<void>;
}

const pageRowsDefault = 500;

/**
 * Opens or creates a database and brings its tables to the newest version.
 * @throws {SkyringError} corrupt (data.file), conflict (written by a newer program), disk_failed
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  options.signal?.throwIfAborted();
  const worker = new Worker(new URL("./database_worker.ts", import.meta.url), { type: "module" });
  try {
    const opened = await openInWorker(worker, options);
    const reader = new DatabaseSync(options.path, { readOnly: true });
    reader.exec("PRAGMA busy_timeout = 5000; PRAGMA cache_size = -8192; PRAGMA query_only = ON");
    return assemble({ worker, reader, options, opened });
  } catch (thrown) {
    worker.terminate();
    throw thrown instanceof SkyringError ? thrown : errorOf(failureOf(thrown), options.path);
  }
}

type Opened = Extract<FromWorker, { kind: "opened" }>;

function openInWorker(worker: Worker, options: DatabaseOptions): Promise<Opened> {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(errorOf({ kind: "disk", message: event.message }, options.path));
    };
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      const answer = event.data;
      if (answer.kind === "opened") resolve(answer);
      else if (answer.kind === "refused") reject(errorOf(answer.failure, options.path));
    };
    const { path, migrations } = options;
    worker.postMessage({ kind: "open", path, migrations } satisfies ToWorker);
  });
}

function assemble(
  parts: { worker: Worker; reader: DatabaseSync; options: DatabaseOptions; opened: Opened },
): Database {
  const { worker, reader, options, opened } = parts;
  const queue = createCommitQueue({
    worker,
    sizes: opened.sizes,
    errorOf: (failure) => errorOf(failure, options.path),
    onFailed: options.onFailed ?? (() => {}),
  });
  const prepared = new Map<string, StatementSync>();
  const rows = <Row>(sql: string, params: readonly SqlValue[]): Row[] => {
    try {
      return statementOf({ reader, prepared }, sql).all(...params.map(bound)) as Row[];
    } catch (thrown) {
      throw thrown instanceof SkyringError ? thrown : errorOf(failureOf(thrown), options.path);
    }
  };
  let stopping: Promise<void> | undefined;
  return {
    write: (statements) => queue.write(statements),
    read: (sql, ...params) => rows(sql, params),
    readOne: <Row>(sql: string, ...params: SqlValue[]) => rows<Row>(sql, params)[0],
    scan: (sql, scanOptions) => scan(rows, { sql, ...scanOptions }),
    sizeBytes: () => queue.sizes(),
    wasUnclean: opened.wasUnclean,
    stop: () => stopping ??= stopAll({ queue, reader, worker }),
  };
}

async function stopAll(
  parts: { queue: CommitQueue; reader: DatabaseSync; worker: Worker },
): Promise<void> {
  await parts.queue.drain();
  // The reader first: only the last connection to close removes the log.
  parts.reader.close();
  await parts.queue.close();
  parts.worker.terminate();
}

/** As in the worker: whole numbers are bound as integers, never as floats. */
function bound(value: SqlValue): SqlValue {
  return Number.isSafeInteger(value) ? BigInt(value as number) : value;
}

function statementOf(
  cache: { reader: DatabaseSync; prepared: Map<string, StatementSync> },
  sql: string,
): StatementSync {
  const known = cache.prepared.get(sql);
  if (known !== undefined) return known;
  if (!cache.reader.isOpen) throw new SkyringError("stopped", "Cannot read: database is stopped");
  if (cache.prepared.size >= sqlTextsMax) cache.prepared.clear();
  const statement = cache.reader.prepare(sql);
  cache.prepared.set(sql, statement);
  return statement;
}

async function* scan<Row>(
  rows: (sql: string, params: readonly SqlValue[]) => Row[],
  options: ScanOptions<Row> & { readonly sql: string },
): AsyncGenerator<readonly Row[]> {
  const pageRows = options.pageRows ?? pageRowsDefault;
  let after = options.after;
  while (true) {
    options.signal?.throwIfAborted();
    const page = rows(options.sql, [...after, pageRows]);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    if (page.length < pageRows) return;
    after = options.keyOf(last);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function errorOf(failure: Failure, path: string): SkyringError {
  const data = { file: path, reason: failure.message };
  const say = (what: string) => `${what}: ${failure.message}`;
  switch (failure.kind) {
    case "statement":
      return new SkyringError("conflict", say("Cannot run transaction"), { data });
    case "full":
      return new SkyringError("metadata_full", say("Cannot write database"), {
        data,
        retriable: true,
      });
    case "corrupt":
      return new SkyringError("corrupt", say(`Cannot use database ${path}`), { data });
    case "newer":
      return new SkyringError("conflict", say(`Cannot open database ${path}`), { data });
    case "disk":
      return new SkyringError("disk_failed", say(`Cannot use database ${path}`), { data });
    default:
      return failure.kind satisfies never;
  }
}
