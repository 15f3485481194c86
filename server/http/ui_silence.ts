// For how long a member has been silent, as pages count it: from when this node first missed it.
// The netmap has the last message that came from it. That one may come seconds before anybody
// misses it, and again while it is still believed dead, from the process that was started in its
// place: counted from there, the silence would be said to grow shorter.

import type { NodeSnapshot } from "../../shared/status.ts";
import type { PoolEvent } from "../../web/pages/pool_view.ts";

/**
 * The rows with `lastSeenAt` of silent members set to when they were first missed, where an event
 * tells it; those never heard from keep 0. @param events newest first @throws never
 */
export function withSilence(
  nodes: readonly NodeSnapshot[],
  events: readonly PoolEvent[],
): NodeSnapshot[] {
  return nodes.map((node) => {
    if (!isSilent(node.state) || node.lastSeenAt === 0) return node;
    const missedAt = firstMissed(node.id, events);
    return missedAt === undefined ? node : { ...node, lastSeenAt: missedAt };
  });
}

/** When the silence began that has lasted since: its first event after the last answer. */
function firstMissed(id: string, events: readonly PoolEvent[]): number | undefined {
  let missedAt: number | undefined;
  for (const { kind, at, data } of events) {
    if (kind !== "member" || data["id"] !== id) continue;
    if (!isSilent(data["state"])) break;
    missedAt = at;
  }
  return missedAt;
}

function isSilent(state: unknown): boolean {
  return state === "suspect" || state === "dead";
}
