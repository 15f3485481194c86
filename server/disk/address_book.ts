// Addresses at which members were last reached, so that a node that starts again finds its group
// without being told where it is.

import type { NodeId } from "../../shared/base/ids.ts";
import type { Database, Migrations, Statement } from "./database.ts";

/** The address book's table, for openDatabase(). */
export const addressMigrations: Migrations = {
  name: "addresses",
  steps: [
    "CREATE TABLE member_address (id TEXT PRIMARY KEY, addresses TEXT NOT NULL) WITHOUT ROWID",
  ],
};

/** All known addresses, by member. */
export function readAddresses(database: Database): Map<NodeId, readonly string[]> {
  const rows = database.read<{ id: NodeId; addresses: string }>(
    "SELECT id, addresses FROM member_address",
  );
  return new Map(rows.map(({ id, addresses }) => [id, JSON.parse(addresses) as string[]]));
}

/** Notes a member's addresses. */
export function putAddresses(id: NodeId, addresses: readonly string[]): Statement {
  return {
    sql: "INSERT OR REPLACE INTO member_address (id, addresses) VALUES (?, ?)",
    params: [id, JSON.stringify(addresses)],
  };
}

/** Forgets a member that left the roster. */
export function dropAddresses(id: NodeId): Statement {
  return { sql: "DELETE FROM member_address WHERE id = ?", params: [id] };
}
