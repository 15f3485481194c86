// Finds decided values that no catalog knows: of a writer that died between the decision and its
// word to the others. Each node goes slowly and for ever through the registers that it answers
// for; where a row differs from the catalog it reads the key through a quorum, which decides what
// was left open and feeds the catalog. A row that has only just changed is left to its writer's
// word: a quorum read by every decider for every new row would cost more than the writing.

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
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

/** 800 rows a second: a million in twenty minutes, at about a hundredth of a core. */
const everyMs = 250;
const pageRows = 200;
/** Between two passes: few registers need not be compared all the time. */
const restMs = 5_000;
/** A writer's own word to the others takes less. */
const patienceMs = 10_000;
/** Rows remembered as behind; more are met again in the next pass. */
const behindMax = 10_000;

/** Starts the loop. */
export function startRecordSweep(options: RecordSweepOptions): void {
  let after: RegisterCursor | undefined;
  let passes = 0;
  let restUntil = 0;
  const now = options.now ?? (() => performance.now());
  const behind = new Map<string, number>();
  const isDue = (text: string): boolean => {
    const since = behind.get(text);
    if (since !== undefined) return now() - since >= patienceMs && behind.delete(text);
    if (behind.size < behindMax) behind.set(text, now());
    return false;
  };
  const progress = () => `${passes} passes over the registers of this node`;
  const step = async (signal: AbortSignal): Promise<StepReport> => {
    if (!options.ready()) return { more: false, progress: "waiting for a quorum" };
    if (now() < restUntil) return { more: false, progress: progress() };
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
      if (version === null || (held !== undefined && compareBallots(held, version) >= 0)) {
        behind.delete(text);
      } else if (isDue(text)) await options.read(key);
    }
    after = page.next;
    if (after === undefined) {
      passes++;
      restUntil = now() + restMs;
    }
    return { more: false, progress: progress() };
  };
  options.workers.start({ name: "record sweep", everyMs, step });
}
