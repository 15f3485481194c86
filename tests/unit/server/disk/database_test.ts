// The database against its promises: order, atomicity, what a crash or a newer program leaves.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import {
  databaseCheckBytesMax,
  queuedStatementsMax,
  walPagesCheckpoint,
  walPagesMax,
} from "../../../../shared/base/limits.ts";
import { type Database, type Migrations, openDatabase } from "../../../../server/disk/database.ts";
import { workerLimits } from "../../../../server/disk/database_worker.ts";

const facts: Migrations = {
  name: "facts",
  steps: ["CREATE TABLE facts (id INTEGER PRIMARY KEY, body BLOB, text TEXT) STRICT"],
};
const insert = "INSERT INTO facts VALUES (?, ?, ?)";
const ids = "SELECT id FROM facts ORDER BY id";

interface FactRow {
  readonly id: number;
  readonly body: Uint8Array | null;
  readonly text: string | null;
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function withDatabase(use: (database: Database, path: string) => Promise<void>) {
  await inFolder(async (folder) => {
    const path = `${folder}/skyring.db`;
    const database = await openDatabase({ path, migrations: [facts] });
    try {
      await use(database, path);
    } finally {
      await database.stop();
    }
  });
}

function hasCode(code: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof SkyringError && thrown.code === code;
}

Deno.test("Database.write() makes rows readable, with every kind of value", () =>
  withDatabase(async (database) => {
    // A view inside a larger buffer: only its own bytes may arrive.
    const view = new Uint8Array(1_000_000).fill(9).subarray(10, 13).fill(7);
    await database.write([
      { sql: insert, params: [1, view, "text"] },
      { sql: insert, params: [2n, new Uint8Array(0), null] },
      { sql: insert, params: [3, null, ""] },
    ]);
    const rows = database.read<FactRow>("SELECT * FROM facts ORDER BY id");
    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { id: 1, body: new Uint8Array([7, 7, 7]), text: "text" },
      { id: 2, body: new Uint8Array(0), text: null },
      { id: 3, body: null, text: "" },
    ]);
    assert.equal(database.readOne<FactRow>("SELECT * FROM facts WHERE id = ?", 4), undefined);
  }));

Deno.test("Database.write() keeps the order of calls and groups them", () =>
  withDatabase(async (database) => {
    const order: number[] = [];
    const writes = Array.from({ length: 500 }, (_, id) =>
      database.write([
        { sql: insert, params: [id, null, null] },
        { sql: "UPDATE facts SET text = 'last ' || ?1 WHERE id = 0", params: [id] },
      ]).then(() => order.push(id)));
    await Promise.all(writes);
    assert.deepEqual(order, order.toSorted((a, b) => a - b));
    const first = database.readOne<FactRow>("SELECT * FROM facts WHERE id = 0");
    assert.equal(first?.text, "last 499");
  }));

Deno.test("Database.write() undoes only the transaction that is wrong", () =>
  withDatabase(async (database) => {
    const outcomes = await Promise.allSettled([
      database.write([{ sql: insert, params: [1, null, null] }]),
      database.write([
        { sql: insert, params: [2, null, null] },
        { sql: insert, params: [1, null, null] },
      ]),
      database.write([{ sql: "INSERT INTO nowhere VALUES (1)", params: [] }]),
      database.write([{ sql: insert, params: [3, null, null] }]),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status === "fulfilled"), [
      true,
      false,
      false,
      true,
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") assert.ok(hasCode("conflict")(outcome.reason));
    }
    assert.deepEqual(database.read<FactRow>(ids).map(({ id }) => id), [1, 3]);
  }));

Deno.test("Database.write() answers busy when its queue is full, and goes on", () =>
  withDatabase(async (database) => {
    const many = Array.from({ length: 4_000 }, () => ({ sql: "DELETE FROM facts", params: [] }));
    const writes: Promise<void>[] = [];
    for (let count = 0; count < queuedStatementsMax; count += many.length) {
      writes.push(database.write(many));
    }
    await assert.rejects(database.write(many), hasCode("busy"));
    await Promise.all(writes);
    await database.write([{ sql: insert, params: [1, null, null] }]);
    assert.equal(database.read(ids).length, 1);
  }));

Deno.test("Database.stop() lets queued writes finish and refuses later ones", () =>
  withDatabase(async (database, path) => {
    const writes = Array.from(
      { length: 50 },
      (_, id) => database.write([{ sql: insert, params: [id, null, null] }]),
    );
    await Promise.all([database.stop(), database.stop()]);
    await Promise.all(writes);
    await assert.rejects(
      database.write([{ sql: insert, params: [99, null, null] }]),
      hasCode("stopped"),
    );
    assert.throws(() => database.read(ids), hasCode("stopped"));
    const again = await openDatabase({ path, migrations: [facts] });
    assert.equal(again.wasUnclean, false, "a clean stop leaves no log");
    assert.equal(again.read(ids).length, 50);
    await again.stop();
  }));

Deno.test("Database.scan() pages through all rows without holding a read open", () =>
  withDatabase(async (database) => {
    await database.write(
      Array.from({ length: 25 }, (_, id) => ({ sql: insert, params: [id, null, null] })),
    );
    const seen: number[] = [];
    const pages = database.scan<FactRow>(
      "SELECT * FROM facts WHERE id > ? ORDER BY id LIMIT ?",
      { after: [-1], keyOf: (row) => [row.id], pageRows: 10 },
    );
    for await (const page of pages) {
      assert.ok(page.length <= 10);
      seen.push(...page.map(({ id }) => id));
      await database.write([{ sql: "DELETE FROM facts WHERE id = 24", params: [] }]);
    }
    assert.deepEqual(seen, Array.from({ length: 24 }, (_, id) => id));
  }));

Deno.test("Database keeps its log bounded under many writes", () =>
  withDatabase(async (database) => {
    const body = new Uint8Array(16_384).fill(1);
    let walMost = 0;
    for (let id = 0; id < 3_000; id += 50) {
      await Promise.all(
        Array.from(
          { length: 50 },
          (_, next) => database.write([{ sql: insert, params: [id + next, body, null] }]),
        ),
      );
      walMost = Math.max(walMost, database.sizeBytes().wal);
    }
    assert.ok(database.sizeBytes().database > 2_000 * 16_384);
    assert.ok(walMost < 16 * 1024 * 1024, `the log grew to ${walMost} bytes`);
  }));

Deno.test("openDatabase() runs only the new steps of a newer program", () =>
  inFolder(async (folder) => {
    const path = `${folder}/skyring.db`;
    const first = await openDatabase({ path, migrations: [facts] });
    await first.write([{ sql: insert, params: [1, null, "old"] }]);
    await first.stop();
    const newer: Migrations = {
      name: "facts",
      steps: [...facts.steps, "ALTER TABLE facts ADD COLUMN note TEXT DEFAULT 'none'"],
    };
    const second = await openDatabase({ path, migrations: [newer] });
    assert.equal(second.readOne<{ note: string }>("SELECT note FROM facts")?.note, "none");
    await second.stop();
    await assert.rejects(
      openDatabase({ path, migrations: [facts] }),
      (thrown) =>
        hasCode("conflict")(thrown) && /version 2, this program knows 1/.test(String(thrown)),
    );
    await assert.rejects(openDatabase({ path, migrations: [] }), hasCode("conflict"));
  }));

Deno.test("openDatabase() names the file when it is corrupt", () =>
  inFolder(async (folder) => {
    const path = `${folder}/skyring.db`;
    await Deno.writeFile(path, crypto.getRandomValues(new Uint8Array(8_192)));
    await assert.rejects(
      openDatabase({ path, migrations: [facts] }),
      (thrown) => hasCode("corrupt")(thrown) && (thrown as SkyringError).data["file"] === path,
    );
  }));

Deno.test("openDatabase() says disk_failed when the folder is missing", () =>
  inFolder(async (folder) => {
    await assert.rejects(
      openDatabase({ path: `${folder}/none/skyring.db`, migrations: [facts] }),
      hasCode("disk_failed"),
    );
  }));

/** Source: Redundancy Does Not Imply Fault Tolerance, FAST 2017: zeros and noise in every page. */
Deno.test("openDatabase() refuses or reads a damaged file, and says corrupt", () =>
  inFolder(async (folder) => {
    const path = `${folder}/skyring.db`;
    const first = await openDatabase({ path, migrations: [facts] });
    const texts = Array.from({ length: 300 }, (_, id) => `text ${id} `.padEnd(200, "x"));
    await first.write(texts.map((text, id) => ({ sql: insert, params: [id, null, text] })));
    await first.stop();
    const whole = await Deno.readFile(path);
    const pages = whole.length / 4096;
    let refused = 0;
    for (let page = 0; page < pages; page++) {
      for (const fault of ["zeros", "noise", "cut"] as const) {
        const damaged = whole.slice(0, fault === "cut" ? page * 4096 + 100 : whole.length);
        const bytes = damaged.subarray(page * 4096, page * 4096 + 4096);
        if (fault === "zeros") bytes.fill(0);
        if (fault === "noise") crypto.getRandomValues(bytes);
        await Deno.writeFile(path, damaged);
        try {
          const database = await openDatabase({ path, migrations: [facts] });
          await database.stop();
        } catch (thrown) {
          assert.ok(hasCode("corrupt")(thrown), `page ${page}, ${fault}: ${thrown}`);
          refused++;
        }
        for (const end of ["-wal", "-shm"]) {
          await Deno.remove(`${path}${end}`).catch(() => undefined);
        }
      }
    }
    // A zeroed first page is an empty database; every other fault shows.
    assert.ok(refused >= 3 * pages - 2, `${refused} of ${3 * pages} faults were noticed`);
  }));

Deno.test("workerLimits follow the limits of the program", () => {
  assert.deepEqual(workerLimits, {
    walPagesCheckpoint,
    walPagesMax,
    checkBytesMax: databaseCheckBytesMax,
  });
});
