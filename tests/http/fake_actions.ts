// Node actions that remember what they were told, for tests of the routes alone.

import type { NodeActions, OrderOptions } from "../../server/engine/node_actions.ts";
import type { HealLine } from "../../server/engine/heal.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import type { JobSnapshot, MovePlan } from "../../shared/job.ts";

export const job: JobSnapshot = {
  id: "0123456789abcdef",
  kind: "leave",
  what: "node-1 leaves",
  node: "12D3KooWA",
  name: "node-1",
  state: "running",
  note: "1 of 2 blocks are safe elsewhere",
  blocks: { done: 1, total: 2 },
  bytes: { done: 10, total: 20 },
  timeLeftMs: 1_000,
  error: null,
  cancellable: true,
  startedAt: 1_700_000_000_000,
  updatedAt: 1_700_000_000_100,
  endedAt: null,
};

export const plan: MovePlan = {
  ...{ action: "leave", node: "12D3KooWA", remaining: 1, held: 2, heldBytes: 20 },
  ...{ blocks: 2, bytes: 20, below: 0, lost: 0, neededBytes: 20, freeBytes: 100, keptBytes: 0 },
};

/** Actions on the one node "node-1"; `orders` lists what was asked, in order. */
export interface FakeActions extends NodeActions {
  readonly orders: string[];
}

/** Fresh actions. "thin" is a node whose leave would drop blocks below their copies. */
export function createFakeActions(): FakeActions {
  const orders: string[] = [];
  const order = (verb: string, node: string, { dryRun, force }: OrderOptions) => {
    if (node !== "node-1" && node !== "thin") {
      throw new SkyringError(
        "not_found",
        `Cannot find node ${node}: no member has that id or name`,
      );
    }
    orders.push(`${verb} ${node}${dryRun ? " dry" : ""}${force ? " force" : ""}`);
    if (node === "thin" && !force && !dryRun) {
      throw new SkyringError("conflict", "Cannot leave: 3 blocks would drop below their copies", {
        data: { ...plan, below: 3 },
      });
    }
    return dryRun ? { kind: "plan", plan } as const : { kind: "job", job } as const;
  };
  const known = (id: string) => {
    if (id !== job.id) throw new SkyringError("not_found", "Cannot find that job");
    return job;
  };
  return {
    orders,
    leave: async (node, options) => await Promise.resolve(order("leave", node, options)),
    stop: async (node, options) => {
      const given = await Promise.resolve(order("stop", node, options));
      return given.kind === "plan" ? given : { kind: "done" };
    },
    resize: async (node, bytes, options) =>
      await Promise.resolve(order(`resize ${bytes}`, node, options)),
    forget: async (node, options) => {
      await Promise.resolve(order("forget", node, options));
      const mayBeLost = { blocksChecked: 2, blocksLost: 1, files: ["a"], filesLost: 1 };
      const rest = { slotsUndecided: 0, slots: 16_384, complete: true };
      return {
        ...{ id: node, done: !options.dryRun, epoch: 5, lineage: "00", forced: options.force },
        mayBeLost: { ...mayBeLost, ...rest },
      };
    },
    jobs: () => [job, { ...job, id: "fedcba9876543210", startedAt: job.startedAt + 1 }],
    job: async (id) => await Promise.resolve(known(id)),
    cancel: async (id) => await Promise.resolve({ ...known(id), state: "cancelled" as const }),
    collect: () => Promise.resolve({ ...job, kind: "collect" }),
  };
}

/** A healing of two lines. */
export async function* healLines(): AsyncGenerator<HealLine> {
  await Promise.resolve();
  yield { kind: "progress", nodesDone: 0, nodes: 2, blocksWanted: 1, blocksRestored: 0 };
  yield { kind: "report", nodesChecked: 2, nodesDead: 0, blocksRestored: 1, blocksLost: 0 };
}
