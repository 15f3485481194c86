// Fetches blocks for one pull: from this node's store first, else from holders as the fetch
// plan decides, else from tabs. The plan decides, this carries out: wants go to the block exchange,
// which hashes what comes; searches to everyone; time comes from the clock.
//
// Invariants: bytes given out match their CID (local ones are hashed here, remote ones at the
// door of the exchange); every get() settles; after stop() nothing of this pull runs.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import {
  fetchHedgesMax,
  fetchPatienceMs,
  fetchRoundsMax,
  fetchSearchMs,
  fetchTimeoutMs,
  replicasDefault,
  wantsPerPeerMax,
} from "../../shared/base/limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { digestOf } from "../../shared/block/cid.ts";
import {
  createFetchPlan,
  type FetchInput,
  type FetchOutput,
  type Holder,
} from "../../shared/block/fetch_plan.ts";
import { hashBlock } from "./block_hash.ts";
import { type BlockSearch, createBlockSearch, type SearchPorts } from "./block_search.ts";
import type { Clock } from "./clock.ts";
import type { ExtraCopies, ExtraSearch } from "./extra_copies.ts";
import { remoteOwnersOf } from "./place.ts";
import { untilAborted } from "./until_aborted.ts";

const fetchLimits = {
  perPeerMax: wantsPerPeerMax,
  hedgesMax: fetchHedgesMax,
  requestTimeoutMs: fetchTimeoutMs,
  searchTimeoutMs: fetchSearchMs,
  patienceMs: fetchPatienceMs,
  roundsMax: fetchRoundsMax,
} as const;
/** What a holder without a rating is taken for. */
const unknownMs = 50;
const typicalBlockBytes = 256 * 1024;

export interface FetchPorts extends SearchPorts {
  readonly store: BlockStore;
  /** The same blocks unchecked, when `store` hashes what it reads: once is enough. */
  readonly unchecked?: BlockStore;
  readonly clock: Clock;
  /** Where a block is looked for when no member gave it. */
  readonly extra?: ExtraCopies;
}

export interface FetchOptions {
  readonly replicas?: number;
  /** Peers that may have the blocks though they do not own them, likeliest first. */
  readonly hints?: readonly NodeId[];
  /** Told of each peer that sent wrong bytes; it is asked no more in this pull. */
  readonly onLiar?: (peer: NodeId) => void;
}

interface Waiting {
  readonly cid: Cid;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (cause: unknown) => void;
}

/** Blocks for one pull. Call stop() at its end, whatever happened. */
export class BlockFetcher {
  readonly #ports: FetchPorts;
  readonly #options: FetchOptions;
  readonly #plan = createFetchPlan(fetchLimits);
  readonly #search: BlockSearch;
  readonly #extra: ExtraSearch | undefined;
  readonly #end = new AbortController();
  readonly #waiting = new Map<number, Waiting>();
  readonly #requests = new Map<number, AbortController>();
  readonly #arrived = new Map<number, Uint8Array>();
  readonly #running = new Set<Promise<void>>();
  #nextIndex = 0;
  #wakeAt = Infinity;

  constructor(ports: FetchPorts, options: FetchOptions = {}) {
    this.#ports = ports;
    this.#options = options;
    this.#search = createBlockSearch(ports, this.#end.signal);
    this.#extra = ports.extra?.search(this.#end.signal);
  }

  /**
   * A block's bytes; `hints` are peers that may have this one, beside those of the options.
   * @throws {SkyringError} unavailable, disk_failed, stopped
   */
  async get(cid: Cid, hints: readonly NodeId[] = []): Promise<Uint8Array> {
    return await this.#local(cid) ?? await this.#remote(cid, hints);
  }

  /** Ends all requests; open get() calls fail with `stopped`. */
  async stop(): Promise<void> {
    const cause = new SkyringError("stopped", "Cannot fetch block: the pull has ended");
    this.#end.abort(cause);
    for (const waiting of this.#waiting.values()) waiting.reject(cause);
    this.#waiting.clear();
    for (const request of this.#requests.values()) request.abort();
    await Promise.allSettled(this.#running);
  }

  async #local(cid: Cid): Promise<Uint8Array | undefined> {
    const store = this.#ports.unchecked ?? this.#ports.store;
    if (!store.has(cid)) return undefined;
    try {
      const bytes = await store.get(cid);
      if (bytes === undefined) return undefined;
      if (equal(await hashBlock(bytes), digestOf(cid))) return bytes;
    } catch (cause) {
      if (!(cause instanceof SkyringError) || cause.code !== "corrupt") throw cause;
    }
    await store.quarantine(cid);
    return undefined;
  }

  #remote(cid: Cid, hints: readonly NodeId[]): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#end.signal.aborted) return reject(this.#end.signal.reason);
      const index = this.#nextIndex++;
      this.#waiting.set(index, { cid, resolve, reject });
      this.#step({ kind: "want", index, holders: this.#holdersOf(cid, hints) });
    });
  }

  /** Owners first, then who helped out before, then hints. */
  #holdersOf(cid: Cid, hints: readonly NodeId[]): Holder[] {
    const { ring } = this.#ports;
    const owners = remoteOwnersOf(ring, cid, this.#options.replicas ?? replicasDefault);
    const others = [...this.#search.helpers(), ...hints, ...this.#options.hints ?? []];
    return [...new Set([...owners, ...others])].filter((id) => id !== ring.self)
      .map((id) => this.#holder(id));
  }

  #holder(id: NodeId): Holder {
    const { bytesPerSecond, latencyMs } = this.#ports.exchange.rating(id);
    const expectedMs = bytesPerSecond > 0
      ? latencyMs + 1_000 * typicalBlockBytes / bytesPerSecond
      : unknownMs;
    return { id, expectedMs };
  }

  #step(input: FetchInput): void {
    if (this.#end.signal.aborted) return;
    const { clock } = this.#ports;
    for (const output of this.#plan.step(input, clock.now())) this.#carry(output);
    const wakeAt = this.#plan.wakeAt() ?? Infinity;
    if (wakeAt < this.#wakeAt) this.#run(this.#wake(wakeAt));
  }

  /** Waits until then and ticks; a timer for an earlier time replaces this one's purpose. */
  async #wake(at: number): Promise<void> {
    const { clock } = this.#ports;
    this.#wakeAt = at;
    await clock.sleep(Math.max(1, at - clock.now()), this.#end.signal);
    if (this.#wakeAt !== at) return;
    this.#wakeAt = Infinity;
    this.#step({ kind: "tick" });
  }

  #carry(output: FetchOutput): void {
    if (output.kind === "fetch") {
      this.#run(this.#ask(output));
    } else if (output.kind === "cancel") {
      this.#requests.get(output.request)?.abort();
    } else if (output.kind === "ready") {
      const waiting = this.#take(output.index);
      const bytes = this.#arrived.get(output.request);
      if (bytes !== undefined) waiting?.resolve(bytes);
    } else if (output.kind === "fail") {
      this.#run(this.#lastResort(output.index, output.faults));
    } else if (output.kind === "search") {
      this.#run(this.#find(output.index));
    } else {
      output.kind satisfies "ban";
      this.#options.onLiar?.(output.peer);
    }
  }

  async #ask(fetch: FetchOutput & { kind: "fetch" }): Promise<void> {
    const waiting = this.#waiting.get(fetch.index);
    if (waiting === undefined) return;
    const stop = new AbortController();
    const { request } = fetch;
    this.#requests.set(request, stop);
    const options = { timeoutMs: fetch.timeoutMs, signal: stop.signal };
    try {
      const wanted = this.#ports.exchange.want(fetch.peer, waiting.cid, options);
      const outcome = await untilAborted(wanted, stop.signal);
      if (outcome === undefined || stop.signal.aborted) return;
      if (outcome.ok) {
        this.#arrived.set(request, outcome.bytes);
        this.#step({ kind: "done", request });
      } else {
        this.#step({ kind: "failed", request, fault: outcome.code });
      }
    } catch (cause) {
      // A cancelled want may end either way; nobody waits for it any more.
      if (!stop.signal.aborted) throw cause;
    } finally {
      this.#arrived.delete(request);
      this.#requests.delete(request);
    }
  }

  async #find(index: number): Promise<void> {
    const waiting = this.#waiting.get(index);
    if (waiting === undefined) return;
    const others = [...this.#waiting.values()].map((other) => other.cid);
    const found = await this.#search.find(waiting.cid, others);
    this.#step({ kind: "holders", index, holders: found.map((id) => this.#holder(id)) });
  }

  /** No member gave the block: a tab may have it. */
  async #lastResort(
    index: number,
    faults: Extract<FetchOutput, { kind: "fail" }>["faults"],
  ): Promise<void> {
    const cid = this.#waiting.get(index)?.cid;
    if (cid === undefined) return;
    const others = [...this.#waiting.values()].map((other) => other.cid);
    const bytes = await this.#extra?.get(cid, others);
    const waiting = this.#take(index);
    if (bytes === undefined) waiting?.reject(unavailable(cid, faults));
    else waiting?.resolve(bytes);
  }

  #take(index: number): Waiting | undefined {
    const waiting = this.#waiting.get(index);
    this.#waiting.delete(index);
    return waiting;
  }

  /** Owns a piece of work until it ends; its failure fails all that wait. */
  #run(work: Promise<void>): void {
    const owned = work.catch((cause) => {
      if (this.#end.signal.aborted) return;
      for (const index of [...this.#waiting.keys()]) this.#take(index)?.reject(failed(cause));
    }).finally(() => this.#running.delete(owned));
    this.#running.add(owned);
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function failed(cause: unknown): SkyringError {
  return cause instanceof SkyringError
    ? cause
    : new SkyringError("internal", `Cannot fetch block: ${messageOf(cause)}`, { cause });
}

function unavailable(cid: Cid, faults: Readonly<Record<string, number>>): SkyringError {
  const met = Object.entries(faults).map(([fault, count]) => `${fault} ${count}`);
  return new SkyringError(
    "unavailable",
    `Cannot fetch block: no holder gave it (${met.join(", ") || "none known"})`,
    { data: { cid, faults: met }, retriable: true },
  );
}
