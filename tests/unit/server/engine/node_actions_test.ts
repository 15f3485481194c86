// Which node an order is about: an id, its end, or a name that one member alone has.

import { deepStrictEqual, ok, rejects } from "node:assert/strict";
import type { Order } from "../../../../server/engine/control.ts";
import {
  createNodeActions,
  type NodeActionsOptions,
} from "../../../../server/engine/node_actions.ts";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId } from "../../../../shared/base/ids.ts";

const ids = ["12D3KooWaaaaaaaaFirst1", "12D3KooWaaaaaaaaOther2", "12D3KooWaaaaaaaaThird3"];
const names = ["node-1", "node-1", "node-3"];

function actionsOf(asked: string[]) {
  const options = {
    self: asNodeId("12D3KooWaaaaaaaaMyself"),
    name: "own",
    nodes: () => ids.map((id, index) => ({ id, name: names[index], state: "alive" })),
    control: {
      ask: (to: string, _order: Order) => {
        asked.push(to);
        return Promise.resolve({ kind: "done" as const });
      },
    },
  };
  // Only what choosing a node needs: the other ports are not touched.
  return createNodeActions(options as unknown as NodeActionsOptions);
}

Deno.test("stop() takes an id, the end of one, or a name that is one node's alone", async () => {
  const asked: string[] = [];
  const { stop } = actionsOf(asked);
  const given = { dryRun: false, force: false };
  for (const node of [ids[0] ?? "", "aaOther2", "Other2", "node-3"]) await stop(node, given);
  deepStrictEqual(asked, [ids[0], ids[1], ids[1], ids[2]]);
});

Deno.test("stop() refuses a name of two nodes, and says the ends of their ids", async () => {
  const { stop } = actionsOf([]);
  const given = { dryRun: false, force: false };
  await rejects(async () => await stop("node-1", given), (error) => {
    ok(error instanceof SkyringError && error.code === "conflict");
    ok(error.message.endsWith("2 have that name; give the end of an id: aaFirst1, aaOther2"));
    deepStrictEqual(error.data["ids"], ids.slice(0, 2));
    return true;
  });
  for (const node of ["Other", "node-9", "zOther2"]) {
    await rejects(
      async () => await stop(node, given),
      (error) => error instanceof SkyringError && error.code === "not_found",
    );
  }
});
