// Records as services see them: read through a quorum, change through a quorum, and every decided
// value goes into the catalog and is named to the others. A read that finds no quorum answers from
// the catalog and says that it is stale.
//
// It owns the node's hybrid clock: a stamp is used only below the high-water mark on disk, so that
// stamps keep growing over restarts, whatever the wall clock does.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Change, Edit, Outcome } from "../../shared/record/agreement_port.ts";
import { entrySupersedes } from "../../shared/record/catalog_entry.ts";
import {
  type ClockState,
  createClock,
  nextStamp,
  observeStamp,
} from "../../shared/record/clock.ts";
import type { RecordKey, Stamp, Value } from "../../shared/record/value.ts";
import type { Database, Migrations } from "../disk/database.ts";
import type { Catalog } from "./catalog.ts";
import type { CatalogSync } from "./catalog_sync.ts";

/** The clock's high-water mark, for openDatabase(). */
export const clockMigrations: Migrations = {
  name: "clock",
  steps: ["CREATE TABLE clock_mark (one INTEGER PRIMARY KEY CHECK (one = 1), ms INTEGER NOT NULL)"],
};

/** One register operation through the agreement machine, with its deadline. */
export type Operate = (key: RecordKey, change: Change) => Promise<Outcome>;

export interface RecordsOptions {
  readonly operate: Operate;
  readonly catalog: Catalog;
  readonly sync: CatalogSync;
  readonly database: Database;
  readonly now: () => number;
  /** Throws clock_off while this node's clock differs from the others': nothing is stamped then. */
  readonly assertClock?: () => void;
}

/** What a read found; `stale` when no quorum answered and the catalog's copy was taken. */
export interface RecordRead {
  readonly value: Value | undefined;
  readonly stale: boolean;
}

/** What a change makes of a live value (undefined when absent or deleted); undefined refuses. */
export type RecordEdit = (
  current: Value | undefined,
) => { readonly deleted: boolean; readonly body: Uint8Array } | undefined;

export type RecordWrite =
  | { readonly ok: true; readonly value: Value; readonly before: Value | undefined }
  /** The edit refused this value. */
  | { readonly ok: false; readonly value: Value | undefined };

type Unwritten = "no_quorum" | "outcome_unknown" | "busy";

/** Deadlines of a change that no quorum answered: owners may be moving just then. */
const changeTriesMax = 2;
/** Stamps are reserved on disk this far ahead, so that few changes wait for that write. */
const reserveMs = 10_000;

/** Reads and changes of records through this node. */
export class Records {
  readonly #options: RecordsOptions;
  #clock: ClockState;
  #reserved: number;
  #reserving: Promise<void> | undefined;

  constructor(options: RecordsOptions) {
    this.#options = options;
    const row = options.database.readOne<{ ms: number }>("SELECT ms FROM clock_mark");
    this.#reserved = row?.ms ?? 0;
    this.#clock = createClock(this.#reserved);
  }

  /**
   * The live value of a key; with `settle` a value that nobody chose is gone from all deciders
   * that answer. @throws {SkyringError} no_quorum when not even a copy is known
   */
  async read(
    key: RecordKey,
    { settle = false }: { readonly settle?: boolean } = {},
  ): Promise<RecordRead> {
    const { era } = this.#options.catalog;
    const outcome = await this.#options.operate(key, { kind: "get", settle });
    if (outcome.kind === "ok") {
      await this.#noted(key, outcome.value, era);
      return { value: live(outcome.value), stale: false };
    }
    const copy = this.#options.catalog.getAny(key);
    if (copy === undefined) throw refusal(key, outcome.kind === "busy" ? "busy" : "no_quorum");
    return { value: live(copy.value), stale: true };
  }

  /**
   * Changes a key by `edit`, applied at most once.
   * @throws {SkyringError} no_quorum (nothing was written), outcome_unknown, busy, clock_off
   */
  async change(key: RecordKey, edit: RecordEdit): Promise<RecordWrite> {
    for (let tries = 1;; tries++) {
      const outcome = await this.#changeOnce(key, edit);
      if (typeof outcome !== "string") return outcome;
      // Nothing was written: as good as new. An unknown outcome is the caller's to judge.
      if (outcome === "outcome_unknown" || tries === changeTriesMax) throw refusal(key, outcome);
    }
  }

  async #changeOnce(key: RecordKey, edit: RecordEdit): Promise<RecordWrite | Unwritten> {
    this.#options.assertClock?.();
    const stamp = await this.#stamp();
    let before: Value | undefined;
    const apply: Edit = (current) => {
      const next = edit(live(current));
      if (next !== undefined) before = live(current);
      return next === undefined ? undefined : { ...next, stamp };
    };
    const { era } = this.#options.catalog;
    const outcome = await this.#options.operate(key, { kind: "edit", edit: apply });
    switch (outcome.kind) {
      case "ok":
        await this.#noted(key, outcome.value, era);
        if (outcome.value === undefined) return "outcome_unknown";
        return { ok: true, value: outcome.value, before };
      case "failed":
        return { ok: false, value: live(outcome.value) };
      case "unknown":
        return "outcome_unknown";
      case "no_quorum":
      case "busy":
        return outcome.kind;
      default:
        return outcome satisfies never;
    }
  }

  /** Takes a decided value into the catalog, and names it to the others if it was new there. */
  async decided(
    key: RecordKey,
    value: Value | undefined,
    era: number = this.#options.catalog.era,
  ): Promise<void> {
    if (value === undefined) return;
    this.#clock = observeStamp(this.#clock, value.stamp, this.#options.now());
    const held = this.#options.catalog.getAny(key)?.value;
    if (held !== undefined && !entrySupersedes(value, held)) return;
    const changes = await this.#options.catalog.merge([{ key, value }], era);
    this.#options.sync.announce(changes.map(({ mark }) => mark));
  }

  /**
   * The same for one that waits for the outcome: what was decided stays so, whether or not this
   * node had room to note it. A catalog without it is mended by the owners' record sweep.
   */
  async #noted(key: RecordKey, value: Value | undefined, era: number): Promise<void> {
    try {
      await this.decided(key, value, era);
    } catch (error) {
      if (!(error instanceof SkyringError)) throw error;
    }
  }

  async #stamp(): Promise<Stamp> {
    const { stamp, clock } = nextStamp(this.#clock, this.#options.now());
    this.#clock = clock;
    while (stamp[0] >= this.#reserved) {
      this.#reserving ??= this.#reserve(stamp[0] + reserveMs);
      await this.#reserving;
    }
    return stamp;
  }

  async #reserve(ms: number): Promise<void> {
    try {
      const sql = "INSERT OR REPLACE INTO clock_mark (one, ms) VALUES (1, ?)";
      await this.#options.database.write([{ sql, params: [ms] }]);
      this.#reserved = ms;
    } finally {
      this.#reserving = undefined;
    }
  }
}

function live(value: Value | undefined): Value | undefined {
  return value?.deleted ? undefined : value;
}

function refusal(
  key: RecordKey,
  code: Unwritten,
): SkyringError {
  const why = {
    no_quorum: "too few of its owners answered",
    outcome_unknown: "its owners stopped answering midway, so it may have been written",
    busy: "too many changes are under way",
  };
  return new SkyringError(code, `Cannot decide ${key.kind} ${key.name}: ${why[code]}`, {
    data: { kind: key.kind, name: key.name },
    retriable: true,
  });
}
