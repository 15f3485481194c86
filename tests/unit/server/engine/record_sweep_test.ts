// The sweep over the registers, on a real database: it fills a catalog that was emptied, and says
// so only when every register was compared.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId, asSlot } from "../../../../shared/base/ids.ts";
import { registerKey } from "../../../../shared/record/register_key.ts";
import type { RecordKey, Value } from "../../../../shared/record/value.ts";
import { catalogMigrations } from "../../../../server/disk/catalog_table.ts";
import { type Database, openDatabase } from "../../../../server/disk/database.ts";
import { registerMigrations, registerStatements } from "../../../../server/disk/register_rows.ts";
import { rosterMigrations } from "../../../../server/disk/roster_table.ts";
import { Catalog } from "../../../../server/engine/catalog.ts";
import { type RecordSweep, startRecordSweep } from "../../../../server/engine/record_sweep.ts";
import type { StepReport } from "../../../../server/engine/workers.ts";

const node = asNodeId("n");
const dayMs = 86_400_000;

interface Sweep {
  readonly database: Database;
  readonly rows: Map<string, Value>;
  /** Opens the catalog anew, as a start does. */
  open(): Promise<Catalog>;
  /** Runs one pass; reads of `failing` names find no quorum. */
  pass(failing?: ReadonlySet<string>): Promise<void>;
  /** The epoch in which all registers are in their places. */
  settledIn: number | undefined;
  /** Keys that were read the long way. */
  readonly settledKeys: string[];
  quietMs(): number | undefined;
  /** Called once, when the next page was read. */
  onPage: () => void;
  /** Time passes. */
  wait(ms: number): void;
}

async function withSweep(names: number, use: (sweep: Sweep) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const migrations = [catalogMigrations, registerMigrations, rosterMigrations];
  const database = await openDatabase({ path: `${folder}/skyring.db`, migrations });
  const rows = new Map<string, Value>();
  for (let at = 0; at < names; at++) rows.set(`f${at}`, valueOf(at + 1));
  const statements = registerStatements([...rows].map(([name, value]) => ({
    ...{ kind: "row", lane: 0, slot: asSlot(0) },
    row: { key: registerKey(keyOf(name)), promised: null, accepted: value.version, value },
  })));
  for (let at = 0; at < statements.length; at += 500) {
    await database.write(statements.slice(at, at + 500));
  }
  let step: (signal: AbortSignal) => Promise<StepReport> = () => Promise.reject();
  let catalog: Catalog | undefined;
  let running: RecordSweep | undefined;
  let failing: ReadonlySet<string> = new Set();
  let now = 0;
  const sweep: Sweep = {
    ...{ database, rows, settledIn: 1, settledKeys: [], onPage: () => undefined },
    quietMs: () => running?.quietMs(),
    wait: (ms) => void (now += ms),
    async open() {
      const opened = await Catalog.open({
        ...{ database, tombstoneAgeMs: 30 * dayMs, now: Date.now, isComplete: () => true },
      });
      catalog = opened;
      running = startRecordSweep({
        ...{ database, catalog: opened, ready: () => true, now: () => now },
        settledIn: () => sweep.settledIn,
        flushed: () => Promise.resolve(),
        workers: {
          start: (options: { readonly step: typeof step }) => {
            step = options.step;
            return { wake: () => undefined };
          },
        } as unknown as Parameters<typeof startRecordSweep>[0]["workers"],
        read: async (key: RecordKey, { settle }: { readonly settle: boolean }) => {
          if (settle) sweep.settledKeys.push(key.name);
          if (failing.has(key.name)) {
            throw new SkyringError("no_quorum", "Cannot decide: no quorum");
          }
          const value = rows.get(key.name);
          assert.ok(value !== undefined);
          await opened.merge([{ key, value }]);
        },
      });
      return opened;
    },
    async pass(failingNow = new Set()) {
      failing = failingNow;
      now += 6_000;
      let progress = (await step(AbortSignal.timeout(20_000))).progress;
      const before = progress;
      for (let turn = 0; progress === before && turn * 200 < names; turn++) {
        sweep.onPage();
        progress = (await step(AbortSignal.timeout(20_000))).progress;
      }
    },
  };
  try {
    await use(sweep);
    await catalog?.settled();
  } finally {
    await database.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const keyOf = (name: string): RecordKey => ({ kind: "file", name });

function valueOf(round: number): Value {
  const version = [1, round, node, 1] as const;
  const stamp = [Date.now() - dayMs, 0] as const;
  return { version, n: 1, stamp, deleted: false, recent: [version], body: new Uint8Array(8) };
}

Deno.test("startRecordSweep() fills an emptied catalog in one pass, however many rows it lacks", () =>
  withSweep(10_500, async (sweep) => {
    const catalog = await sweep.open();
    await catalog.clear();
    assert.ok(catalog.rebuilding);
    await sweep.pass();
    assert.equal(catalog.count("file"), 10_500);
    assert.ok(catalog.rebuilding, "a pass that found files missing is not the last");
    await sweep.pass();
    assert.ok(!catalog.rebuilding);
  }));

Deno.test("startRecordSweep() goes past a key without a quorum, and rebuilds until it has it", () =>
  withSweep(3, async (sweep) => {
    let catalog = await sweep.open();
    await catalog.clear();
    await sweep.pass(new Set(["f0"]));
    assert.equal(catalog.count("file"), 2);
    catalog = await sweep.open();
    await sweep.pass(new Set(["f0"]));
    assert.ok(catalog.rebuilding, "also over a restart");
    await sweep.pass();
    await sweep.pass();
    assert.equal(catalog.count("file"), 3);
    assert.ok(!catalog.rebuilding);
  }));

Deno.test("startRecordSweep() rebuilds while records of another lineage are offered", () =>
  withSweep(1, async (sweep) => {
    const catalog = await sweep.open();
    await catalog.clear();
    sweep.settledIn = undefined;
    for (let turn = 0; turn < 3; turn++) await sweep.pass();
    assert.ok(catalog.rebuilding);
    sweep.settledIn = 2;
    await sweep.pass();
    assert.ok(!catalog.rebuilding);
  }));

Deno.test("startRecordSweep() calls a pass quiet only when the catalog has what it saw", () =>
  withSweep(3, async (sweep) => {
    const catalog = await sweep.open();
    assert.equal(sweep.quietMs(), undefined);
    await sweep.pass(new Set(["f1"]));
    await sweep.pass(new Set(["f1"]));
    assert.equal(sweep.quietMs(), undefined, "a write of unknown outcome waits for its quorum");
    await sweep.pass();
    await sweep.pass();
    assert.equal(sweep.quietMs(), undefined, "two passes, further apart than an operation lasts");
    await sweep.pass();
    assert.equal(sweep.quietMs(), 12_000, "of the first one: what came later may be missing");
    sweep.wait(7_000);
    assert.equal(sweep.quietMs(), 19_000);
    await catalog.clear();
    await sweep.pass(new Set(["f1"]));
    assert.equal(sweep.quietMs(), 25_000, "only quiet ones count");
  }));

Deno.test("startRecordSweep() calls no pass quiet in which registers were taken over", () =>
  withSweep(250, async (sweep) => {
    await sweep.open();
    for (let turn = 0; turn < 3; turn++) await sweep.pass();
    assert.equal(sweep.quietMs(), 12_000);
    sweep.onPage = () => void (sweep.settledIn = 2);
    sweep.wait(6_000);
    await sweep.pass();
    assert.equal(sweep.quietMs(), 24_000, "not this one");
    await sweep.pass();
    assert.equal(sweep.quietMs(), 18_000);
  }));

Deno.test("startRecordSweep() settles a value that lost and lies in this node's row alone", () =>
  withSweep(3, async (sweep) => {
    const catalog = await sweep.open();
    await sweep.pass();
    assert.deepEqual(sweep.settledKeys, []);
    // Others decided an earlier version; this row still shows a rival of it.
    const kept = valueOf(1);
    await sweep.database.write(registerStatements([{
      ...{ kind: "row", lane: 0, slot: asSlot(0) },
      row: {
        ...{ key: registerKey(keyOf("f0")), promised: null },
        ...{ accepted: [1, 99, node, 1] as const, value: valueOf(99) },
      },
    }]));
    sweep.rows.set("f0", kept);
    await sweep.pass();
    assert.deepEqual(sweep.settledKeys, ["f0"]);
    assert.equal(catalog.get(keyOf("f0"))?.value.version[1], 1);
  }));
