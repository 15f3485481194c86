// Another capacity, as a job. More is offered at once; less only after the blocks that this node
// will not own any more are with those who will, so that nothing is short of copies on the way.
//
//   ""  --hand off-->  "proposed"  --roster says so, hand off, surplus dropped-->  done
//
// The new capacity is on disk before the roster is asked, so that a restart in between offers it
// again by itself.

import { SkyringError } from "../../shared/base/errors.ts";
import { formatSize } from "../../shared/base/units.ts";
import type { MovePlan } from "../../shared/job.ts";
import type { Member } from "../../shared/ring/roster.ts";
import type { AgreementDriver } from "./agreement_driver.ts";
import { assertDecidable, handOff, type HandOffPorts } from "./hand_off.ts";
import type { JobRun } from "./jobs.ts";
import { awaitBooks, booksWaitMs, membersOf, proposedMark, untilDecidable } from "./leave.ts";
import { type MovePlanPorts, planMoves } from "./move_plan.ts";

export interface ResizePorts extends HandOffPorts, MovePlanPorts {
  readonly agreement: Pick<AgreementDriver, "status" | "propose" | "roster">;
  readonly booksKnown: () => boolean;
  readonly setHandingOff: (on: boolean) => void;
  /** Most that the disk can hold. */
  readonly possible: () => number;
  /** Keeps the capacity for the next starts, durably. */
  readonly keep: (bytes: number) => Promise<void>;
}

/** As little as `--capacity` takes. */
export const capacityMin = 2 ** 20;
const pollMs = 200;
const trimPollMs = 1_000;

/**
 * What another capacity would do.
 * @throws {SkyringError} bad_setting, full, read_only, not_ready
 */
export async function planResize(
  ports: ResizePorts,
  bytes: number,
  signal: AbortSignal,
): Promise<MovePlan> {
  const members = withCapacity(ports, bytes);
  await awaitBooks(ports, { signal, withinMs: booksWaitMs });
  const plan = await planMoves(ports, { action: "capacity", members, signal });
  // Growing moves nothing away from here: what comes is fetched in its own time.
  return bytes >= presentOf(ports) ? { ...plan, blocks: 0, bytes: 0, neededBytes: 0 } : plan;
}

/** Refuses a capacity below what this node would still own. @throws {SkyringError} full */
export function assertFits(plan: MovePlan, bytes: number): void {
  if (plan.keptBytes <= bytes) return;
  const text = `Cannot shrink to ${bytes} bytes: it would still own ${plan.keptBytes}`;
  throw new SkyringError("full", text, {
    data: { ...plan, needed: plan.keptBytes, have: bytes },
  });
}

/** Runs a change of capacity to its end. @throws {SkyringError} as planResize() */
export async function runResize(ports: ResizePorts, run: JobRun): Promise<void> {
  const bytes = Number(run.params["bytes"]);
  const force = run.params["force"] === true;
  const { signal, report } = run;
  const shrinks = bytes < ports.store.use().capacityBytes;
  try {
    if (shrinks && run.mark !== proposedMark) {
      await untilDecidable(ports, run);
      await awaitBooks(ports, { signal, withinMs: Infinity });
      ports.setHandingOff(true);
      const members = () => offering(ports, bytes);
      await handOff(ports, { members, force, signal, report });
    }
    await run.setMark(proposedMark, { final: true });
    await ports.keep(bytes);
    ports.store.resize(bytes);
    await untilInRoster(ports, bytes, run);
    if (ports.store.use().blockBytes <= bytes) return;
    ports.setHandingOff(true);
    await handOff(ports, { members: () => membersOf(ports), force, signal, report });
  } finally {
    ports.setHandingOff(false);
  }
  await untilTrimmed(ports, bytes, run);
}

function presentOf({ agreement, ring }: ResizePorts): number {
  return agreement.roster()?.members.find(({ id }) => id === ring.self)?.capacity ?? 0;
}

/** Members with this node's capacity as asked for. @throws {SkyringError} */
function withCapacity(ports: ResizePorts, bytes: number): readonly Member[] {
  const { agreement } = ports;
  if (!Number.isSafeInteger(bytes) || bytes < capacityMin) {
    throw new SkyringError(
      "bad_setting",
      `Cannot use capacity ${bytes}: expected bytes, at least ${capacityMin}`,
      { data: { min: capacityMin } },
    );
  }
  const possible = ports.possible();
  if (bytes > possible) {
    throw new SkyringError(
      "full",
      `Cannot offer ${formatSize(bytes)}: the disk has room for less`,
      {
        data: { needed: bytes, have: possible },
      },
    );
  }
  const status = agreement.status();
  if (status.roster === undefined || !status.member) {
    throw new SkyringError("not_ready", "Cannot resize: this node is in no roster");
  }
  assertDecidable(status, "resize");
  return offering(ports, bytes);
}

/** Members as they are, this node with that capacity. @throws never */
function offering(ports: ResizePorts, capacity: number): readonly Member[] {
  return membersOf(ports).map((one) => one.id === ports.ring.self ? { ...one, capacity } : one);
}

async function untilInRoster(
  ports: ResizePorts,
  bytes: number,
  { signal, report }: JobRun,
): Promise<void> {
  ports.agreement.propose({ kind: "resize", capacity: bytes });
  while (presentOf(ports) !== bytes) {
    report({
      state: "running",
      note: `asks the council for a roster with ${formatSize(bytes)} here`,
    });
    await ports.clock.sleep(pollMs, signal);
    signal.throwIfAborted();
  }
}

/** Surplus copies go by the rule of trimming, once their owners have vouched. */
async function untilTrimmed(
  { store, clock }: ResizePorts,
  bytes: number,
  { signal, report }: JobRun,
): Promise<void> {
  for (let used = store.use().blockBytes; used > bytes; used = store.use().blockBytes) {
    report({ note: `${formatSize(used - bytes)} of surplus copies are still to be dropped here` });
    await clock.sleep(trimPollMs, signal);
    signal.throwIfAborted();
  }
}
