// What the database and its worker tell each other. Blobs travel packed in one buffer that is
// transferred, never as views of the caller's memory: cloning a small view of a large buffer
// would clone all of it. SQL texts are sent once and named by number afterwards.
//
// Types only: the worker's module graph stays two files, all the read permission it needs.

/** What a statement takes: integers beyond 2^53 as bigint. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** One statement of a transaction; `sql` is a constant text, values go into `params`. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** A parameter on its way: `[offset, length]` is a blob in the message's buffer. */
export type PackedValue = null | number | bigint | string | readonly [number, number];

/** One statement: the number of its text, then its parameters. */
export type PackedStatement = readonly [number, ...PackedValue[]];

/** Tables of one module: step i brings them from version i to version i + 1. */
export interface Migrations {
  /** The module's name, the same for ever. */
  readonly name: string;
  /** SQL of each step, appended to and never changed once released. */
  readonly steps: readonly string[];
}

export type ToWorker =
  | { readonly kind: "open"; readonly path: string; readonly migrations: readonly Migrations[] }
  | {
    readonly kind: "commit";
    /** Texts not sent before; numbers go up in this order. */
    readonly texts: readonly string[];
    readonly transactions: readonly (readonly PackedStatement[])[];
    readonly blobs: ArrayBuffer;
  }
  | { readonly kind: "stop" };

/** Why SQLite refused. `statement`: that transaction alone is wrong; the others went on. */
export interface Failure {
  readonly kind: "statement" | "full" | "corrupt" | "disk" | "newer";
  readonly message: string;
}

export interface DatabaseSizes {
  /** Bytes of the database file that are in use: free pages do not count. */
  readonly database: number;
  /** Bytes of the write-ahead log. */
  readonly wal: number;
}

export type FromWorker =
  | { readonly kind: "opened"; readonly sizes: DatabaseSizes; readonly wasUnclean: boolean }
  | { readonly kind: "refused"; readonly failure: Failure }
  /** Durable, except where `failures[i]` is set: then transaction i changed nothing. */
  | {
    readonly kind: "committed";
    readonly failures: readonly (Failure | undefined)[];
    readonly sizes: DatabaseSizes;
  }
  /** A write or sync failed: nothing is known of what the last commit left on disk. */
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "stopped" };
