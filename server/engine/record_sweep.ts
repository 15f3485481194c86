// Finds decided values that no catalog knows: of a writer that died between the decision and its
// word to the others. Each node goes slowly and for ever through the registers that it answers
// for; where a row differs from the catalog it reads the key through a quorum, which decides what
// was left open and feeds the catalog. A row that has only just changed is left to its writer's
// word: a quorum read by every decider for every new row would cost more than the writing.
//
// It is also what fills a catalog that was emptied (another lineage, copies too old): the first
// whole pass since that finds no file missing ends the rebuilding.

import { SkyringError } from "../../shared/base/errors.ts";
import { compareBallots } from "../../shared/record/ballot.ts";
import { recordKeyOf } from "../../shared/record/register_key.ts";
import type { Ballot, RecordKey } from "../../shared/record/value.ts";
import type { Database } from "../disk/database.ts";
import { loadLane } from "../disk/roster_table.ts";
import { readRegisterPage, type RegisterCursor, type RegisterHead } from "../disk/register_rows.ts";
import type { Catalog } from "./catalog.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface RecordSweepOptions {
  readonly database: Database;
  readonly catalog: Catalog;
  readonly workers: Workers;
  /** Whether operations can be decided now. */
  readonly ready: () => boolean;
  /** Whether no slot of an earlier roster or lineage waits for its records to be taken over. */
  readonly settled: () => boolean;
  /** Reads a key through a quorum; what it finds goes into the catalog. */
  readonly read: (key: RecordKey) => Promise<unknown>;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  /** Milliseconds since the epoch, as stamps are. */
  readonly wall?: () => number;
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
/** An emptied catalog has every row to be read. */
const readsAtOnce = 8;

/** Starts the loop. */
export function startRecordSweep(options: RecordSweepOptions): void {
  const { catalog, settled } = options;
  let passes = 0;
  let restUntil = 0;
  let pass = beginPass(catalog);
  const now = options.now ?? (() => performance.now());
  const isDue = patience({ now, wall: options.wall ?? Date.now });
  const progress = () => `${passes} passes over the registers of this node`;
  const step = async (signal: AbortSignal): Promise<StepReport> => {
    if (!options.ready()) return { more: false, progress: "waiting for a quorum" };
    if (now() < restUntil) return { more: false, progress: progress() };
    const page = readRegisterPage(options.database, {
      lane: loadLane(options.database),
      after: pass.after,
      limit: pageRows,
    });
    const due: RecordKey[] = [];
    for (const row of page.rows) {
      const key = recordKeyOf(row.key);
      if (key === undefined) continue;
      const behind = isBehind(row, catalog.getAny(key)?.value.version);
      if (behind && !row.deleted) pass.whole = false;
      if (isDue(row, behind)) due.push(key);
    }
    await readAll(due, options.read, signal);
    pass.after = page.next;
    if (page.next !== undefined) return { more: false, progress: progress() };
    passes++;
    restUntil = now() + restMs;
    if (pass.whole && catalog.rebuilding && settled()) await catalog.rebuilt(pass.cleared);
    pass = beginPass(catalog);
    return { more: false, progress: progress() };
  };
  options.workers.start({ name: "record sweep", everyMs, step });
}

interface Pass {
  after: RegisterCursor | undefined;
  /** Whether the catalog had every live row so far. */
  whole: boolean;
  readonly cleared: number;
}

function beginPass({ cleared }: Pick<Catalog, "cleared">): Pass {
  return { after: undefined, whole: true, cleared };
}

function isBehind({ version }: RegisterHead, held: Ballot | undefined): boolean {
  return version !== null && (held === undefined || compareBallots(held, version) < 0);
}

/** Says of a row whether it is to be read now: one that fell behind long ago at once. */
function patience({ now, wall }: { readonly now: () => number; readonly wall: () => number }) {
  const behindSince = new Map<string, number>();
  return ({ key, stampMs }: RegisterHead, behind: boolean): boolean => {
    const since = behindSince.get(key);
    const old = wall() - stampMs >= patienceMs;
    if (!behind || old || (since !== undefined && now() - since >= patienceMs)) {
      behindSince.delete(key);
      return behind;
    }
    if (since === undefined && behindSince.size < behindMax) behindSince.set(key, now());
    return false;
  };
}

/** Reads keys through a quorum. One that cannot be decided now holds up no other. */
async function readAll(
  keys: readonly RecordKey[],
  read: RecordSweepOptions["read"],
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...keys];
  const lane = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      signal.throwIfAborted();
      try {
        await read(key);
      } catch (error) {
        // It stays behind, and is met again in the next pass.
        if (!(error instanceof SkyringError)) throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: readsAtOnce }, lane));
  for (const ended of lanes) if (ended.status === "rejected") throw ended.reason;
}
