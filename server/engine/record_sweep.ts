// Finds decided values that no catalog knows: of a writer that died between the decision and its
// word to the others. Each node goes slowly and for ever through the registers that it answers
// for; where a row differs from the catalog it reads the key through a quorum, which decides what
// was left open and feeds the catalog.

import { compareBallots } from "../../shared/record/ballot.ts";
import { recordKeyOf } from "../../shared/record/register_key.ts";
import type { RecordKey } from "../../shared/record/value.ts";
import type { Database } from "../disk/database.ts";
import { loadLane } from "../disk/roster_table.ts";
import { readRegisterPage, type RegisterCursor } from "../disk/register_rows.ts";
import type { Catalog } from "./catalog.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface RecordSweepOptions {
  readonly database: Database;
  readonly catalog: Catalog;
  readonly workers: Workers;
  /** Whether operations can be decided now. */
  readonly ready: () => boolean;
  /** Reads a key through a quorum; what it finds goes into the catalog. */
  readonly read: (key: RecordKey) => Promise<unknown>;
}

/** 800 rows a second: a million in twenty minutes, at about a hundredth of a core. */
const everyMs = 250;
const pageRows = 200;

/** Starts the loop. */
export function startRecordSweep(options: RecordSweepOptions): void {
  let after: RegisterCursor | undefined;
  let passes = 0;
  const step = async (signal: AbortSignal): Promise<StepReport> => {
    if (!options.ready()) return { more: false, progress: "waiting for a quorum" };
    const page = readRegisterPage(options.database, {
      lane: loadLane(options.database),
      after,
      limit: pageRows,
    });
    for (const { key: text, version } of page.rows) {
      signal.throwIfAborted();
      const key = recordKeyOf(text);
      if (key === undefined) continue;
      const held = options.catalog.getAny(key)?.value.version;
      if (version === null || (held !== undefined && compareBallots(held, version) >= 0)) continue;
      await options.read(key);
    }
    after = page.next;
    if (after === undefined) passes++;
    return { more: false, progress: `${passes} passes over the registers of this node` };
  };
  options.workers.start({ name: "record sweep", everyMs, step });
}
