// Catalogs of several nodes over real databases, an in-process channel and gossip: for the tests of
// catalog sync and its bench.

import assert from "node:assert/strict";
import { asLineage, asNodeId, type Lineage, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng } from "../../../../shared/base/prng.ts";
import type { CatalogEntry } from "../../../../shared/record/catalog_entry.ts";
import { sameFingerprint } from "../../../../shared/record/fingerprint_tree.ts";
import { openingClaim } from "../../../../shared/record/reconcile.ts";
import { encodeCatalogRequest } from "../../../../shared/wire/catalog_message.ts";
import {
  catalogMigrations,
  putComparedAt,
  readComparedAt,
} from "../../../../server/disk/catalog_table.ts";
import { openDatabase } from "../../../../server/disk/database.ts";
import { Catalog } from "../../../../server/engine/catalog.ts";
import { CatalogSync, type Gossip } from "../../../../server/engine/catalog_sync.ts";
import { Workers } from "../../../../server/engine/workers.ts";
import type { Channel, ChannelHandler } from "../../../../server/net/network.ts";

/** The lineage of nodes that are given none. */
export const lineage = asLineage("cd".repeat(32));
const all = { depth: 0, index: 0 };

/** Connects the channels and gossip of several nodes, and counts what passes. */
export class Wire {
  readonly handlers = new Map<NodeId, ChannelHandler>();
  readonly hearers = new Map<NodeId, (from: NodeId, bytes: Uint8Array) => void>();
  bytes = 0;

  channel(self: NodeId): Channel {
    const pass = async (to: NodeId, message: Uint8Array) => {
      this.bytes += message.length;
      const reply = await this.handlers.get(to)?.(self, message);
      this.bytes += reply?.length ?? 0;
      return reply;
    };
    return {
      name: "catalog",
      request: async (to, message) => (await pass(to, message)) ?? new Uint8Array(0),
      notify: (to, message) => void pass(to, message),
      handle: (handler) => void this.handlers.set(self, handler),
    };
  }

  /** The answer of `to` when `from` asks for a comparison with its catalog. */
  async ask(from: string, to: string, catalog: Catalog): Promise<Uint8Array | undefined> {
    const request = { kind: "compare", claims: [openingClaim(catalog)] } as const;
    const message = encodeCatalogRequest({ lineage, request });
    return await this.handlers.get(asNodeId(to))?.(asNodeId(from), message) ?? undefined;
  }

  gossip(self: NodeId, { deaf }: { deaf: boolean }): Gossip {
    return {
      publish: (bytes) => {
        for (const [to, hear] of this.hearers) if (to !== self) hear(self, bytes);
      },
      handle: (hear) => {
        if (!deaf) this.hearers.set(self, hear);
      },
    };
  }
}

/** One node's catalog. */
export interface TestNode {
  readonly catalog: Catalog;
  readonly sync: CatalogSync;
  readonly workers: Workers;
  comparedAt(): number;
  /** As if it had been compared with some other node just now. */
  markCompared(): Promise<void>;
  stop(): Promise<void>;
}

/** Opens a node on a folder of its own; stop() asserts that no loop failed but as expected. */
export async function openNode(
  name: string,
  { wire, peers, deaf = false, start = true, now = Date.now, isAlone = false, ...more }: {
    wire: Wire;
    peers: string[] | (() => string[]);
    deaf?: boolean;
    start?: boolean;
    now?: () => number;
    isAlone?: boolean;
    /** Its roster's lineage at the moment; undefined before its first roster. */
    lineageOf?: () => Lineage | undefined;
    /** Takes the errors of loops that the test expects. */
    onFailed?: (error: unknown) => void;
  },
): Promise<TestNode> {
  const folder = await Deno.makeTempDir();
  const database = await openDatabase({
    path: `${folder}/skyring.db`,
    migrations: [catalogMigrations],
  });
  const catalog = await Catalog.open({
    database,
    tombstoneAgeMs: 30 * 86_400_000,
    now,
    isComplete: () => true,
  });
  const failures: unknown[] = [];
  const { onFailed = (error: unknown) => failures.push(error), lineageOf = () => lineage } = more;
  const workers = new Workers((_, error) => onFailed(error));
  const self = asNodeId(name);
  const sync = new CatalogSync({
    catalog,
    database,
    channel: wire.channel(self),
    gossip: wire.gossip(self, { deaf }),
    workers,
    prng: createPrng(1),
    now,
    peers: () =>
      (typeof peers === "function" ? peers() : peers).map(asNodeId).filter((peer) =>
        wire.handlers.has(peer)
      ),
    lineage: lineageOf,
    alone: () => isAlone,
  });
  if (start) await sync.start();
  const stop = async () => {
    sync.stop();
    await workers.stop();
    await catalog.settled();
    await database.stop();
    await Deno.remove(folder, { recursive: true });
    assert.deepEqual(failures, []);
  };
  return {
    ...{ catalog, sync, workers, stop },
    comparedAt: () => readComparedAt(database) ?? 0,
    markCompared: () => database.write([putComparedAt(now())]),
  };
}

/** An entry of about 200 bytes at version `round`. */
export function entry(name: string, round: number, deleted = false): CatalogEntry {
  const version = [1, round, asNodeId("n"), 1] as const;
  const stamp = [Date.now(), 0] as const;
  const body = new Uint8Array(deleted ? 0 : 160);
  return {
    key: { kind: "file", name },
    value: { version, n: round, stamp, deleted, recent: [version], body },
  };
}

/** Waits until something is so. @returns milliseconds it took */
export async function until(truth: () => boolean, limitMs: number): Promise<number> {
  const start = performance.now();
  while (!truth()) {
    assert.ok(performance.now() - start < limitMs, `not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - start;
}

/** Whether two catalogs are the same. */
export const inStep = (one: TestNode, other: TestNode) => () =>
  sameFingerprint(one.catalog.fingerprint(all), other.catalog.fingerprint(all));
