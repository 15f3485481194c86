// Keeps the catalogs of a group the same. New entries are named by gossip and fetched by who
// lacks them; every few seconds each node compares its whole catalog with one other, which costs
// one small message when nothing differs, and finds whatever gossip lost.
//
//   local change -> digest (gossip, batched) -> others: fetch what they lack
//   worker       -> compare with one peer    -> fetch, copy pages, or tell the peer what it lacks
//
// Bodies always travel by pull, from a node that has them, over the channel "catalog".

import type { Lineage, NodeId } from "../../shared/base/ids.ts";
import {
  catalogDigestEntriesMax,
  catalogPageBytesMax,
  catalogPageEntriesMax,
  catalogStaleMsMax,
} from "../../shared/base/limits.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Prng } from "../../shared/base/prng.ts";
import type { CatalogEntry, EntryMark } from "../../shared/record/catalog_entry.ts";
import { sameFingerprint } from "../../shared/record/fingerprint_tree.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import { answerClaims } from "../../shared/record/reconcile.ts";
import {
  type CatalogReply,
  type CatalogRequest,
  decodeCatalogRequest,
  encodeCatalogReply,
  encodeCatalogRequest,
} from "../../shared/wire/catalog_message.ts";
import {
  putCatalogLineage,
  putComparedAt,
  readCatalogLineage,
  readComparedAt,
} from "../disk/catalog_table.ts";
import type { Database } from "../disk/database.ts";
import type { Channel } from "../net/network.ts";
import type { Catalog } from "./catalog.ts";
import { CatalogComparison } from "./catalog_comparison.ts";
import type { StepReport, Workers } from "./workers.ts";

/** Hints to all members at once: may be lost, never relied on. */
export interface Gossip {
  publish(bytes: Uint8Array): void;
  handle(handler: (from: NodeId, bytes: Uint8Array) => void): void;
}

export interface CatalogSyncOptions {
  readonly catalog: Catalog;
  readonly database: Database;
  readonly channel: Channel;
  readonly gossip: Gossip;
  readonly workers: Workers;
  readonly prng: Prng;
  readonly now: () => number;
  /** Other members that are connected and believed alive. */
  readonly peers: () => readonly NodeId[];
  /** Our roster's lineage; undefined before the first roster. */
  readonly lineage: () => Lineage | undefined;
  /** Whether this node is the only member: then it has everything there is. */
  readonly alone: () => boolean;
}

const everyMs = 5_000;
const digestDelayMs = 100;
/** Entries waiting to be named by gossip; beyond it the next comparison finds them. */
const digestQueueMax = 8_192;

/** Keeps one catalog in step with those of the other members. */
export class CatalogSync {
  readonly #options: CatalogSyncOptions;
  readonly #comparison: CatalogComparison;
  readonly #unnamed: EntryMark[] = [];
  #digestTimer: ReturnType<typeof setTimeout> | undefined;
  #synced = false;
  #following: Pick<Roster, "lineage" | "parent"> | undefined;
  #suggested: NodeId | undefined;
  #wake: () => void = () => undefined;

  constructor(options: CatalogSyncOptions) {
    const { catalog, channel } = options;
    this.#options = options;
    this.#comparison = new CatalogComparison({ catalog, channel, lineage: () => this.#lineage() });
  }

  /** Begins to answer and to compare. Discards copies that are too old to be trusted (T4). */
  async start(): Promise<void> {
    const { channel, gossip, workers } = this.#options;
    await this.#discardStale();
    channel.handle((from, bytes) => this.#answer(from, bytes));
    gossip.handle((from, bytes) => this.#hear(from, bytes));
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = workers.start({ name: "catalog sync", everyMs, step }).wake;
  }

  /**
   * Discards copies that missed comparisons for so long that tombstones may have gone meanwhile:
   * compared once more, they would bring deleted names back to everybody (T4).
   */
  async #discardStale(): Promise<void> {
    if (!this.#isStale()) return;
    const { catalog, database, now } = this.#options;
    this.#synced = false;
    await catalog.clear();
    await database.write([putComparedAt(now())]);
  }

  #isStale(): boolean {
    const { database, now } = this.#options;
    const comparedAt = readComparedAt(database);
    return comparedAt !== undefined && now() - comparedAt > catalogStaleMsMax;
  }

  /** Whether a whole comparison with another node has ended since the start (or none is needed). */
  get synced(): boolean {
    return this.#synced || this.#options.alone();
  }

  /** Compares soon: peers came, the lineage changed. */
  wake(): void {
    this.#wake();
  }

  /**
   * Takes note of a roster. Another lineage's records are not ours: the copies are dropped. Until
   * that is done, nobody is asked and nobody answered; what fails is done at the next turn.
   */
  async follow(roster: Pick<Roster, "lineage" | "parent">): Promise<void> {
    const { catalog, database } = this.#options;
    const before = readCatalogLineage(database);
    if (before === roster.lineage) return;
    this.#following = roster;
    // A lineage made by force carries its parent's registers on: their copies stay right.
    if (before !== undefined && before !== roster.parent?.lineage) {
      this.#synced = false;
      await catalog.clear();
    }
    await database.write([putCatalogLineage(roster.lineage)]);
    if (this.#following === roster) this.#following = undefined;
    this.#wake();
  }

  #lineage(): Lineage | undefined {
    return this.#following === undefined ? this.#options.lineage() : undefined;
  }

  /** Names entries that were decided through this node to all others. */
  announce(marks: readonly EntryMark[]): void {
    if (this.#unnamed.length + marks.length > digestQueueMax) return;
    this.#unnamed.push(...marks);
    this.#digestTimer ??= setTimeout(() => this.#publish(), digestDelayMs);
  }

  /** Names what is still unnamed and ends the timer; the worker table ends the loop. */
  stop(): void {
    if (this.#digestTimer === undefined) return;
    clearTimeout(this.#digestTimer);
    this.#publish();
  }

  #publish(): void {
    this.#digestTimer = undefined;
    const lineage = this.#lineage();
    if (lineage === undefined) return;
    while (this.#unnamed.length > 0) {
      const marks = this.#unnamed.splice(0, catalogDigestEntriesMax);
      const all = this.#options.catalog.fingerprint({ depth: 0, index: 0 });
      const request: CatalogRequest = { kind: "digest", marks, all };
      this.#options.gossip.publish(encodeCatalogRequest({ lineage, request }));
    }
  }

  /** A digest: fetch what it names and we lack. */
  #hear(from: NodeId, bytes: Uint8Array): void {
    const envelope = decodeCatalogRequest(bytes);
    if (envelope === undefined || envelope.lineage !== this.#lineage()) return;
    if (envelope.request.kind !== "digest") return;
    const { marks, all } = envelope.request;
    const missing = this.#options.catalog.missing(marks);
    if (missing.length > 0) {
      // What failed is seen, and told, by the comparison that is made instead.
      this.#comparison.fetch(from, missing, undefined).catch(() => this.#suggest(from));
    } else if (!sameFingerprint(all, this.#options.catalog.fingerprint({ depth: 0, index: 0 }))) {
      this.#suggested = from; // compared with at the next turn, not at once: more is on its way
    }
  }

  #suggest(peer: NodeId): void {
    this.#suggested = peer;
    this.#wake();
  }

  async #answer(from: NodeId, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const envelope = decodeCatalogRequest(bytes);
    if (envelope === undefined) return undefined;
    // What is about to be discarded is given to nobody.
    if (this.#isStale()) return undefined;
    const lineage = this.#lineage() ?? null;
    if (envelope.lineage !== lineage) return encodeCatalogReply({ kind: "refused", lineage });
    if (envelope.request.kind === "digest") {
      this.#hear(from, bytes);
      return undefined;
    }
    await this.#options.catalog.settled();
    return encodeCatalogReply(this.#reply(envelope.request));
  }

  #reply(request: Exclude<CatalogRequest, { kind: "digest" }>): CatalogReply {
    const { catalog } = this.#options;
    switch (request.kind) {
      case "compare":
        return { kind: "answers", answers: answerClaims(catalog, request.claims) };
      case "fetch":
        return { kind: "entries", entries: withinPage(catalog.marked(request.marks)) };
      case "copy": {
        const limit = catalogPageEntriesMax;
        const found = catalog.page({ after: request.after, limit });
        const entries = withinPage(found);
        const more = entries.length < found.length || found.length === limit;
        return { kind: "page", entries, more };
      }
    }
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const { catalog, peers, prng } = this.#options;
    if (this.#following !== undefined) await this.follow(this.#following);
    await this.#noteAlone();
    await this.#discardStale();
    await catalog.dropOldTombstones();
    const suggested = this.#suggested;
    this.#suggested = undefined;
    const order = prng.shuffle(peers());
    order.sort((one, other) => Number(other === suggested) - Number(one === suggested));
    const { era } = catalog;
    for (const peer of order) {
      const took = await this.#compareIfReady(peer, signal);
      if (era !== catalog.era) return { more: true, progress: "emptied meanwhile" };
      if (took === undefined) continue;
      this.#synced = true;
      await this.#options.database.write([putComparedAt(this.#options.now())]);
      return { more: false, progress: `in step with ${peer.slice(-6)}, ${took} entries taken` };
    }
    return { more: false, progress: `waits: of ${order.length} peers none can compare yet` };
  }

  /**
   * Members join a roster one after the other, and two lineages meet: a peer that does not know
   * ours yet is no failure, another is asked. @returns entries taken, undefined when not ready
   */
  async #compareIfReady(peer: NodeId, signal: AbortSignal): Promise<number | undefined> {
    try {
      return await this.compareWith(peer, signal);
    } catch (error) {
      if (error instanceof SkyringError && error.code === "not_ready") return undefined;
      throw error;
    }
  }

  /** One whole comparison: see CatalogComparison.run(). @returns entries taken */
  compareWith(peer: NodeId, signal: AbortSignal | undefined): Promise<number> {
    return this.#comparison.run(peer, signal);
  }

  /** A lone node has all there is: it is in step with itself. */
  async #noteAlone(): Promise<void> {
    const { alone, database, now } = this.#options;
    if (!alone() || now() - (readComparedAt(database) ?? 0) < catalogStaleMsMax / 15) return;
    await database.write([putComparedAt(now())]);
  }
}

/** As many entries, from the first, as fit a page; at least one. */
function withinPage(entries: readonly CatalogEntry[]): readonly CatalogEntry[] {
  let bytes = 0;
  const end = entries.findIndex(({ value }, index) => {
    bytes += value.body.length + 512;
    return bytes > catalogPageBytesMax && index > 0;
  });
  return end === -1 ? entries : entries.slice(0, end);
}
