// Register rows and the roster table in a real database: the agreement's disk contract.

import assert from "node:assert/strict";
import { join } from "node:path";
import { asNodeId, asSlot } from "../../../../shared/base/ids.ts";
import type { AgreementWrite, RegisterRow } from "../../../../shared/record/agreement_port.ts";
import type { Ballot, Value } from "../../../../shared/record/value.ts";
import { foundingRoster } from "../../../../shared/ring/roster_change.ts";
import { type Database, openDatabase } from "../../../../server/disk/database.ts";
import {
  createRegisterTable,
  joins,
  registerMigrations,
  registerStatements,
  type RegisterWrite,
} from "../../../../server/disk/register_rows.ts";
import {
  checkStarts,
  countStart,
  forgetAgreement,
  loadAgreement,
  rosterMigrations,
  rosterStatements,
} from "../../../../server/disk/roster_table.ts";

const slot = asSlot(5);
const lane = 0;
const ballot = (round: number): Ballot => [1, round, asNodeId("A"), 1];
const body = new Uint8Array([7]);

function value(round: number, deleted = false): Value {
  return {
    ...{ version: ballot(round), n: 1, stamp: [round * 1_000, 0], deleted },
    ...{ recent: [ballot(round)], body: deleted ? new Uint8Array(0) : body },
  };
}

function row(key: string, round: number): RegisterRow {
  return { key, promised: ballot(round), accepted: ballot(round), value: value(round) };
}

async function withDatabase(test: (database: Database) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "test.sqlite");
  const migrations = [rosterMigrations, registerMigrations];
  const database = await openDatabase({ path, migrations });
  try {
    await test(database);
  } finally {
    await database.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const write = (database: Database, ...writes: readonly RegisterWrite[]) =>
  database.write(writes.flatMap((one) => registerStatements([one])));

Deno.test("createRegisterTable() shows rows and floors before they are durable", async () => {
  await withDatabase(async (database) => {
    const table = createRegisterTable(database);
    const rows = table.rows(lane);
    await write(database, { kind: "row", lane, slot, row: row("key\0b", 1) });
    const step: readonly AgreementWrite[] = [
      { kind: "row", lane, slot, row: row("key\0a", 2) },
      { kind: "drop row", lane, slot, key: "key\0b" },
      { kind: "floor", lane, slot, floor: ballot(9) },
    ];
    table.show(step, 1);
    assert.deepEqual(rows.get(slot, "key\0a"), row("key\0a", 2));
    assert.equal(rows.get(slot, "key\0b"), undefined);
    assert.deepEqual(rows.scan(slot, { after: "", limit: 9 }), [row("key\0a", 2)]);
    assert.deepEqual(rows.floor(slot), ballot(9));
    table.settled(1);
    assert.equal(rows.get(slot, "key\0a"), undefined);
    assert.deepEqual(rows.get(slot, "key\0b"), row("key\0b", 1));
    assert.equal(rows.floor(slot), null);
  });
});

Deno.test("createRegisterTable() pages every key once while rows come and go", async () => {
  await withDatabase(async (database) => {
    const table = createRegisterTable(database);
    const keys = Array.from({ length: 30 }, (_, n) => `key\0é${String(n).padStart(2, "0")}`);
    await write(
      database,
      ...keys.filter((_, n) => n % 2 === 0).map((key): RegisterWrite => ({
        ...{ kind: "row", lane, slot, row: row(key, 1) },
      })),
    );
    const pending = keys.flatMap((key, n): AgreementWrite[] => {
      if (n % 2 === 1) return [{ kind: "row", lane, slot, row: row(key, 1) }];
      return n >= 4 && n < 24 ? [{ kind: "drop row", lane, slot, key }] : [];
    });
    table.show(pending, 1);
    const expected = keys.filter((_, n) => n % 2 === 1 || n < 4 || n >= 24);
    for (const limit of [1, 3, 7, 100]) {
      const seen: string[] = [];
      for (let after = "";;) {
        const page = table.rows(lane).scan(slot, { after, limit });
        seen.push(...page.map(({ key }) => key));
        after = seen[seen.length - 1] ?? after;
        if (page.length < limit) break;
      }
      assert.deepEqual(seen, expected, `limit ${limit}`);
    }
  });
});

Deno.test("install keeps the greater staged ballot and nothing of the old rows", async () => {
  await withDatabase(async (database) => {
    const rows = createRegisterTable(database).rows(lane);
    const staged = (key: string, round: number) => ({
      ...{ key, accepted: ballot(round), value: value(round) },
    });
    await write(
      database,
      { kind: "row", lane, slot, row: row("old", 50) },
      { kind: "floor", lane, slot, floor: ballot(60) },
      { kind: "stage", lane, slot, rows: [staged("x", 2), staged("y", 300)] },
      { kind: "stage", lane, slot, rows: [staged("x", 3), staged("y", 4)] },
      { kind: "install", lane, slot },
    );
    const found = rows.scan(slot, { after: "", limit: 9 });
    assert.deepEqual(found, [row("x", 3), row("y", 300)]);
    assert.equal(rows.floor(slot), null);
    await write(database, { kind: "install", lane, slot });
    assert.equal(rows.empty(), true);
  });
});

Deno.test("registerStatements() drops a run of slots in one go, and no other", async () => {
  await withDatabase(async (database) => {
    const rows = createRegisterTable(database).rows(lane);
    const slots = [1, 2, 3].map(asSlot);
    for (const one of slots) {
      await write(database, { kind: "row", lane, slot: one, row: row("k", 1) });
    }
    const drops = slots.slice(0, 2).map((one): RegisterWrite => ({
      ...{ kind: "drop slot", lane, slot: one },
    }));
    assert.equal(
      joins({ kind: "drop slot", lane, slot }, { kind: "drop slot", lane: 1, slot }),
      false,
    );
    await database.write(registerStatements(drops));
    const left = slots.filter((one) => rows.get(one, "k") !== undefined);
    assert.deepEqual(left, [3]);
  });
});

Deno.test("tombstones() lists deleted keys older than asked, and no live ones", async () => {
  await withDatabase(async (database) => {
    const rows = createRegisterTable(database).rows(lane);
    const tomb = (key: string, round: number) => ({
      ...row(key, round),
      value: value(round, true),
    });
    await write(
      database,
      { kind: "row", lane, slot, row: row("live", 1) },
      { kind: "row", lane, slot, row: tomb("old", 1) },
      { kind: "row", lane, slot, row: tomb("young", 9) },
    );
    assert.deepEqual(rows.tombstones({ beforeMs: 5_000, limit: 9 }), [{ slot, key: "old" }]);
  });
});

Deno.test("loadAgreement() finds what was written, and nothing after it was forgotten", async () => {
  await withDatabase(async (database) => {
    const founder = asNodeId("A");
    const roster = foundingRoster({
      ...{ founder, foundedAt: 1, salt: "0".repeat(32), capacity: 1, zone: "z" },
    });
    const state = { promised: [1, founder, 1] as const, accepted: null };
    await database.write([
      ...rosterStatements({ kind: "node", lane: 2, leaving: true }),
      ...rosterStatements({ kind: "roster", lane: 2, roster }),
      ...rosterStatements({ kind: "council", state }),
      ...rosterStatements({
        ...{ kind: "slots", lane: 2 },
        slots: [
          { slot: asSlot(1), since: 3, through: 0, owed: true },
          { slot: asSlot(2), since: 0, through: 0, owed: false },
        ],
      }),
    ]);
    assert.deepEqual(loadAgreement(database), {
      ...{ lane: 2, leaving: true, council: state },
      lanes: [{
        ...{ lane: 2, rosters: [roster] },
        slots: [{ slot: asSlot(1), since: 3, through: 0, owed: true }],
      }],
    });
    await forgetAgreement(database);
    assert.deepEqual(loadAgreement(database).lanes, []);
  });
});

Deno.test("checkStarts() wants a new identity when the database saw fewer starts", async () => {
  await withDatabase(async (database) => {
    assert.equal(checkStarts(database, 0), "same");
    assert.equal(checkStarts(database, 1), "new identity");
    await countStart(database, 3);
    assert.equal(checkStarts(database, 3), "same");
    assert.equal(checkStarts(database, 2), "same");
    assert.equal(checkStarts(database, 4), "new identity");
  });
});
