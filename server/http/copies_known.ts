// Whether this node can tell how many copies there are: right after its start it knows of its own
// alone, and its counts would read as if files were lost.

import type { NodeSnapshot, StatusSnapshot } from "../../shared/status.ts";
import type { Services } from "./services.ts";

/** A node that runs this long has heard from the others, or they are silent. */
const settleMs = 15_000;
/** Phases of a node that is through with its start. */
const settledPhases: ReadonlySet<string> = new Set([
  "seeding",
  "full",
  "fetching blocks",
  "leaving",
]);

/** Whether counts of copies mean what they say. @throws never */
export function copiesKnown(services: Pick<Services, "status" | "nodes" | "now">): boolean {
  const status = services.status();
  return status.phase.phase !== "looking for peers" &&
    isSettled(status, services.nodes(), services.now());
}

/** Whether a node has heard from all others since its start, or waited long for them. */
export function isSettled(
  { id, startedAt, phase }: StatusSnapshot,
  nodes: readonly NodeSnapshot[],
  now: number,
): boolean {
  if (now - startedAt >= settleMs) return true;
  // Another that has started just now answers nobody yet: a whole pool may have.
  const isHeard = (node: NodeSnapshot) =>
    node.state === "alive" && node.lastSeenAt > 0 && settledPhases.has(node.phase.phase);
  return settledPhases.has(phase.phase) &&
    nodes.every((node) => node.id === id || node.state === "left" || isHeard(node));
}
