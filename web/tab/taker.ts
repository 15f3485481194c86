// Takes blocks from nodes into the tab's store: from the connected node that is least busy with
// us, then from the others, at last by the page's own node over HTTP, which looks wherever nodes
// look. Bytes are verified as they arrive (block protocol) or before they are stored (HTTP).

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import { digestOf } from "../../shared/block/cid.ts";
import { sameDigest } from "../peer/block_hash.ts";
import type { NodeApi } from "./node_api.ts";
import type { NodeLink } from "./node_link.ts";
import type { TabHash } from "./tab_hash.ts";
import type { TabStore } from "./tab_store.ts";

/** A phone on a slow line takes a block of 1 MiB in this time. */
const wantMs = 20_000;
/** Blocks on their way at once, over all nodes: 4 MiB of the usual size. */
const lanes = 16;
/** Blocks that have come and are being written meanwhile. */
const writesMax = 32;

/** How taking one block ended. `absent`: nobody asked had it. */
export type Taken = "held" | "full" | "absent";

export interface TakerOptions {
  readonly store: TabStore;
  readonly hash: TabHash;
  readonly api: NodeApi;
  readonly links: () => readonly NodeLink[];
  readonly onTaken: (bytes: number) => void;
}

/** A block to take. */
export interface ToTake {
  readonly cid: Cid;
  readonly kind: BlockKind;
}

interface TakeOptions {
  readonly signal: AbortSignal;
  readonly anyWay: boolean;
}

/** Takes blocks; one for all jobs of a tab. */
export class Taker {
  readonly #options: TakerOptions;
  readonly #coming = new Set<Cid>();

  constructor(options: TakerOptions) {
    this.#options = options;
  }

  /** Whether a block is on its way. */
  isComing(cid: Cid): boolean {
    return this.#coming.has(cid);
  }

  /**
   * Takes many, several at once, in their order; ends early when `onEach` says so. While some are
   * written others come. @throws what the store throws, after all that had begun has ended
   */
  async takeAll(
    blocks: readonly ToTake[],
    options: TakeOptions & {
      readonly onEach: (block: ToTake, taken: Taken) => "go on" | "enough";
    },
  ): Promise<void> {
    let next = 0;
    let enough = false;
    let failure: { readonly error: unknown } | undefined;
    const writes = new Set<Promise<void>>();
    const settle = async (block: ToTake, written: Promise<Taken>) => {
      if (options.onEach(block, await written) === "enough") enough = true;
    };
    const lane = async () => {
      for (;;) {
        const block = blocks[next++];
        if (block === undefined || enough || options.signal.aborted) return;
        const { written } = await this.#begin(block, options);
        const write = settle(block, written).catch((error) => {
          failure ??= { error };
          enough = true;
        }).finally(() => writes.delete(write));
        writes.add(write);
        if (writes.size > writesMax) await Promise.race(writes);
      }
    };
    await Promise.all(Array.from({ length: Math.min(lanes, blocks.length) }, lane));
    await Promise.all(writes);
    if (failure !== undefined) throw failure.error;
  }

  /** Takes one. `anyWay`: also through the page's own node. Rejects for a bug alone. */
  async take(block: ToTake, options: TakeOptions): Promise<Taken> {
    return await (await this.#begin(block, options)).written;
  }

  /** Resolves when the bytes are here; `written` once they are stored. */
  async #begin(block: ToTake, options: TakeOptions): Promise<{ written: Promise<Taken> }> {
    const { store } = this.#options;
    if (store.has(block.cid)) return { written: Promise.resolve("held") };
    this.#coming.add(block.cid);
    const bytes = await this.#bytesOf(block.cid, options).catch((error) => {
      this.#coming.delete(block.cid);
      throw error;
    });
    if (bytes === undefined) {
      this.#coming.delete(block.cid);
      return { written: Promise.resolve("absent") };
    }
    this.#options.onTaken(bytes.length);
    const written = store.put(block.cid, bytes, block.kind)
      .then(({ ok }) => ok ? "held" as const : "full" as const)
      .finally(() => this.#coming.delete(block.cid));
    return { written };
  }

  async #bytesOf(cid: Cid, { signal, anyWay }: TakeOptions): Promise<Uint8Array | undefined> {
    return await this.#fromLinks(cid, signal) ??
      (anyWay ? await this.#overHttp(cid, signal) : undefined);
  }

  async #fromLinks(cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const links = [...this.#options.links()].sort((one, other) => one.inFlight - other.inFlight);
    for (const link of links) {
      if (signal.aborted) return undefined;
      const answer = await link.want(cid, { timeoutMs: wantMs, signal });
      if (answer.kind === "block") return answer.bytes;
    }
    return undefined;
  }

  async #overHttp(cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#options.api.block(cid, signal);
      if (bytes === undefined) return undefined;
      const digest = await this.#options.hash.whole(bytes);
      return sameDigest(digest, digestOf(cid)) ? bytes : undefined;
    } catch (error) {
      // The node is away, or busy: it is asked again in the next round.
      if (error instanceof SkyringError) return undefined;
      throw error;
    }
  }
}
