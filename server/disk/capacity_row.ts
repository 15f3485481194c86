// The capacity that an operator gave this node while it ran, kept for the next starts. Beside it
// stands what the settings said then: settings that say something else since are the later word,
// settings that say the same are only the same command run again (by a supervisor, say).

import type { Database, Migrations, Statement } from "./database.ts";

/** The row's table, for openDatabase(). */
export const capacityMigrations: Migrations = {
  name: "capacity",
  steps: [
    "CREATE TABLE capacity_given (one INTEGER PRIMARY KEY CHECK (one = 1), " +
    "bytes INTEGER NOT NULL, said INTEGER NOT NULL)",
  ],
};

/** Notes a capacity given while the settings said `said`. */
export function putCapacity(bytes: number, said: number): Statement {
  return {
    sql: "INSERT OR REPLACE INTO capacity_given (one, bytes, said) VALUES (1, ?, ?)",
    params: [bytes, said],
  };
}

/** The capacity to start with, when the settings say `said` bytes. @throws as Database.read() */
export function capacityAtStart(database: Database, said: number): number {
  const row = database.readOne<{ bytes: number; said: number }>(
    "SELECT bytes, said FROM capacity_given",
  );
  return row === undefined || row.said !== said ? said : row.bytes;
}
