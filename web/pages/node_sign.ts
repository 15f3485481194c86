// What is said of a node in a sign and a word, wherever it is shown. Three things speak, and what
// is surest wins: the cluster of whose process it is, liveness, and what it last said of itself.
//
// A node that has just started believes nothing yet: others that it has not heard are not dead.

import { type Sign, signOf } from "../charts/glyph.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { ClusterProcess, PoolView } from "./pool_view.ts";
import { sinceText } from "./words.ts";

/** What the sign of a node follows from beside its row. */
export type Seen = Pick<PoolView, "cluster" | "settled">;

/** The process that runs a node, when the page knows one. @throws never */
export function processOf(
  node: NodeSnapshot,
  { cluster }: Pick<PoolView, "cluster">,
): ClusterProcess | undefined {
  return cluster?.processes.find(({ name, port }) =>
    name === node.name && node.http !== null && node.http.endsWith(`:${port}`)
  );
}

/** Whether its process was told to stand still, by the one who should know. @throws never */
export function isPaused(node: NodeSnapshot, seen: Pick<PoolView, "cluster">): boolean {
  return processOf(node, seen)?.state === "paused";
}

/** Whether its silence says nothing yet, because this node has only just started. @throws never */
export function isAwaited({ state }: NodeSnapshot, { settled }: Seen): boolean {
  return !settled && (state === "dead" || state === "suspect");
}

/** Whether it answers, as far as anybody can say. @throws never */
export function answers(node: NodeSnapshot, seen: Seen): boolean {
  return node.state === "alive" && !isPaused(node, seen);
}

/** Its sign. @throws never */
export function signIn(node: NodeSnapshot, seen: Seen): Sign {
  if (isPaused(node, seen)) return "paused";
  if (isAwaited(node, seen)) return "looking";
  return signOf(node.state, node.phase.phase);
}

/** What it does in a word or two, silence first. @throws never */
export function phaseWord(node: NodeSnapshot, seen: Seen): string {
  if (isPaused(node, seen)) return "Paused";
  if (isAwaited(node, seen)) return "Not heard yet";
  if (node.state === "suspect") return "Not answering";
  if (node.state === "dead") return "Dead";
  if (node.state === "left") return "Stopped";
  return node.phase.phase.charAt(0).toUpperCase() + node.phase.phase.slice(1);
}

/** A few words under its name in the ring; none while it seeds. @throws never */
export function ringNote(node: NodeSnapshot, at: Seen & Pick<PoolView, "now">): string {
  if (isPaused(node, at)) return `paused${silence(node, at)}`;
  if (isAwaited(node, at)) return "not heard yet";
  if (node.state === "alive") return node.phase.phase === "seeding" ? "" : node.phase.phase;
  if (node.state === "left") return "stopped";
  return `${node.state === "suspect" ? "silent" : node.state}${silence(node, at)}`;
}

function silence({ state, lastSeenAt }: NodeSnapshot, { now }: Pick<PoolView, "now">): string {
  return state === "alive" || lastSeenAt === 0 ? "" : ` ${sinceText(now - lastSeenAt)}`;
}
