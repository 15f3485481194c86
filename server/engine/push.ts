// A push: bytes stream in, are cut, hashed, joined to a DAG and sent to R nodes a block, with
// the client held back as soon as the window is full. Memory is the window and a few bytes a
// block, whatever the size. The record that names the result is written by the caller.
//
//   body -> chunker -> hash -> DAG builder -> place (R nodes, stand-ins) -> recount -> result
//
// Invariant: a result is returned only when every block, inner ones included, was confirmed
// durable on `least` distinct live nodes, counted just before. After a failure nothing is named:
// blocks that were stored stay until the collector finds that no record wants them.

import { createHash } from "node:crypto";
import { assert } from "../../shared/base/assert.ts";
import { type ErrorCode, SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import {
  chunkBytesDefault,
  chunkBytesLarge,
  linksMaxDefault,
  linksMaxLarge,
  pushWindowBlocks,
  pushWindowBlocksMin,
  replicasDefault,
  replicasMax,
} from "../../shared/base/limits.ts";
import { createChunker } from "../../shared/block/chunker.ts";
import { cidOfDigest } from "../../shared/block/cid.ts";
import { createDagBuilder } from "../../shared/block/dag_builder.ts";
import { hashBlock, hashBlockNow } from "./block_hash.ts";
import { CopyLedger, weakestOf } from "./copies.ts";
import { copiesMinimum, type RingView } from "./place.ts";
import { type CopyWork, placeBlock, recount, tooFewCopies, topUp } from "./push_copies.ts";
import { type LanePorts, PushLanes } from "./push_lanes.ts";
import type { TransferShare, TransferShares } from "./transfer_shares.ts";
import { orAborted } from "./until_aborted.ts";
import { createWindow, type Window } from "./window.ts";

const sweepMs = 250;
const hashesAtOnce = 4;
const topUpRounds = 3;

export interface PushPorts extends LanePorts {
  readonly ring: RingView;
  readonly shares: TransferShares;
}

export interface BytesPushOptions {
  readonly replicas?: number;
  /** 256 KiB or 1 MiB: decides the CID. */
  readonly chunkBytes?: number;
  /** Announced length: another one is an error. */
  readonly contentLength?: number;
  readonly digests?: readonly {
    readonly algorithm: "sha-256" | "sha-512";
    readonly digest: Uint8Array;
  }[];
  readonly signal?: AbortSignal;
  /** Told after each placed leaf. */
  readonly onProgress?: (placedBytes: number) => void;
}

/** What was stored. `blocks`: leaves, the empty file has one. */
export interface BytesPushResult {
  readonly root: Cid;
  readonly size: number;
  readonly blocks: number;
  /** Copies of the weakest block, and the fewest zones that any block lies in. */
  readonly least: number;
  readonly zones: number;
}

/**
 * Stores a stream as a file's blocks.
 * @throws {SkyringError} short_body, digest_mismatch, too_few_copies, full, bad_request (more bytes
 * than announced), disk_failed; the body's own error; the signal's reason
 */
export async function pushBytes(
  ports: PushPorts,
  body: AsyncIterable<Uint8Array>,
  options: BytesPushOptions = {},
): Promise<BytesPushResult> {
  const push = new Push(ports, options);
  try {
    return await push.run(body);
  } finally {
    await push.stop();
  }
}

/** Links of an inner node for a chunk size. @throws {SkyringError} bad_request on other sizes */
export function linksMaxOf(chunkBytes: number): number {
  if (chunkBytes === chunkBytesDefault) return linksMaxDefault;
  if (chunkBytes === chunkBytesLarge) return linksMaxLarge;
  throw failure("bad_request", `chunk size of ${chunkBytes} bytes, 256 KiB or 1 MiB expected`);
}

class Push {
  readonly #ports: PushPorts;
  readonly #options: BytesPushOptions;
  readonly #chunkBytes: number;
  readonly #work: CopyWork;
  readonly #share: TransferShare;
  readonly #window: Window;
  readonly #end = new AbortController();
  readonly #placing = new Set<Promise<void>>();
  readonly #sweeper: Promise<void>;
  readonly #builder;
  readonly #hashing: { chunk: Uint8Array; digest: Uint8Array | Promise<Uint8Array> }[] = [];
  /** Blocks placed lately: a repeated one (zeros, padding) is sent once. */
  readonly #recent = new Set<Cid>();
  #placedBytes = 0;

  constructor(ports: PushPorts, options: BytesPushOptions) {
    const replicas = options.replicas ?? replicasDefault;
    assert(replicas >= 1 && replicas <= replicasMax, "replicas were checked at the door");
    this.#ports = ports;
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? chunkBytesDefault;
    this.#builder = createDagBuilder({
      linksMax: linksMaxOf(this.#chunkBytes),
      hash: hashBlockNow,
    });
    this.#share = ports.shares.join();
    this.#window = createWindow(() => this.#windowBlocks());
    this.#work = {
      ports,
      lanes: new PushLanes(ports),
      ledger: new CopyLedger(replicas + 2),
      replicas,
      begunAt: ports.clock.now(),
      signal: this.#end.signal,
    };
    this.#sweeper = this.#sweep();
  }

  async run(body: AsyncIterable<Uint8Array>): Promise<BytesPushResult> {
    const { signal } = this.#options;
    const leave = () => this.#end.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await this.#take(body);
      const dag = this.#builder.finish();
      for (const inner of dag.inner) await this.#place(inner.cid, inner.bytes);
      await this.#or(this.#placed());
      const { least, zones } = await this.#or(this.#settle());
      return { root: dag.root, size: dag.size, blocks: dag.leaves, least, zones };
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Ends everything that still runs and waits for it. */
  async stop(): Promise<void> {
    this.#end.abort(new SkyringError("stopped", "Cannot go on with push: it has ended"));
    this.#work.lanes.stop();
    this.#share.leave();
    await Promise.allSettled(this.#placing);
    await Promise.allSettled(this.#hashing.map((entry) => entry.digest));
    await this.#sweeper;
  }

  #windowBlocks(): number {
    if (this.#end.signal.aborted) return pushWindowBlocks;
    const blocks = Math.floor(this.#share.windowBytes() / this.#chunkBytes);
    return Math.min(pushWindowBlocks, Math.max(pushWindowBlocksMin, blocks));
  }

  /** Reads the body to its end, through chunker and hash, and checks length and digests. */
  async #take(body: AsyncIterable<Uint8Array>): Promise<void> {
    const chunker = createChunker({
      chunkBytes: this.#chunkBytes,
      allocate: (bytes) => Buffer.allocUnsafeSlow(bytes),
    });
    const hashes = (this.#options.digests ?? []).map(({ algorithm, digest }) => ({
      algorithm,
      digest,
      hash: createHash(algorithm.replace("-", "")),
    }));
    const { contentLength = Infinity } = this.#options;
    let received = 0;
    for await (const piece of this.#pieces(body)) {
      received += piece.length;
      if (received > contentLength) {
        throw failure("bad_request", `more than the announced ${contentLength} bytes came`);
      }
      for (const { hash } of hashes) hash.update(piece);
      for (const chunk of chunker.push(piece)) await this.#leaf(chunk);
    }
    if (received < contentLength && contentLength !== Infinity) {
      throw failure("short_body", `${received} of ${contentLength} bytes came`, {
        received,
        expected: contentLength,
      });
    }
    for (const { hash, digest, algorithm } of hashes) {
      if (!hash.digest().equals(digest)) {
        throw failure("digest_mismatch", `${algorithm} is not the announced one`, { algorithm });
      }
    }
    const last = chunker.end();
    if (last !== undefined) await this.#leaf(last);
    while (this.#hashing.length > 0) await this.#takeHashed();
  }

  /** The body, broken off as soon as the push fails or its caller leaves. */
  async *#pieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const iterator = body[Symbol.asyncIterator]();
    let ended = false;
    try {
      for (;;) {
        const next = await this.#or(iterator.next());
        if (next.done) {
          ended = true;
          return;
        }
        yield next.value;
      }
    } finally {
      // Not awaited: a body that waits for its client would hold the error back for ever.
      if (!ended) iterator.return?.().catch(() => undefined);
    }
  }

  async #leaf(chunk: Uint8Array): Promise<void> {
    await this.#or(this.#window.acquire());
    this.#hashing.push({ chunk, digest: hashBlock(chunk) });
    if (this.#hashing.length >= hashesAtOnce) await this.#takeHashed();
  }

  /** Takes the eldest hash: leaves reach the builder in order. The slot of the window is held. */
  async #takeHashed(): Promise<void> {
    const entry = this.#hashing.shift();
    if (entry === undefined) return;
    const { chunk } = entry;
    const cid = cidOfDigest(await entry.digest, "raw");
    this.#start(cid, chunk);
    for (const inner of this.#builder.add({ cid, size: chunk.length })) {
      await this.#place(inner.cid, inner.bytes);
    }
  }

  async #place(cid: Cid, bytes: Uint8Array): Promise<void> {
    await this.#or(this.#window.acquire());
    this.#start(cid, bytes);
  }

  /** Begins to place a block whose slot of the window is held; the slot is given back after. */
  #start(cid: Cid, bytes: Uint8Array): void {
    if (this.#recent.has(cid)) {
      this.#window.release();
      return;
    }
    this.#recent.add(cid);
    if (this.#recent.size > pushWindowBlocks * 4) {
      const [eldest] = this.#recent;
      if (eldest !== undefined) this.#recent.delete(eldest);
    }
    const row = this.#work.ledger.add(cid);
    const placing = placeBlock(this.#work, { row, bytes }).then(() => {
      this.#placedBytes += bytes.length;
      this.#options.onProgress?.(this.#placedBytes);
    }).catch((cause) => this.#end.abort(cause)).finally(() => {
      this.#placing.delete(placing);
      this.#window.release();
    });
    this.#placing.add(placing);
  }

  async #placed(): Promise<void> {
    while (this.#placing.size > 0) await Promise.all(this.#placing);
  }

  /** Counts again, mends what is missing, and says how many copies there are. */
  async #settle(): Promise<{ least: number; zones: number }> {
    const { ledger } = this.#work;
    const { ring } = this.#ports;
    const zones = new Map(ring.placement().members.map((member) => [member.id, member.zone]));
    const weakest = () => weakestOf(ledger, (id) => zones.get(id) ?? "");
    await recount(this.#work);
    for (let round = 0; round < topUpRounds && weakest().least < this.#needed(); round++) {
      this.#work.lanes.forgive((id) => ring.isUsable(id));
      await topUp(this.#work, this.#needed());
      await recount(this.#work);
    }
    const counted = weakest();
    const needed = this.#needed();
    if (counted.least < needed) throw tooFewCopies(this.#work, { needed, have: counted.least });
    return counted;
  }

  /** As many as asked for, or as live nodes take blocks, but never below the minimum. */
  #needed(): number {
    const { ring } = this.#ports;
    const { replicas, lanes } = this.#work;
    const willing = ring.placement().members.map((member) => member.id)
      .filter((id: NodeId) => ring.isUsable(id) && !lanes.isOut(id)).length;
    return Math.max(copiesMinimum(ring, replicas), Math.min(replicas, willing));
  }

  /** The work's result, or the failure of the push as soon as there is one. */
  #or<T>(work: Promise<T>): Promise<T> {
    return orAborted(work, this.#end.signal);
  }

  async #sweep(): Promise<void> {
    const { clock, ring } = this.#ports;
    while (!this.#end.signal.aborted) {
      await clock.sleep(sweepMs, this.#end.signal);
      this.#work.lanes.sweep((id) => ring.isUsable(id));
    }
  }
}

function failure(
  code: ErrorCode,
  state: string,
  data: Record<string, string | number> = {},
): SkyringError {
  return new SkyringError(code, `Cannot store file: ${state}`, { data });
}
