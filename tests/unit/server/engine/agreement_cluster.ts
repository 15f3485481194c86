// Several agreement drivers in one process, each over its own database in a folder of its own, on
// a network of direct calls. `drop` ends a node as kill -9 would: nothing more leaves or arrives.

import { join } from "node:path";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import type { AgreementSettings } from "../../../../shared/record/agreement_port.ts";
import { type Database, openDatabase } from "../../../../server/disk/database.ts";
import { registerMigrations } from "../../../../server/disk/register_rows.ts";
import { countStart, rosterMigrations, startsSeen } from "../../../../server/disk/roster_table.ts";
import {
  type AgreementBeginning,
  type AgreementDriver,
  createAgreementDriver,
} from "../../../../server/engine/agreement_driver.ts";
import type { Channel, ChannelHandler, Network } from "../../../../server/net/network.ts";

export interface TestNode {
  readonly id: NodeId;
  readonly driver: AgreementDriver;
  readonly database: Database;
}

export interface TestCluster {
  readonly nodes: ReadonlyMap<NodeId, TestNode>;
  /** Starts a node, or starts it again over the folder it had. */
  start(name: string, beginning?: "found" | "join"): Promise<TestNode>;
  /** Cuts these nodes off from all others; none: the network is whole again. */
  cut(names: readonly string[]): void;
  /** From now on all believe this node dead for longer than the grace. */
  giveUp(id: NodeId): void;
  /** Ends a node without a word: its driver is cut off, not stopped. */
  drop(node: TestNode): Promise<void>;
  stop(): Promise<void>;
}

type Handlers = Map<string, Map<NodeId, ChannelHandler>>;

/** A cluster in `folder`; its nodes see each other at once. */
export function createTestCluster(
  folder: string,
  settings: Partial<AgreementSettings> = {},
): TestCluster {
  const nodes = new Map<NodeId, TestNode>();
  const handlers: Handlers = new Map();
  const apart = new Set<NodeId>();
  const overdue = new Set<NodeId>();
  const salt = "00112233445566778899aabbccddeeff";

  async function start(name: string, beginning: "found" | "join" = "join"): Promise<TestNode> {
    const id = asNodeId(`12D3KooW${name}`);
    const database = await openDatabase({
      path: join(folder, `${name}.sqlite`),
      migrations: [rosterMigrations, registerMigrations],
    });
    const boot = startsSeen(database) + 1;
    await countStart(database, boot);
    const driver = createAgreementDriver({
      ...{ self: id, boot, database, settings, seed: boot * 1_000 + name.length },
      network: networkOf(id, { nodes, handlers, apart }),
      opinions: { alive: () => [...nodes.keys()], overdue: () => [...overdue], reports: () => [] },
      now: () => Date.now(),
      onFailed: (error) => {
        throw error;
      },
    });
    const node = { id, driver, database };
    nodes.set(id, node);
    const offer = { capacity: 10 * 2 ** 30, zone: name };
    const how: AgreementBeginning = beginning === "found"
      ? { kind: "found", ...offer, salt }
      : { kind: "join", ...offer };
    driver.start(how);
    return node;
  }

  async function drop(node: TestNode): Promise<void> {
    nodes.delete(node.id);
    for (const byNode of handlers.values()) byNode.delete(node.id);
    await node.driver.stop();
    await node.database.stop();
  }

  return {
    nodes,
    start,
    giveUp: (id) => void overdue.add(id),
    cut(names) {
      apart.clear();
      for (const name of names) apart.add(asNodeId(`12D3KooW${name}`));
    },
    drop,
    async stop() {
      for (const node of [...nodes.values()]) await drop(node);
    },
  };
}

function networkOf(
  self: NodeId,
  world: {
    readonly nodes: ReadonlyMap<NodeId, TestNode>;
    readonly handlers: Handlers;
    readonly apart: ReadonlySet<NodeId>;
  },
): Pick<Network, "channel"> {
  return {
    channel(name): Channel {
      const byNode = world.handlers.get(name) ?? new Map<NodeId, ChannelHandler>();
      world.handlers.set(name, byNode);
      return {
        name,
        request: () => Promise.reject(new Error("the agreement only sends notices")),
        notify(to, message) {
          const copy = message.slice();
          queueMicrotask(() => {
            if (world.apart.has(self) !== world.apart.has(to)) return;
            if (world.nodes.has(self)) void byNode.get(to)?.(self, copy);
          });
        },
        handle: (handler) => void byNode.set(self, handler),
      };
    },
  };
}

/** Waits until `truth()`, polling; fails after `ms` with what `show()` says. */
export async function until(
  truth: () => boolean,
  { ms = 20_000, show = () => "" }: { readonly ms?: number; readonly show?: () => string } = {},
): Promise<void> {
  const end = Date.now() + ms;
  while (!truth()) {
    if (Date.now() > end) throw new Error(`did not happen within ${ms} ms: ${show()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
