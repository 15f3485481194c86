// The engines of a node, made over its disk and network: block transfer, catalog, records, the
// loops that keep them, and the pool that faces use.

import { messageOf, SkyringError } from "../shared/base/errors.ts";
import { recordMessageBytesMax, tombstoneAgeMs } from "../shared/base/limits.ts";
import type { Cid } from "../shared/base/ids.ts";
import type { Prng } from "../shared/base/prng.ts";
import type { BlockStore } from "../shared/block/block_store.ts";
import type { Config } from "./config.ts";
import { createVerifiedStore } from "./disk/verified_store.ts";
import { Activity, countedPool } from "./engine/activity.ts";
import { Catalog } from "./engine/catalog.ts";
import { type Holders, holdersOf } from "./engine/copy_count.ts";
import { createFreshness } from "./engine/catalog_freshness.ts";
import { CatalogSync } from "./engine/catalog_sync.ts";
import { systemClock } from "./engine/clock.ts";
import { createExtraCopies } from "./engine/extra_copies.ts";
import { InnerBlocks, needsNoInner } from "./engine/inner_blocks.ts";
import { Mesh } from "./engine/mesh.ts";
import type { Pool } from "./engine/pool.ts";
import { createPool } from "./engine/pool_service.ts";
import { fetchBlock } from "./engine/pull.ts";
import { Records } from "./engine/records.ts";
import { repairChannelLimits } from "./engine/repair_talk.ts";
import {
  createRepairService,
  quarantineUnreadable,
  type RepairService,
  watchLosses,
} from "./engine/repair_service.ts";
import { createTransferShares } from "./engine/transfer_shares.ts";
import type { TabBlocks } from "./engine/tab_blocks.ts";
import type { Workers } from "./engine/workers.ts";
import type { Log } from "./log.ts";
import { type BlockDriver, createBlockDriver } from "./net/block_driver.ts";
import type { NodeDisk } from "./node_disk.ts";
import type { NodeNetwork } from "./node_network.ts";
import { makeTabBlocks } from "./node_tabs.ts";
import type { Seat } from "./seat.ts";

export interface NodeEnginesOptions {
  readonly config: Config;
  readonly seat: Seat;
  readonly log: Log;
  readonly disk: NodeDisk;
  readonly network: NodeNetwork;
  readonly workers: Workers;
  readonly prng: Prng;
  /** Throws read_only or not_ready while nothing may be written. */
  readonly assertWritable: () => void;
  /** Throws clock_off while this node may stamp nothing. */
  readonly assertClock: () => void;
  /** The same as an answer: whether blocks may be moved and dropped. */
  readonly writable: () => boolean;
  /** Age of the last quiet pass over this node's registers. */
  readonly quietMs: () => number | undefined;
}

export interface NodeEngines {
  readonly store: BlockStore;
  readonly exchange: BlockDriver;
  readonly tabs: TabBlocks;
  readonly catalog: Catalog;
  readonly sync: CatalogSync;
  readonly records: Records;
  readonly inner: InnerBlocks;
  readonly mesh: Mesh;
  readonly repair: RepairService;
  readonly pool: Pool;
  /** Which nodes that answer hold each block. */
  readonly holdersOf: (cids: readonly Cid[]) => Promise<Holders>;
}

const catalogChannel = {
  messageBytesMax: recordMessageBytesMax,
  concurrencyMax: 8,
  queueMax: 1_024,
  roles: ["member"],
} as const;

/** Makes the engines. @throws as Catalog.open() */
export async function makeEngines(options: NodeEnginesOptions): Promise<NodeEngines> {
  const { config, log, disk: { database, blocks }, network, workers } = options;
  const { self, host, netmap, agreement } = network;
  const now = Date.now;
  const catalog = await Catalog.open({ database, tombstoneAgeMs, now, isComplete: needsNoInner });
  const sync = makeSync(options, catalog);
  const records = new Records({
    ...{ catalog, sync, database, now },
    operate: (key, change) => agreement.operate(key, change),
    assertClock: options.assertClock,
  });
  const tabs = makeTabBlocks(host, () => exchange);
  const exchange: BlockDriver = createBlockDriver({
    ...{ tabs, makeRoom: network.rooms.take },
    onFault: (peer, reason) => {
      log.debug("peer_fault", { peer, reason });
      tabs.offended(peer, reason);
    },
    ...{ streams: host.streams, group: config.group, public: config.public, store: blocks },
    onFailure: (error) => {
      log.warn("block_serve_failed", { error });
      quarantineUnreadable(watched, error).catch((cause) =>
        log.warn("quarantine_failed", { error: cause })
      );
    },
    onLie: (peer) => {
      log.warn("peer_lied", { peer });
      tabs.lied(peer);
    },
  });
  const watched = watchLosses(blocks, (cid, bytes) => {
    log.warn("block_quarantined", { cid, bytes });
    repair.lost(cid, bytes);
  });
  const store = createVerifiedStore(watched);
  const ports = {
    ...{ self, ring: netmap, store, unchecked: blocks, exchange },
    clock: systemClock,
    extra: createExtraCopies({ ring: netmap, exchange, tabs, clock: systemClock }),
    ...{ shares: createTransferShares(), handOver: network.rooms.handOver },
  };
  const inner = new InnerBlocks({
    ...{ catalog, store, workers },
    fetch: (cid, signal) => fetchBlock(ports, cid, { signal }),
    onComplete: (entry) => repair.completed(entry),
  });
  const activity = new Activity(() => performance.now());
  const repair = createRepairService({
    ...{ ...ports, catalog, workers, activity },
    ...{ store: watched, keepMs: config.keepMs, monotonic: () => performance.now() },
    channel: host.channel("repair", repairChannelLimits),
    roster: () => netmap.roster(),
    compareWith: (peer, signal) => sync.compareWith(peer, signal),
    quietMs: () => options.quietMs(),
    compare: () => sync.wake(),
    bytesPerSecond: config.repairRate ?? Infinity,
    synced: () => sync.synced,
    writable: options.writable,
    fetchInner: (cid, signal) => fetchBlock(ports, cid, { signal }),
  });
  const pool = createPool({
    ...{ ...ports, records, catalog },
    freshCatalog: createFreshness({
      peers: () => network.netmap.alive().filter((id) => id !== self),
      compareWith: (peer, signal) => sync.compareWith(peer, signal),
      onFailed: (peer, error) => log.debug("list_not_fresh", { peer, error }),
    }),
    nodeName: options.seat.name,
    replicas: config.replicas,
    ...{ keepMs: config.keepMs, now: Date.now },
    assertReadable: () => assertRoster(network),
    assertWritable: options.assertWritable,
    assertRoom: (contentLength) => assertRoom(options, contentLength ?? 0),
  });
  const mesh = makeMesh(options);
  const counted = countedPool(pool, activity);
  return {
    ...{ store, exchange, tabs, catalog, sync, records, inner, mesh, repair, pool: counted },
    holdersOf: (cids) => holdersOf(ports, cids, { lease: false }),
  };
}

function makeSync(options: NodeEnginesOptions, catalog: Catalog): CatalogSync {
  const { network: { host, netmap }, disk: { database }, workers, prng, log } = options;
  return new CatalogSync({
    ...{ catalog, database, workers, prng, now: Date.now },
    channel: host.channel("catalog", catalogChannel),
    gossip: {
      publish: (bytes) => {
        host.gossip.publish("catalog", bytes).catch((error) =>
          log.debug("gossip_failed", { error: messageOf(error) })
        );
      },
      handle: (hear) => host.gossip.subscribe("catalog", (bytes, from) => hear(from, bytes)),
    },
    peers: () => host.connected().filter((id) => netmap.isUsable(id)),
    lineage: () => netmap.roster()?.lineage,
    alone: () => isAlone(options.network),
  });
}

function isAlone({ netmap }: NodeNetwork): boolean {
  return netmap.roster()?.members.length === 1;
}

function makeMesh(options: NodeEnginesOptions): Mesh {
  const { network: { self, host, netmap }, disk: { database }, workers, log, seat } = options;
  return new Mesh({
    ...{ network: host, database, workers, log, join: seat.join },
    members: () => (netmap.roster()?.members ?? []).map(({ id }) => id).filter((id) => id !== self),
    addressesOf: (id) => netmap.profileOf(id)?.addresses ?? [],
  });
}

function assertRoster({ netmap }: NodeNetwork): void {
  if (netmap.roster() !== undefined) return;
  throw new SkyringError("not_ready", "Cannot serve files: this node has no roster yet", {
    retriable: true,
  });
}

/** Refuses a new file that this node's metadata or the pool's capacity has no room for. */
function assertRoom({ disk, network }: NodeEnginesOptions, contentLength: number): void {
  const use = disk.blocks.use();
  if (use.metadataBytes >= use.metadataBytesMax) {
    throw new SkyringError("metadata_full", "Cannot store file: no room for its metadata", {
      data: { usedBytes: use.metadataBytes, limit: use.metadataBytesMax },
    });
  }
  const alive = network.netmap.snapshot().filter(({ state }) => state === "alive");
  const freeBytes = alive.reduce((sum, one) => sum + Math.max(0, one.capacity - one.used), 0);
  if (contentLength > freeBytes) {
    throw new SkyringError("full", "Cannot store file: the pool has no room for it", {
      data: { freeBytes, needed: contentLength },
    });
  }
}
