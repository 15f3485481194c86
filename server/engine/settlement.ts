// Until when every write is settled: all that was pushed before that moment is either in this
// node's catalog now, or will never be in anybody's. The collector removes nothing younger.
//
// A push whose outcome is unknown may still be decided by the next read of its name. It is safe to
// forget about when no member has it: each says how long ago it began the last pass over its
// registers after which its catalog had all they held (record_sweep.ts), and how long its oldest
// push runs; then its catalog is compared with ours. A member that cannot say so holds up all.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import { collectGraceMs } from "../../shared/base/limits.ts";
import type { Activity } from "./activity.ts";
import type { Clock } from "./clock.ts";
import type { RepairTalk } from "./repair_talk.ts";

export interface SettlementPorts {
  /** All other members of the roster, whether they answer or not. */
  readonly others: () => readonly NodeId[];
  readonly talk: Pick<RepairTalk, "ask">;
  readonly activity: Pick<Activity, "oldestPushMs">;
  /** Age of this node's last quiet pass over its registers; undefined without one. */
  readonly quietMs: () => number | undefined;
  /** Takes all that a member's catalog has and ours lacks. */
  readonly compareWith: (peer: NodeId, signal: AbortSignal | undefined) => Promise<unknown>;
  readonly clock: Pick<Clock, "now">;
}

/**
 * The moment before which all writes are settled, in ms of this node's clock. A walk over the
 * catalog that begins after this resolved finds every block that they may need.
 * @throws {SkyringError} unavailable: which member it waits for, and why
 */
export async function settledBefore(
  ports: SettlementPorts,
  signal?: AbortSignal,
): Promise<number> {
  const { others, activity, quietMs, clock } = ports;
  const askedAt = clock.now();
  const own = quietMs();
  if (own === undefined) throw unsettled("this node is not through its own registers yet");
  const ages = await Promise.all(others().map((peer) => ageOf(ports, peer, signal)));
  return askedAt - Math.max(own, activity.oldestPushMs(), ...ages) - collectGraceMs;
}

async function ageOf(
  { talk, compareWith }: SettlementPorts,
  peer: NodeId,
  signal: AbortSignal | undefined,
): Promise<number> {
  const reply = await talk.ask(peer, { kind: "pushes" }, signal);
  if (reply?.kind !== "pushing") throw unsettled(`${peer} does not answer`, { peer });
  if (reply.quietMs === null) throw unsettled(`${peer} is not through its registers yet`, { peer });
  try {
    await compareWith(peer, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    throw unsettled(`${peer} does not compare its catalog: ${messageOf(cause)}`, { peer, cause });
  }
  return Math.max(reply.oldestMs, reply.quietMs);
}

function unsettled(
  state: string,
  of: { readonly peer?: NodeId; readonly cause?: unknown } = {},
): SkyringError {
  const { peer, cause } = of;
  const data = peer === undefined ? {} : { peer };
  const text = `Cannot collect: ${state}`;
  return new SkyringError("unavailable", text, { data, retriable: true, cause });
}
