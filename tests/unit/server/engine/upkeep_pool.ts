// Nodes with their repair, trim, collector and scrubber over the test pool: a shared catalog, a
// roster that tests change, and loops that run a step when the test says so.

import { SkyringError } from "../../../../shared/base/errors.ts";
import { encodeFileRecord, fileKey } from "../../../../shared/record/file_record.ts";
import { asLineage, type NodeId } from "../../../../shared/base/ids.ts";
import type { VerifiableStore } from "../../../../shared/block/block_store.ts";
import type { CatalogEntry } from "../../../../shared/record/catalog_entry.ts";
import { placement } from "../../../../shared/ring/placement.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";
import { Activity } from "../../../../server/engine/activity.ts";
import type { Catalog } from "../../../../server/engine/catalog.ts";
import type { ExtraCopies } from "../../../../server/engine/extra_copies.ts";
import { fetchBlock } from "../../../../server/engine/pull.ts";
import { pushBytes } from "../../../../server/engine/push.ts";
import {
  createRepairService,
  type RepairService,
  watchLosses,
} from "../../../../server/engine/repair_service.ts";
import type { StepReport, WorkerOptions } from "../../../../server/engine/workers.ts";
import type { Channel } from "../../../../server/net/network.ts";
import { createTestPool, pieces, type TestNode, type TestPool } from "./test_pool.ts";
import type { Clock } from "../../../../server/engine/clock.ts";

export interface UpkeepNode {
  readonly node: TestNode;
  readonly store: VerifiableStore;
  readonly service: RepairService;
  readonly activity: Activity;
  writable: boolean;
  /** Age of its last quiet pass over its registers. */
  quietMs: number | undefined;
  /** Whether others can compare their catalogs with its. */
  compares: boolean;
  /** Runs a loop's steps until it has no more to do now. */
  run(worker: string): Promise<StepReport>;
}

export interface UpkeepPool {
  readonly pool: TestPool;
  readonly nodes: readonly UpkeepNode[];
  at(index: number): UpkeepNode;
  /** Pushes through a node and enters the file into the catalog of all. */
  push(name: string, bytes: Uint8Array, options?: { readonly replicas?: number }): Promise<void>;
  remove(name: string): void;
  /** The catalog lacks a file, as one that was emptied does. @returns what brings it back */
  forget(name: string): () => void;
  /** Whether the catalog was emptied and is not whole again. */
  setRebuilding(on: boolean): void;
  /** Members of the roster from now on: another epoch. */
  setMembers(indexes: readonly number[]): void;
  /** Runs a loop on every member that behaves well. */
  runAll(...workers: readonly string[]): Promise<void>;
  members(): readonly UpkeepNode[];
  /** Time passes in which nothing runs. */
  jump(ms: number): void;
  now(): number;
}

const GiB = 1024 ** 3;
const lineage = asLineage("a".repeat(64));

/** `nodes` nodes, all of them members; `extra` is what their tabs have. */
export function createUpkeepPool(
  base: Clock,
  nodes = 5,
  { extra }: { readonly extra?: ExtraCopies } = {},
): UpkeepPool {
  let jumped = 0;
  const clock: Clock = {
    now: () => base.now() + jumped,
    sleep: (ms, signal) => base.sleep(ms, signal),
  };
  const pool = createTestPool({ nodes, clock });
  const entries = new Map<string, CatalogEntry>();
  const listeners: Parameters<Catalog["onChange"]>[0][] = [];
  const channels = new Map<NodeId, Parameters<Channel["handle"]>[0]>();
  let roster = rosterOf(pool, { epoch: 1, indexes: pool.nodes.map((_, at) => at) });

  let rebuilding = false;
  const catalog = {
    get rebuilding() {
      return rebuilding;
    },
    names: (_kind: string, { after, limit }: { after: string | undefined; limit: number }) =>
      [...entries.values()].filter(({ key, value }) =>
        !value.deleted && (after === undefined || key.name > after)
      ).sort((one, other) => one.key.name < other.key.name ? -1 : 1).slice(0, limit),
    count: () => entries.size,
    get: ({ name }: { name: string }) => entries.get(name),
    onChange: (listener: Parameters<Catalog["onChange"]>[0]) => listeners.push(listener),
  } as unknown as Catalog;
  const enter = (entry: CatalogEntry) => {
    const before = entries.get(entry.key.name);
    entries.set(entry.key.name, entry);
    const mark = { point: 0, id: new Uint8Array(16) };
    for (const listener of listeners) listener([{ entry, mark, before }]);
  };
  const compare = async (peer: NodeId) => {
    const other = made.find(({ node }) => node.id === peer);
    if (other?.compares !== true) {
      throw new SkyringError("unreachable", `Cannot reach ${peer}: gone`);
    }
    await Promise.resolve();
  };
  const made: UpkeepNode[] = pool.nodes.map((node, at) =>
    makeNode({ pool, node, at, catalog, channels, clock, roster: () => roster, compare, extra })
  );
  const members = () => made.filter(({ node }) => roster.members.some(({ id }) => id === node.id));
  let versions = 0;
  const valueOf = (body: Uint8Array, deleted: boolean) => {
    const version = [1, ++versions, pool.node(0).id, 1] as const;
    return { version, n: 1, stamp: [clock.now(), 0] as const, deleted, recent: [version], body };
  };
  return {
    pool,
    nodes: made,
    at: (index) => made[index] as UpkeepNode,
    members,
    jump: (ms) => void (jumped += ms),
    now: () => clock.now(),
    push: async (name, bytes, { replicas = 3 } = {}) => {
      const stored = await pushBytes(pool.ports(0), pieces(bytes), { replicas });
      const { root: cid, size, blocks } = stored;
      const file = { cid, size, blocks, chunkBytes: 262_144, replicas, writer: "test" };
      enter({ key: fileKey(name), value: valueOf(encodeFileRecord(file), false) });
    },
    remove: (name) => enter({ key: fileKey(name), value: valueOf(new Uint8Array(0), true) }),
    forget: (name) => {
      const entry = entries.get(name);
      entries.delete(name);
      return () => void (entry !== undefined && enter(entry));
    },
    setRebuilding: (on) => void (rebuilding = on),
    setMembers: (indexes) => {
      roster = rosterOf(pool, { epoch: roster.epoch + 1, indexes });
      for (const { service } of members()) service.rosterChanged();
    },
    runAll: async (...workers) => {
      for (const worker of workers) {
        for (const one of members()) if (one.node.manner === "well") await one.run(worker);
      }
    },
  };
}

function makeNode(
  parts: {
    readonly pool: TestPool;
    readonly node: TestNode;
    readonly at: number;
    readonly catalog: Catalog;
    readonly channels: Map<NodeId, Parameters<Channel["handle"]>[0]>;
    readonly clock: Clock;
    readonly roster: () => Roster;
    readonly compare: (peer: NodeId) => Promise<void>;
    readonly extra: ExtraCopies | undefined;
  },
): UpkeepNode {
  const { pool, node, clock, roster, channels } = parts;
  const workers = new Map<string, WorkerOptions>();
  const activity = new Activity(() => clock.now());
  const store = watchLosses(node.store as VerifiableStore, (cid, bytes) => {
    service.lost(cid, bytes);
  });
  const base = pool.ports(parts.at);
  const fullMembers = () =>
    new Set(pool.nodes.filter(({ store }) => store.use().full).map(({ id }) => id));
  const ring = { ...base.ring, placement: () => placement(roster()), fullMembers };
  const state = { writable: true, quietMs: 0 as number | undefined, compares: true };
  const service = createRepairService({
    ...{ store, ring, activity, clock, roster },
    ...(parts.extra === undefined ? {} : { extra: parts.extra }),
    exchange: base.exchange,
    catalog: parts.catalog,
    workers: {
      start: (options) => {
        workers.set(options.name, options);
        return { wake: () => undefined };
      },
    },
    channel: channelOf(node.id, { pool, channels }),
    monotonic: () => clock.now(),
    keepMs: 3_600_000,
    quietMs: () => state.quietMs,
    compareWith: (peer) => parts.compare(peer),
    compare: () => undefined,
    bytesPerSecond: Infinity,
    synced: () => true,
    writable: () => state.writable,
    fetchInner: (cid, signal) => fetchBlock({ ...base, ring }, cid, { signal }),
  });
  service.start();
  return Object.assign(state, {
    node,
    store,
    service,
    activity,
    run: async (name: string) => {
      const worker = workers.get(name);
      if (worker === undefined) throw new Error(`no worker ${name}`);
      for (;;) {
        const report = await worker.step(new AbortController().signal);
        if (!report.more) return report;
      }
    },
  });
}

function channelOf(
  self: NodeId,
  { pool, channels }: {
    readonly pool: TestPool;
    readonly channels: Map<NodeId, Parameters<Channel["handle"]>[0]>;
  },
): Channel {
  return {
    name: "repair",
    request: async (to, message) => {
      const manner = pool.nodes.find(({ id }) => id === to)?.manner;
      const reply = manner === "well" ? await channels.get(to)?.(self, message) : undefined;
      return reply ?? new Uint8Array(0); // no answer reads as none
    },
    notify: () => undefined,
    handle: (handler) => void channels.set(self, handler),
  };
}

function rosterOf(
  pool: TestPool,
  { epoch, indexes }: { readonly epoch: number; readonly indexes: readonly number[] },
): Roster {
  const members = indexes.map((at) => ({
    ...{ id: pool.node(at).id, since: 1, capacity: 10 * GiB, zone: `zone-${at}` },
  }));
  const council = members.slice(0, 1).map(({ id }) => id);
  const founder = pool.node(0).id;
  return { lineage, epoch, members, council, lost: [], foundedAt: 1, founder, salt: "0" };
}

/** The loops of all members turn until the work has ended. */
export async function whileRunning<T>(upkeep: UpkeepPool, work: Promise<T>): Promise<T> {
  let ended = false;
  const end = () => void (ended = true);
  work.then(end, end);
  while (!ended) {
    await upkeep.runAll("references", "repair");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return await work;
}
