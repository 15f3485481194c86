// All that keeps this node's blocks what they should be, as one part for the composition root:
// the book of references and the walk that writes it, and the loops that act on it.

import { SkyringError } from "../../shared/base/errors.ts";
import { asCid, type Cid, type NodeId } from "../../shared/base/ids.ts";
import type { VerifiableStore } from "../../shared/block/block_store.ts";
import { parseCid } from "../../shared/block/cid.ts";
import type { CatalogEntry } from "../../shared/record/catalog_entry.ts";
import { SlotHolds } from "../../shared/repair/trim_rule.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import type { BlockExchange } from "../../web/peer/block_exchange.ts";
import type { Channel } from "../net/network.ts";
import type { Activity } from "./activity.ts";
import type { Catalog } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import { type Collected, Collector } from "./collect.ts";
import type { ExtraCopies } from "./extra_copies.ts";
import { Heal, type HealLine } from "./heal.ts";
import type { RingView } from "./place.ts";
import { ReferenceSweep } from "./reference_sweep.ts";
import { References } from "./references.ts";
import { Repair, type RepairCounts } from "./repair.ts";
import { createRepairTalk } from "./repair_talk.ts";
import { Scrub } from "./scrub.ts";
import { Trim } from "./trim.ts";
import type { SoughtBlock, WantedView } from "./wanted.ts";
import type { Workers } from "./workers.ts";

export interface RepairServiceOptions {
  readonly store: VerifiableStore;
  readonly ring: RingView;
  readonly exchange: BlockExchange;
  /** Where a block is looked for that no member has. */
  readonly extra?: ExtraCopies;
  readonly catalog: Catalog;
  readonly workers: Pick<Workers, "start">;
  readonly activity: Activity;
  /** Opened with repairChannelLimits. */
  readonly channel: Channel;
  readonly clock: Clock;
  /** Milliseconds that never go back: what promises to other nodes are counted in. */
  readonly monotonic: () => number;
  readonly roster: () => Roster | undefined;
  /** How long unreferenced blocks stay. */
  readonly keepMs: number;
  /** Takes all that a member's catalog has and ours lacks. */
  readonly compareWith: (peer: NodeId, signal: AbortSignal | undefined) => Promise<unknown>;
  /** Age of this node's last quiet pass over its registers, ms; undefined without one. */
  readonly quietMs: () => number | undefined;
  /** Compares the catalog with another node soon. */
  readonly compare: () => void;
  /** Bytes a second for repair; Infinity for as fast as it goes. */
  readonly bytesPerSecond: number;
  /** Whether the catalog was compared with another node since the start. */
  readonly synced: () => boolean;
  /** Whether this node may move and drop blocks: council reached, not paused, joined. */
  readonly writable: () => boolean;
  readonly fetchInner: (cid: Cid, signal: AbortSignal) => Promise<Uint8Array>;
}

export interface RepairService {
  readonly view: WantedView;
  start(): void;
  /** The roster changed: owners are other ones. */
  rosterChanged(): void;
  /** All inner blocks of a file are here now. */
  completed(entry: CatalogEntry): void;
  /** A member answers again. */
  memberBack(): void;
  /** What members say of themselves changed: others may be full now. */
  profilesChanged(): void;
  /** A held block was quarantined. */
  lost(cid: Cid, bytes: number): void;
  wantedPage(after: string | undefined, limit: number): {
    readonly items: readonly SoughtBlock[];
    readonly next: string | null;
  };
  counts(): RepairCounts;
  /** Copies that the files want which reference a held block; 0 when none is known to. */
  replicasOf(cid: Cid): number;
  /** Checks and repairs the whole pool; the last line is the report. */
  heal(signal: AbortSignal): AsyncIterable<HealLine>;
  /** Removes now what nothing references here. @throws as Collector.now() */
  collect(signal?: AbortSignal): Promise<Collected>;
}

/** The service, not started. */
export function createRepairService(options: RepairServiceOptions): RepairService {
  const references = new References(options);
  const ready = () => options.roster() !== undefined && options.synced();
  const sweep = new ReferenceSweep({ ...options, references, ready });
  const repair = new Repair({ ...options, references });
  const talk = createRepairTalk(options.channel);
  const holds = new SlotHolds(options.monotonic());
  const upkeep = { ...options, references, talk, holds, sweep, repair };
  const trim = new Trim({ ...upkeep, known: () => sweep.known });
  const { self } = options.ring;
  const members = () => (options.roster()?.members ?? []).map(({ id }) => id);
  const others = () => members().filter((id) => id !== self);
  const rebuilding = () => options.catalog.rebuilding;
  const collector = new Collector({ ...upkeep, others, rebuilding });
  const heal = new Heal({ ...upkeep, self, members });
  const scrub = new Scrub(options);
  let full = "";
  talk.answer(async (asked) => {
    switch (asked.kind) {
      case "vouch":
        return await trim.vouch(asked);
      case "heal":
        return heal.answer(asked.begin);
      case "pushes": {
        const oldestMs = Math.ceil(options.activity.oldestPushMs());
        // Files that only this node's registers know are in nobody's catalog yet.
        const quietMs = rebuilding() ? undefined : options.quietMs();
        const quiet = quietMs === undefined ? null : Math.ceil(quietMs);
        return { kind: "pushing", oldestMs, quietMs: quiet };
      }
    }
  });
  return {
    view: sweep,
    start: () => {
      sweep.start();
      repair.start();
      trim.start();
      collector.start();
      scrub.start();
    },
    rosterChanged: () => sweep.rosterChanged(),
    completed: (entry) => sweep.changed(entry),
    memberBack: () => repair.retry(),
    profilesChanged: () => {
      const now = [...options.ring.fullMembers?.() ?? []].sort().join(" ");
      if (now === full) return;
      full = now;
      // What they lack is stood in for, and what they took over is surplus elsewhere.
      sweep.request();
    },
    lost: (cid, bytes) => references.lost(cid, bytes),
    wantedPage: (after, limit) => {
      const some = references.wanted.page(after, limit + 1);
      const items = some.slice(0, limit);
      return { items, next: some.length > limit ? items.at(-1)?.cid ?? null : null };
    },
    counts: () => repair.counts,
    replicasOf: (cid) => references.table.replicasOf(cid),
    heal: (signal) => heal.run(signal),
    collect: (signal) => collector.now(signal),
  };
}

/** A block that could not be read for a peer is not held any more. @throws as the store */
export async function quarantineUnreadable(store: VerifiableStore, error: unknown): Promise<void> {
  if (!(error instanceof SkyringError) || error.code !== "corrupt") return;
  const { cid } = error.data;
  if (typeof cid === "string" && parseCid(cid).ok) await store.quarantine(asCid(cid));
}

/** The same store; `onLost` hears of each block that turned out bad and is not held any more. */
export function watchLosses<Store extends VerifiableStore>(
  store: Store,
  onLost: (cid: Cid, bytes: number) => void,
): Store {
  return {
    ...store,
    quarantine: async (cid: Cid) => {
      const bytes = store.sizeOf(cid);
      await store.quarantine(cid);
      if (bytes !== undefined && !store.has(cid)) onLost(cid, bytes);
    },
    put: async (cid, bytes, kind) => {
      const held = store.has(cid);
      const outcome = await store.put(cid, bytes, kind);
      if (held && !outcome.ok && !store.has(cid)) onLost(cid, bytes.length);
      return outcome;
    },
  };
}
