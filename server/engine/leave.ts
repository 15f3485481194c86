// Leaving for good, as a job: wait for the turn, hand every block to those who will own it, then
// leave the roster, hand over what came meanwhile, wait until every slot that this node ever
// decided is settled, and mark the data folder. What follows (exit with 0) is the node's.
//
//   ""  --turn, plan, hand off-->  "proposed"  --out of the roster, hand off, settled-->  done
//
// Blocks go first and the roster changes after: nothing is short of copies on the way, and until
// then the job can be cancelled. From the mark on a restart goes on leaving.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Member } from "../../shared/ring/roster.ts";
import type { AgreementDriver } from "./agreement_driver.ts";
import { assertDecidable, handOff, type HandOffPorts } from "./hand_off.ts";
import type { JobRun } from "./jobs.ts";
import type { InTheWay, LeaveTurn } from "./leave_turn.ts";
import { assertPlan, type MovePlanPorts, planMoves } from "./move_plan.ts";
import type { MovePlan } from "../../shared/job.ts";

export interface LeavePorts extends HandOffPorts, MovePlanPorts {
  readonly agreement: Pick<AgreementDriver, "status" | "propose" | "roster">;
  readonly turn: LeaveTurn;
  /** Whether it is known which blocks the files reference. */
  readonly booksKnown: () => boolean;
  readonly nameOf: (id: string) => string;
  /** While true this node vouches for no copy of others: they stay until it is gone. */
  readonly setHandingOff: (on: boolean) => void;
  /** Marks the data folder durably: its next start is a new node. */
  readonly markDeparted: () => Promise<void>;
}

/** Set when the roster is asked to do without this node: from here there is no way back. */
export const proposedMark = "proposed";

/** How long a plan waits until it is known which blocks are referenced. */
export const booksWaitMs = 20_000;
const pollMs = 200;

/** How long to wait for what is referenced: an operator's question not for ever, a job's may. */
export interface BooksWait {
  readonly signal: AbortSignal;
  readonly withinMs: number;
}

/** What leaving would do. @throws {SkyringError} conflict (last node), read_only, not_ready */
export async function planLeave(
  ports: LeavePorts,
  { signal, withinMs }: BooksWait,
): Promise<MovePlan> {
  const members = withoutSelf(ports);
  await awaitBooks(ports, { signal, withinMs });
  return await planMoves(ports, { action: "leave", members, signal });
}

/** Runs a leave to its end. @throws {SkyringError} as planLeave() and assertPlan() */
export async function runLeave(ports: LeavePorts, run: JobRun): Promise<void> {
  const force = run.params["force"] === true;
  const { signal, report } = run;
  try {
    if (run.mark === proposedMark) {
      ports.turn.resume();
    } else {
      const waiting = (others: InTheWay) => {
        report({ state: "waiting", note: waitingNote(others, ports.nameOf) });
      };
      await ports.turn.take(signal, { waiting, force });
      report({ state: "running", note: "works out what must move" });
      await untilDecidable(ports, run);
      assertPlan(await planLeave(ports, { signal, withinMs: Infinity }), { force });
      ports.setHandingOff(true);
      const others = () => membersOf(ports).filter(({ id }) => id !== ports.ring.self);
      await handOff(ports, { members: others, force, signal, report });
      await run.setMark(proposedMark, { final: true });
    }
    ports.setHandingOff(true);
    await leaveRoster(ports, run);
    await awaitBooks(ports, { signal, withinMs: Infinity });
    await handOff(ports, { members: () => membersOf(ports), force, signal, report });
    await awaitSettled(ports, run);
    await ports.markDeparted();
    report({ note: "has left: every block and record is with others" });
  } finally {
    ports.setHandingOff(false);
    ports.turn.release();
  }
}

/** Whom a leaver waits for, and what helps. @throws never */
export function waitingNote(
  { leaving, silent }: InTheWay,
  nameOf: (id: string) => string,
): string {
  const named = (ids: readonly string[]) => ids.map(nameOf).join(", ");
  if (leaving.length > 0) return `waits for ${named(leaving)}: one node leaves at a time`;
  if (silent.length === 0) return "waits for its turn: one node leaves at a time";
  return `waits for an answer of ${named(silent)}, which may be leaving too; if it cannot be ` +
    "reached from here, leave with force";
}

/** Members of the roster as it is now. @throws never */
export function membersOf({ agreement }: Pick<LeavePorts, "agreement">): readonly Member[] {
  return agreement.roster()?.members ?? [];
}

/** After a restart of many the council needs a while: a job that was begun waits for it. */
export async function untilDecidable(
  { agreement, clock }: Pick<LeavePorts, "agreement" | "clock">,
  { signal, report }: Pick<JobRun, "signal" | "report">,
): Promise<void> {
  while (agreement.status().readOnly) {
    report({ state: "waiting", note: "a majority of the council cannot be reached" });
    await clock.sleep(pollMs, signal);
    signal.throwIfAborted();
  }
}

/** The roster's members but this node. @throws {SkyringError} not_ready, read_only, conflict */
function withoutSelf({ agreement, ring }: LeavePorts): readonly Member[] {
  const status = agreement.status();
  const roster = status.roster;
  if (roster === undefined || !status.member) {
    throw new SkyringError("not_ready", "Cannot leave: this node is in no roster");
  }
  assertDecidable(status, "leave");
  if (roster.members.length === 1) {
    const text = "Cannot leave: it is the last node, and all that the pool holds is here; " +
      "stop it instead";
    throw new SkyringError("conflict", text);
  }
  return roster.members.filter(({ id }) => id !== ring.self);
}

/** Waits until it is known which blocks are referenced. @throws {SkyringError} not_ready */
export async function awaitBooks(
  ports: Pick<LeavePorts, "booksKnown" | "clock">,
  { signal, withinMs }: BooksWait,
): Promise<void> {
  const deadline = ports.clock.now() + withinMs;
  while (!ports.booksKnown()) {
    signal.throwIfAborted();
    if (ports.clock.now() > deadline) {
      const text = "Cannot plan: this node is still working out what it holds";
      throw new SkyringError("not_ready", text, { retriable: true });
    }
    await ports.clock.sleep(pollMs, signal);
  }
}

/** Asks to be left out of the roster until it is so; the wish is durable and renews itself. */
async function leaveRoster(
  { agreement, clock }: LeavePorts,
  { signal, report }: JobRun,
): Promise<void> {
  agreement.propose({ kind: "leave" });
  while (agreement.status().member) {
    report({ state: "running", note: "asks the council for a roster without this node" });
    await clock.sleep(pollMs, signal);
    signal.throwIfAborted();
  }
}

async function awaitSettled(
  { agreement, clock }: LeavePorts,
  { signal, report }: JobRun,
): Promise<void> {
  for (;;) {
    const { mayExit, unsettled } = agreement.status();
    if (mayExit) return;
    report({ note: `${unsettled} slots of records are being taken over by others` });
    await clock.sleep(pollMs, signal);
    signal.throwIfAborted();
  }
}
