// Finds decided values that no catalog knows: of a writer that died between the decision and its
// word to the others. Each node goes slowly and for ever through the registers that it answers
// for; where a row differs from the catalog it reads the key through a quorum, which decides what
// was left open and feeds the catalog. A row that has only just changed is left to its writer's
// word: a quorum read by every decider for every new row would cost more than the writing.
//
// A pass is *quiet* once the catalog has every live row that it saw, or a later one. It ends the
// rebuilding of a catalog that was emptied (another lineage, copies too old). Two of them, further
// apart than an operation may last, tell the collector (settlement.ts) that no write from before
// the first can still turn up here: what an operation under way held during one pass, and wrote
// where that pass had been, the other sees.

import { SkyringError } from "../../shared/base/errors.ts";
import { operationDeadlineMs } from "../../shared/base/limits.ts";
import { compareBallots } from "../../shared/record/ballot.ts";
import { recordKeyOf } from "../../shared/record/register_key.ts";
import type { Ballot, RecordKey } from "../../shared/record/value.ts";
import type { Database } from "../disk/database.ts";
import { loadLane } from "../disk/roster_table.ts";
import { readRegisterPage, type RegisterCursor, type RegisterHead } from "../disk/register_rows.ts";
import type { Catalog } from "./catalog.ts";
import { orAborted } from "./until_aborted.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface RecordSweepOptions {
  readonly database: Database;
  readonly catalog: Catalog;
  readonly workers: Pick<Workers, "start">;
  /** Whether operations can be decided now. */
  readonly ready: () => boolean;
  /** The epoch, while all registers are where they belong; undefined while some are taken over. */
  readonly settledIn: () => number | undefined;
  /** Resolves when what was accepted here so far is durable, and so among the rows. */
  readonly flushed: () => Promise<void>;
  /** Reads a key through a quorum; what it finds goes into the catalog. See Records.read(). */
  readonly read: (key: RecordKey, options: { readonly settle: boolean }) => Promise<unknown>;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  /** Milliseconds since the epoch, as stamps are. */
  readonly wall?: () => number;
}

/** The running sweep. */
export interface RecordSweep {
  /**
   * Milliseconds since the beginning of the first of the last two quiet passes; undefined before
   * there were two. Never throws.
   */
  quietMs(): number | undefined;
}

/** 800 rows a second: a million in twenty minutes, at about a hundredth of a core. */
const everyMs = 250;
const pageRows = 200;
/** Between two passes: few registers need not be compared all the time. */
const restMs = 5_000;
/** Between two quiet passes: an operation and what it sent last are over by then. */
const settleApartMs = 2 * operationDeadlineMs;
/** A writer's own word to the others takes less. */
const patienceMs = 10_000;
/** Rows remembered as behind; more are met again in the next pass. */
const behindMax = 10_000;
/** An emptied catalog has every row to be read. */
const readsAtOnce = 8;

/** Starts the loop. */
export function startRecordSweep(options: RecordSweepOptions): RecordSweep {
  const { database, catalog, settledIn } = options;
  const now = options.now ?? (() => performance.now());
  const isDue = patience({ now, wall: options.wall ?? Date.now });
  const state: State = { passes: 0, restUntil: 0, pass: undefined, ended: undefined };
  const progress = () => `${state.passes} passes over the registers of this node`;
  let quiet: { readonly beganAt: number; readonly endedAt: number } | undefined;
  let settledSince: number | undefined;
  const endQuiet = async (pass: Pass) => {
    if (!isQuiet(pass, options)) return;
    state.ended = undefined;
    if (pass.epoch === undefined || settledIn() !== pass.epoch) return;
    const apart = quiet !== undefined && pass.beganAt - quiet.endedAt >= settleApartMs;
    if (apart) settledSince = quiet?.beganAt;
    if (apart || quiet === undefined) quiet = { beganAt: pass.beganAt, endedAt: now() };
    if (catalog.rebuilding) await catalog.rebuilt(pass.cleared);
  };
  const step = async (signal: AbortSignal): Promise<StepReport> => {
    if (!options.ready()) return { more: false, progress: "waiting for a quorum" };
    if (state.ended !== undefined) await endQuiet(state.ended);
    if (now() < state.restUntil) return { more: false, progress: progress() };
    const pass = state.pass ??= await beginPass(options, { beganAt: now(), signal });
    const { rows, next } = readRegisterPage(database, {
      lane: loadLane(database),
      after: pass.after,
      limit: pageRows,
    });
    await readAll(judge(rows, { pass, catalog, isDue }), options, signal);
    pass.after = next;
    if (next !== undefined) return { more: false, progress: progress() };
    state.passes++;
    state.restUntil = now() + restMs;
    state.pass = undefined;
    // What an earlier pass left open is among the rows that this one saw.
    state.ended = pass;
    await endQuiet(pass);
    return { more: false, progress: progress() };
  };
  options.workers.start({ name: "record sweep", everyMs, step });
  return { quietMs: () => settledSince === undefined ? undefined : now() - settledSince };
}

interface State {
  passes: number;
  restUntil: number;
  pass: Pass | undefined;
  /** The last whole pass while it is not quiet yet. */
  ended: Pass | undefined;
}

interface Pass {
  after: RegisterCursor | undefined;
  /** Live rows that the catalog lacked when they were met; undefined when they were too many. */
  open: Map<string, { readonly key: RecordKey; readonly version: Ballot }> | undefined;
  readonly beganAt: number;
  readonly cleared: number;
  /** Registers taken over from others meanwhile may lie where it has been already. */
  readonly epoch: number | undefined;
}

async function beginPass(
  options: RecordSweepOptions,
  { beganAt, signal }: { readonly beganAt: number; readonly signal: AbortSignal },
): Promise<Pass> {
  const { cleared } = options.catalog;
  await orAborted(options.flushed(), signal);
  return { after: undefined, open: new Map(), beganAt, cleared, epoch: options.settledIn() };
}

/** A key to be read, and what this node's row of it shows. */
interface Due {
  readonly key: RecordKey;
  readonly version: Ballot | null;
}

/** Notes rows that the catalog lacks. @returns those to be read through a quorum now */
function judge(
  rows: readonly RegisterHead[],
  { pass, catalog, isDue }: {
    readonly pass: Pass;
    readonly catalog: Catalog;
    readonly isDue: (row: RegisterHead, behind: boolean) => boolean;
  },
): Due[] {
  const due: Due[] = [];
  for (const row of rows) {
    const key = recordKeyOf(row.key);
    if (key === undefined) continue;
    const behind = isBehind(row.version, catalog.getAny(key)?.value.version);
    if (behind && !row.deleted && row.version !== null) {
      pass.open?.set(row.key, { key, version: row.version });
      if ((pass.open?.size ?? 0) > behindMax) pass.open = undefined;
    }
    if (isDue(row, behind)) due.push({ key, version: row.version });
  }
  return due;
}

/** Whether the catalog has, by now, every live row that a pass saw. */
function isQuiet({ open, cleared }: Pass, { catalog }: RecordSweepOptions): boolean {
  if (open === undefined || cleared !== catalog.cleared) return false;
  for (const [row, { key, version }] of open) {
    if (isBehind(version, catalog.getAny(key)?.value.version)) return false;
    open.delete(row);
  }
  return true;
}

function isBehind(version: Ballot | null, held: Ballot | undefined): boolean {
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
  due: readonly Due[],
  { read, catalog }: Pick<RecordSweepOptions, "read" | "catalog">,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...due];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      signal.throwIfAborted();
      const { key, version } = next;
      try {
        await read(key, { settle: false });
        // A value that lost, and that only this row still has: a quick read never meets it.
        if (isBehind(version, catalog.getAny(key)?.value.version)) {
          await read(key, { settle: true });
        }
      } catch (error) {
        // It stays behind, and is met again in the next pass.
        if (!(error instanceof SkyringError)) throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: readsAtOnce }, lane));
  for (const ended of lanes) if (ended.status === "rejected") throw ended.reason;
}
