// The last start of each member that this node met: how many starts it had counted, and the random
// name of that one. A member that comes with fewer, or with as many under another name, runs on a
// data folder that was restored from a backup: it has forgotten what it promised since.

import type { NodeId } from "../../shared/base/ids.ts";
import type { StartMark } from "../../shared/wire/admission.ts";
import type { StartMarks } from "../net/admission.ts";
import type { Database, Migrations } from "./database.ts";

/** The table of the marks, for openDatabase(). */
export const startMarkMigrations: Migrations = {
  name: "start_marks",
  steps: [
    `CREATE TABLE member_start (
       id TEXT PRIMARY KEY, starts INTEGER NOT NULL, boot TEXT NOT NULL
     ) STRICT, WITHOUT ROWID`,
  ],
};

/** Marks over a database. A mark that cannot be written is told to `onFailed`. @throws never */
export function createStartMarks(
  database: Database,
  onFailed: (error: unknown) => void,
): StartMarks {
  const find = (id: NodeId): StartMark | undefined =>
    database.readOne("SELECT starts, boot FROM member_start WHERE id = ?", id);
  return {
    last: find,
    note: (id, { starts, boot }) => {
      const known = find(id);
      if (known?.starts === starts && known.boot === boot) return;
      database.write([{
        sql: `INSERT INTO member_start VALUES (?1, ?2, ?3) ON CONFLICT (id) DO
              UPDATE SET starts = ?2, boot = ?3 WHERE starts < ?2`,
        params: [id, starts, boot],
      }]).catch(onFailed);
    },
  };
}
