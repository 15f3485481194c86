// Orders to this node, whoever gives them: plan, refuse or begin the job. Leaving and resizing are
// jobs; stopping is done at once.

import { SkyringError } from "../../shared/base/errors.ts";
import { formatSize } from "../../shared/base/units.ts";
import type { JobSnapshot } from "../../shared/job.ts";
import type { ControlReply } from "../../shared/wire/control_message.ts";
import type { Order } from "./control.ts";
import type { Jobs } from "./jobs.ts";
import { booksWaitMs, type LeavePorts, planLeave, proposedMark, runLeave } from "./leave.ts";
import { assertPlan, planMoves } from "./move_plan.ts";
import { assertFits, planResize, type ResizePorts, runResize } from "./resize.ts";

export interface LocalActionsOptions {
  readonly jobs: Jobs;
  readonly name: string;
  readonly leave: LeavePorts;
  readonly resize: ResizePorts;
  /** Ends the node with code 0, once the answer is out. */
  readonly stop: () => void;
}

/** What this node does when told to. */
export interface LocalActions {
  /** @throws {SkyringError} why not */
  obey(order: Order): Promise<ControlReply>;
  /** Whether a leave is under way, and whether there is no way back from it. */
  leaving(): "no" | "begun" | "proposed";
}

/** Below the time that who asks waits for an answer. */
const planMsMax = 45_000;

/** The actions; jobs that an earlier process left unfinished run again by Jobs.resume(). */
export function createLocalActions(options: LocalActionsOptions): LocalActions {
  const { jobs, name, leave, resize } = options;
  jobs.register("leave", (run) => runLeave(leave, run));
  jobs.register("capacity", (run) => runResize(resize, run));

  const unfinished = (kind: string): JobSnapshot | undefined => jobs.unfinished(kind)[0]?.snapshot;

  const assertFree = (doing: string) => {
    for (const kind of ["leave", "capacity"]) {
      const job = unfinished(kind);
      if (job === undefined) continue;
      throw new SkyringError("conflict", `Cannot ${doing}: "${job.what}" is under way`, {
        data: { job: job.id },
      });
    }
  };

  async function obey(order: Order): Promise<ControlReply> {
    const signal = AbortSignal.timeout(planMsMax);
    switch (order.kind) {
      case "leave": {
        const { dryRun, force } = order;
        const under = unfinished("leave");
        if (under !== undefined && !dryRun) return { kind: "job", job: under };
        if (!dryRun) assertFree("leave");
        const plan = await planLeave(leave, { signal, withinMs: booksWaitMs });
        if (dryRun) return { kind: "plan", plan };
        assertPlan(plan, { force });
        const job = await jobs.start("leave", { what: `${name} leaves`, params: { force } });
        return { kind: "job", job };
      }
      case "stop": {
        if (order.dryRun) {
          const members = leave.agreement.roster()?.members ?? [];
          const plan = await planMoves(leave, { action: "stop", members, signal });
          return { kind: "plan", plan };
        }
        options.stop();
        return { kind: "done" };
      }
      case "resize": {
        const { bytes, dryRun, force } = order;
        if (!dryRun) assertFree("resize");
        const plan = await planResize(resize, bytes, signal);
        if (dryRun) return { kind: "plan", plan };
        if (!force) assertFits(plan, bytes);
        assertPlan(plan, { force });
        const params = { bytes, force };
        const what = `${name} offers ${formatSize(bytes)}`;
        const job = await jobs.start("capacity", { what, params });
        return { kind: "job", job };
      }
      case "cancel":
        return { kind: "job", job: await jobs.cancel(order.id) };
      default:
        return order satisfies never;
    }
  }

  return {
    obey,
    leaving: () => {
      const [job] = jobs.unfinished("leave");
      if (job === undefined) return "no";
      return job.mark === proposedMark ? "proposed" : "begun";
    },
  };
}
