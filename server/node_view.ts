// What a node says of itself: its phase, its profile for the netmap, its status and the ring, as
// plain snapshots of its parts. Nothing here decides anything but the phase's words.

import { sha256Text, toHex } from "../shared/base/hash.ts";
import { asSlot, type NodeId } from "../shared/base/ids.ts";
import { replicasDefault, slotCount } from "../shared/base/limits.ts";
import type { BlockStore } from "../shared/block/block_store.ts";
import { balanceOf } from "../shared/ring/balance.ts";
import type { Profile } from "../shared/ring/profile.ts";
import type { NodeSnapshot, StatusSnapshot, TabSketch } from "../shared/status.ts";
import type { AgreementDriver } from "./engine/agreement_driver.ts";
import type { Catalog } from "./engine/catalog.ts";
import type { CatalogSync } from "./engine/catalog_sync.ts";
import { version } from "../shared/base/version.ts";
import type { Netmap } from "./engine/netmap.ts";
import { createPhaseHolder, type PhaseFacts } from "./engine/phases.ts";
import type { WantedView } from "./engine/wanted.ts";
import type { Workers } from "./engine/workers.ts";
import type { Ready, RingSnapshot } from "./http/services.ts";
import { createTrafficLog, type TrafficLog } from "./http/traffic_log.ts";
import type { Network } from "./net/network.ts";

export interface NodeViewOptions {
  readonly name: string;
  readonly group: string;
  readonly zone: string;
  readonly bootId: string;
  readonly network: Network;
  readonly store: BlockStore;
  readonly netmap: Netmap;
  readonly agreement: AgreementDriver;
  readonly catalog: Catalog;
  readonly sync: CatalogSync;
  readonly workers: Workers;
  readonly wanted: WantedView;
  /** Tabs that are connected. */
  readonly tabs: () => TabSketch;
  readonly now: () => number;
  /** Whether this node was told to leave. */
  readonly leaving: () => boolean;
  /** What is wrong with the clock, in plain words. */
  readonly clockFault: () => string | undefined;
  /** HTTP base URL and line address; null until they listen. */
  readonly http: () => string | null;
  readonly line: () => string | null;
}

export interface NodeView {
  /** Brings the phase up to date. @returns true when its word changed */
  update(): boolean;
  profile(): Profile;
  status(): StatusSnapshot;
  nodes(): readonly NodeSnapshot[];
  /** Joined, writable, and done with reading what it decides now: see createArrivalWatch(). */
  ready(): Ready;
  /** Whether changes may be tried: a name whose deciders cannot answer is refused by itself. */
  writable(): Ready;
  /** Whether blocks may be moved and dropped: council reached, not paused, catalog compared. */
  maintains(): boolean;
  ring(): RingSnapshot;
}

/** The view of one node. @throws never */
export function createNodeView(options: NodeViewOptions): NodeView {
  const startedAt = options.now();
  const holder = createPhaseHolder(startedAt);
  const arrival = createArrivalWatch();
  const traffic = createTrafficLog();

  const profile = (): Profile => {
    const use = options.store.use();
    const agreed = options.agreement.status();
    const { missing, surplus } = options.wanted;
    const tabs = options.tabs();
    return {
      name: options.name,
      zone: options.zone,
      bootId: options.bootId,
      version,
      http: options.http(),
      line: options.line(),
      addresses: options.network.addresses(),
      phase: holder.now(),
      capacity: use.capacityBytes,
      used: use.blockBytes,
      metadata: use.metadataBytes,
      blocks: { held: use.blocks, wanted: missing, surplus },
      epoch: agreed.roster?.epoch ?? 0,
      arriving: agreed.arriving,
      ready: ready().ready,
      ...(tabs.count === 0 ? {} : { tabs }),
    };
  };

  const no = (reason: string): Ready => ({ ready: false, reason });

  const writable = (): Ready => {
    const agreed = options.agreement.status();
    if (!agreed.member) return no("this node is not in the roster yet");
    if (agreed.readOnly) return no("a majority of the council cannot be reached");
    if (options.netmap.paused()) return no("this node was paused and compares with others first");
    const fault = options.clockFault();
    return fault === undefined ? { ready: true } : no(fault);
  };

  const ready = (): Ready => {
    const may = writable();
    if (!may.ready) return may;
    const { arriving } = options.agreement.status();
    const stuck = arrival.waits(arriving, options.now());
    if (arriving > 0 && !stuck) return no(`registers of ${arriving} slots are being read`);
    if (!options.sync.synced) return no("the catalog is being fetched");
    return { ready: true };
  };

  // Registers that wait for lost deciders hold up writes of their names, never copies of blocks.
  const maintains = (): boolean => {
    const { member, readOnly } = options.agreement.status();
    return member && !readOnly && !options.netmap.paused() && options.sync.synced;
  };

  const nodes = (): readonly NodeSnapshot[] => options.netmap.snapshot();

  return {
    update: () => holder.update(factsOf(options), options.now()) !== undefined,
    profile,
    ready,
    writable,
    maintains,
    nodes,
    status: () =>
      statusOf(options, {
        own: profile(),
        nodes: nodes(),
        startedAt,
        writable: writable(),
        traffic,
      }),
    ring: () => ringOf(options.netmap, nodes()),
  };
}

/** Reading the registers of a slot that makes no progress for so long waits for lost disks. */
const arrivalStuckMs = 10_000;

/**
 * Tells slots that are being read from slots whose deciders are mostly lost: these wait for
 * their disks or for an operator, and the rest of the names goes on meanwhile.
 */
function createArrivalWatch(): { waits(arriving: number, now: number): boolean } {
  let last = -1;
  let changedAt = 0;
  return {
    waits(arriving, now) {
      if (arriving !== last) changedAt = now;
      last = arriving;
      return arriving > 0 && now - changedAt >= arrivalStuckMs;
    },
  };
}

function factsOf(options: NodeViewOptions): PhaseFacts {
  const agreed = options.agreement.status();
  const council = agreed.roster?.council ?? [];
  const use = options.store.use();
  return {
    peers: options.network.connected().length,
    members: agreed.roster?.members.length ?? 0,
    isMember: agreed.member,
    leaving: options.leaving(),
    council: {
      answering: council.filter((id) => options.netmap.isUsable(id)).length,
      size: council.length,
    },
    paused: options.netmap.paused(),
    catalog: { complete: options.sync.synced, records: options.catalog.count("file") },
    wantedKnown: options.wanted.known,
    wanted: options.wanted.missing,
    held: use.blocks,
    full: use.full,
  };
}

function statusOf(
  options: NodeViewOptions,
  parts: {
    readonly own: Profile;
    readonly nodes: readonly NodeSnapshot[];
    readonly startedAt: number;
    readonly writable: Ready;
    readonly traffic: TrafficLog;
  },
): StatusSnapshot {
  const { own } = parts;
  const agreed = options.agreement.status();
  const row = parts.nodes.find((node) => node.id === options.network.self);
  const { taken, given } = parts.traffic.sample(options.now(), {
    wanted: own.blocks.wanted,
    peers: options.network.peers(),
  });
  return {
    ...own,
    id: options.network.self,
    state: "alive",
    tokens: row?.tokens ?? 0,
    share: row?.share ?? 0,
    roundTripMs: 0,
    lastSeenAt: options.now(),
    group: options.group,
    startedAt: parts.startedAt,
    roster: {
      epoch: own.epoch,
      lineage: agreed.roster?.lineage ?? "",
      members: agreed.roster?.members.length ?? 0,
      council: agreed.roster?.council ?? [],
    },
    writable: parts.writable.ready,
    rates: { bytesIn: taken.at(-1) ?? 0, bytesOut: given.at(-1) ?? 0 },
    workers: options.workers.snapshot(),
  };
}

/** Members in ring order with their neighbours, and slots as runs of equal owners. */
function ringOf(netmap: Netmap, nodes: readonly NodeSnapshot[]): RingSnapshot {
  const roster = netmap.roster();
  if (roster === undefined) return { epoch: 0, slotCount, nodes: [], slots: [], zones: [] };
  const placed = netmap.placement();
  const around = nodes.map((node) => ({ node, position: toHex(sha256Text(node.id)) }))
    .sort((left, right) => left.position < right.position ? -1 : 1);
  const at = (index: number): NodeId | null =>
    around.length < 2
      ? null
      : (around[(index + around.length) % around.length]?.node.id ?? null) as NodeId | null;
  const runs: { from: number; to: number; owners: readonly string[] }[] = [];
  for (let slot = 0; slot < slotCount; slot++) {
    const owners = placed.ownersOf(asSlot(slot), replicasDefault);
    const last = runs.at(-1);
    if (last !== undefined && last.owners.join() === owners.join()) last.to = slot;
    else runs.push({ from: slot, to: slot, owners });
  }
  return {
    epoch: roster.epoch,
    slotCount,
    nodes: around.map(({ node, position }, index) => ({
      id: node.id,
      name: node.name,
      position,
      tokens: node.tokens,
      predecessor: at(index - 1),
      successor: at(index + 1),
    })),
    slots: runs,
    zones: [...balanceOf(placed, replicasDefault).zones].map(([zone, part]) => ({ zone, ...part })),
  };
}
