// The agreement's own state on disk but for the registers (ARCHITECTURE.md, "Agreement"): rosters,
// council promises, what each slot is to this node, the start counter. Beside it, the check that
// keeps a forgetful disk from voting: a database that is missing, or has seen fewer starts than
// the identity file, was lost or restored, and its node must take a new identity.

import { SkyringError } from "../../shared/base/errors.ts";
import { asSlot } from "../../shared/base/ids.ts";
import type {
  AgreementWrite,
  SavedAgreement,
  SavedLane,
  SlotState,
} from "../../shared/record/agreement_port.ts";
import {
  decodeCouncilState,
  decodeRoster,
  encodeCouncilState,
  encodeRoster,
} from "../../shared/wire/roster_message.ts";
import type { Database, Migrations, Statement } from "./database.ts";

/** The tables of the roster chain, for openDatabase(). */
export const rosterMigrations: Migrations = {
  name: "agreement",
  steps: [
    `CREATE TABLE agreement_node (
       one INTEGER PRIMARY KEY CHECK (one = 1), boot INTEGER NOT NULL,
       lane INTEGER NOT NULL, leaving INTEGER NOT NULL, council BLOB
     );
     INSERT INTO agreement_node VALUES (1, 0, 0, 0, NULL);
     CREATE TABLE roster (
       lane INTEGER NOT NULL, epoch INTEGER NOT NULL, body BLOB NOT NULL,
       PRIMARY KEY (lane, epoch)
     ) WITHOUT ROWID;
     CREATE TABLE slot_state (
       lane INTEGER NOT NULL, slot INTEGER NOT NULL, since INTEGER NOT NULL,
       through INTEGER NOT NULL, owed INTEGER NOT NULL, PRIMARY KEY (lane, slot)
     ) WITHOUT ROWID;`,
  ],
};

/** The writes that this table takes. */
export type RosterWrite = Extract<
  AgreementWrite,
  { kind: "roster" | "trim" | "council" | "slots" | "node" }
>;

/** Everything but the rows. @throws {SkyringError} corrupt */
export function loadAgreement(database: Database): SavedAgreement {
  const node = database.readOne<{ lane: number; leaving: number; council: Uint8Array | null }>(
    "SELECT lane, leaving, council FROM agreement_node",
  );
  if (node === undefined) throw corrupt("its row of the node is missing");
  const rosters = database.read<{ lane: number; body: Uint8Array }>(
    "SELECT lane, body FROM roster ORDER BY lane, epoch",
  );
  const states = database.read<SlotRow>("SELECT lane, slot, since, through, owed FROM slot_state");
  const lanes = [...new Set([...rosters, ...states].map(({ lane }) => lane))];
  try {
    return {
      lane: node.lane,
      leaving: node.leaving === 1,
      council: node.council === null ? null : decodeCouncilState(node.council),
      lanes: lanes.map((lane): SavedLane => ({
        lane,
        rosters: rosters.filter((row) => row.lane === lane).map(({ body }) => decodeRoster(body)),
        slots: states.filter((row) => row.lane === lane).map(slotOfRow),
      })),
    };
  } catch (cause) {
    throw corrupt("a roster cannot be read", cause);
  }
}

/** The lane whose rows are this node's present registers. */
export function loadLane(database: Database): number {
  return database.readOne<{ lane: number }>("SELECT lane FROM agreement_node")?.lane ?? 0;
}

/** The statements of one write. @throws never */
export function rosterStatements(write: RosterWrite): Statement[] {
  switch (write.kind) {
    case "roster":
      return [{
        sql: "INSERT OR REPLACE INTO roster (lane, epoch, body) VALUES (?, ?, ?)",
        params: [write.lane, write.roster.epoch, encodeRoster(write.roster)],
      }];
    case "trim":
      return [{
        sql: "DELETE FROM roster WHERE lane = ? AND epoch < ?",
        params: [write.lane, write.before],
      }];
    case "council":
      return [{
        sql: "UPDATE agreement_node SET council = ?",
        params: [write.state === null ? null : encodeCouncilState(write.state)],
      }];
    case "node":
      return [{
        sql: "UPDATE agreement_node SET lane = ?, leaving = ?",
        params: [write.lane, write.leaving ? 1 : 0],
      }];
    case "slots":
      return slotStatements(write);
    default:
      return write satisfies never;
  }
}

/** Number of starts that the database has seen; 0 for a new one. @throws {SkyringError} corrupt */
export function startsSeen(database: Database): number {
  return database.readOne<{ boot: number }>("SELECT boot FROM agreement_node")?.boot ?? 0;
}

/**
 * Whether a database may vote for an identity whose file has counted `starts` starts before this
 * one. The counter goes to the database first (`countStart`), then to the identity file, so a
 * crash between the two leaves the database ahead, never behind.
 * @returns "new identity" when the database was lost or restored from a backup
 */
export function checkStarts(database: Database, starts: number): "same" | "new identity" {
  return startsSeen(database) >= starts ? "same" : "new identity";
}

/** Makes the number of this start durable, before the first message of it. */
export async function countStart(database: Database, boot: number): Promise<void> {
  await database.write([{
    sql: "UPDATE agreement_node SET boot = max(boot, ?)",
    params: [boot],
  }]);
}

/** Empties the agreement's tables: for a node that took a new identity, whose votes are gone. */
export async function forgetAgreement(database: Database): Promise<void> {
  const tables = ["roster", "slot_state", "register_row", "register_floor", "register_stage"];
  await database.write([
    ...tables.map((table) => ({ sql: `DELETE FROM ${table}`, params: [] })),
    {
      sql: "UPDATE agreement_node SET boot = 0, lane = 0, leaving = 0, council = NULL",
      params: [],
    },
  ]);
}

interface SlotRow {
  readonly lane: number;
  readonly slot: number;
  readonly since: number;
  readonly through: number;
  readonly owed: number;
}

function slotOfRow({ slot, since, through, owed }: SlotRow): SlotState {
  return { slot: asSlot(slot), since, through, owed: owed === 1 };
}

/** All slots in two statements: founding writes every slot of the ring at once. */
function slotStatements(write: Extract<RosterWrite, { kind: "slots" }>): Statement[] {
  const json = JSON.stringify(
    write.slots.map(({ slot, since, through, owed }) => [slot, since, through, owed ? 1 : 0]),
  );
  return [{
    sql: `INSERT OR REPLACE INTO slot_state (lane, slot, since, through, owed)
          SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)`,
    params: [write.lane, json],
  }, {
    sql: `DELETE FROM slot_state WHERE lane = ? AND since = 0 AND through = 0 AND owed = 0`,
    params: [write.lane],
  }];
}

function corrupt(reason: string, cause?: unknown): SkyringError {
  return new SkyringError("corrupt", `Cannot read agreement: ${reason}`, { cause });
}
