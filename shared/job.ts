// Long work of a node, and the plan that comes before some of it, as plain snapshots: for the
// API, the command line, the pages and the control channel. Shapes only, no logic.

/** What a job is doing. `waiting`: for another job of the group, or for members to come back. */
export type JobState = "waiting" | "running" | "done" | "failed" | "cancelled";

/** One piece of long work, as /api/jobs shows it. Bytes and milliseconds since the epoch. */
export interface JobSnapshot {
  readonly id: string;
  readonly kind: string;
  /** In plain words: "node-2 leaves". */
  readonly what: string;
  /** The node that does it: id and name. */
  readonly node: string;
  readonly name: string;
  readonly state: JobState;
  /** What it is at, in plain words with numbers. */
  readonly note: string;
  readonly blocks: { readonly done: number; readonly total: number };
  readonly bytes: { readonly done: number; readonly total: number };
  /** null while nothing can be said. */
  readonly timeLeftMs: number | null;
  readonly error: { readonly code: string; readonly detail: string } | null;
  /** Whether it can still be taken back. */
  readonly cancellable: boolean;
  readonly startedAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

/** Whether a job has ended, well or not. @throws never */
export function jobEnded({ state }: Pick<JobSnapshot, "state">): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** What an action would do, before it is done. Counts are of blocks, bytes of their copies. */
export interface MovePlan {
  readonly action: "leave" | "stop" | "capacity";
  /** Id of the node that it is about. */
  readonly node: string;
  /** Members of the roster afterwards. */
  readonly remaining: number;
  /** What the node holds now. */
  readonly held: number;
  readonly heldBytes: number;
  /** Copies that must be made elsewhere. */
  readonly blocks: number;
  readonly bytes: number;
  /** Blocks that would drop below min(their replicas, remaining nodes). */
  readonly below: number;
  /** Blocks of which no copy would be left that anyone can read. */
  readonly lost: number;
  /** Bytes that the others need for this, and have free. */
  readonly neededBytes: number;
  readonly freeBytes: number;
  /** Capacity only: bytes that the node would still own. */
  readonly keptBytes: number;
}
