// What leaving, stopping or another capacity would do to the blocks of this node: counted before
// anything is done, told with --dry-run, and what a refusal is decided by.

import { SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import type { MovePlan } from "../../shared/job.ts";
import type { Member } from "../../shared/ring/roster.ts";
import { type HeldBlocksPorts, type PlacedBlock, placedBlocks } from "./held_blocks.ts";

export interface MovePlanPorts extends HeldBlocksPorts {
  /** Bytes that a member says it has free. */
  readonly freeOf: (id: NodeId) => number;
}

export interface PlannedAction {
  readonly action: MovePlan["action"];
  /** The roster's members afterwards. */
  readonly members: readonly Member[];
  readonly signal: AbortSignal;
}

type Counts = { -readonly [Key in keyof MovePlan]: MovePlan[Key] };

/** Counts what the action would do. @throws {SkyringError} as placedBlocks() */
export async function planMoves(ports: MovePlanPorts, planned: PlannedAction): Promise<MovePlan> {
  const { ring, freeOf } = ports;
  const { action, members } = planned;
  const others = members.map(({ id }) => id).filter((id) => id !== ring.self);
  const usable = others.filter((id) => ring.isUsable(id));
  const plan: Counts = {
    ...{ action, node: ring.self, remaining: others.length },
    ...{ held: 0, heldBytes: 0, blocks: 0, bytes: 0, below: 0, lost: 0 },
    ...{ neededBytes: 0, freeBytes: usable.reduce((sum, id) => sum + freeOf(id), 0) },
    keptBytes: 0,
  };
  if (action === "capacity") plan.remaining = members.length;
  for await (const page of placedBlocks(ports, planned)) {
    for (const one of page) count(plan, one, usable);
  }
  return plan;
}

function count(plan: Counts, one: PlacedBlock, usable: readonly NodeId[]): void {
  const { block, mine, owners, holders, need } = one;
  plan.held += 1;
  if (block.kind === "leaf") plan.heldBytes += block.bytes;
  if (plan.action === "stop") {
    if (holders.length < need + (mine ? 1 : 0)) plan.below += 1;
    if (holders.length === 0) plan.lost += 1;
    return;
  }
  if (plan.action === "capacity" && mine) {
    if (block.kind === "leaf") plan.keptBytes += block.bytes;
    return;
  }
  if (usable.length < need) plan.below += 1;
  if (usable.length === 0 && holders.length === 0) plan.lost += 1;
  const missing = owners.length === 0
    ? Math.max(0, need - holders.length)
    : owners.filter((id) => !holders.includes(id)).length;
  plan.blocks += missing;
  plan.bytes += missing * block.bytes;
  if (block.kind === "leaf") plan.neededBytes += missing * block.bytes;
}

/**
 * Refuses a plan that would lose or thin out blocks, or that the rest has no room for; the error's
 * data is the plan. `force` lets all pass but the loss of the last copy.
 * @throws {SkyringError} conflict (409), full (507)
 */
export function assertPlan(plan: MovePlan, { force }: { readonly force: boolean }): void {
  const data = { ...plan };
  const doing = plan.action === "leave" ? "leave" : "shrink";
  if (plan.lost > 0) {
    const text = `Cannot ${doing}: ${blocks(plan.lost)} would have no copy left`;
    throw new SkyringError("conflict", text, { data });
  }
  if (force) return;
  if (plan.below > 0) {
    const text = `Cannot ${doing}: ${blocks(plan.below)} would drop below their copies`;
    throw new SkyringError("conflict", text, { data });
  }
  if (plan.neededBytes > plan.freeBytes) {
    const text = `Cannot ${doing}: the other nodes lack room for its blocks`;
    throw new SkyringError("full", text, {
      data: { ...data, needed: plan.neededBytes, have: plan.freeBytes },
    });
  }
}

function blocks(number: number): string {
  return `${number} block${number === 1 ? "" : "s"}`;
}
