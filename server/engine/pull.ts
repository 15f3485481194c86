// A pull: root -> inner blocks -> a window of leaves fetched at once, given out in order.
// The DAG walk says what comes next; the fetcher gets blocks from here or from holders; the
// reader hands bytes on as fast as they are taken and no faster: the window moves only when the
// consumer does. Ranges touch only the blocks that cover them.
//
// Invariant: what is given out is exactly the range, verified, or the iteration throws; it
// never just ends early. A consumer that leaves ends all fetches before return() resolves.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { pullWindowBlocks } from "../../shared/base/limits.ts";
import {
  createDagWalk,
  type DagStep,
  type DagWalk,
  fileSizeOf,
  leafPart,
} from "../../shared/block/dag_reader.ts";
import { BlockFetcher, type FetchOptions, type FetchPorts } from "./block_fetcher.ts";
import type { TransferShare, TransferShares } from "./transfer_shares.ts";
import { orAborted } from "./until_aborted.ts";

/** What pulls need. */
export interface PullPorts extends FetchPorts {
  readonly shares: TransferShares;
  /** Told of each leaf before it is given out, but the root: nobody here keeps it. */
  readonly handOver?: (leaf: Uint8Array) => void;
}

/** An opened file DAG: its size is known and checked, its bytes are not fetched yet. */
export interface OpenDag {
  readonly root: Cid;
  readonly size: number;
  /**
   * Bytes [start, end) in order.
   * @throws {SkyringError} range_unsatisfiable, unavailable, corrupt (the DAG contradicts
   * itself), disk_failed; the signal's reason
   */
  read(
    range: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void>;
}

/** Opens a file by its root. @throws {SkyringError} unavailable, corrupt, disk_failed */
export async function openDag(
  ports: PullPorts,
  root: Cid,
  options: FetchOptions & { readonly signal?: AbortSignal } = {},
): Promise<OpenDag> {
  const bytes = await fetchBlock(ports, root, options);
  const sized = fileSizeOf(root, bytes);
  if (!sized.ok) throw contradicts(root, sized.code);
  const { size } = sized;
  return {
    root,
    size,
    read: ({ start, end }, signal) => {
      if (!(start >= 0 && start <= end && end <= size)) {
        throw new SkyringError(
          "range_unsatisfiable",
          `Cannot read range: ${start} to ${end} of ${size} bytes`,
          { data: { start, end, size } },
        );
      }
      return readWalk({
        walk: createDagWalk({ root, size, start, end }),
        fetcher: new BlockFetcher(ports, options),
        shares: ports.shares,
        handOver: ports.handOver,
        known: bytes,
        root,
        signal,
      });
    },
  };
}

/**
 * One block from here or from any holder, verified.
 * @throws {SkyringError} unavailable, disk_failed
 */
export async function fetchBlock(
  ports: FetchPorts,
  cid: Cid,
  options: FetchOptions & { readonly signal?: AbortSignal } = {},
): Promise<Uint8Array> {
  const fetcher = new BlockFetcher(ports, options);
  try {
    return await orAborted(fetcher.get(cid), options.signal);
  } finally {
    await fetcher.stop();
  }
}

interface Reading {
  readonly walk: DagWalk;
  readonly fetcher: BlockFetcher;
  readonly shares: TransferShares;
  readonly handOver: PullPorts["handOver"];
  /** The root's block, which opening has fetched already. */
  readonly root: Cid;
  readonly known: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/** Blocks in flight or waiting to be taken, in the order of the range. */
interface Ahead {
  readonly parts: { readonly bytes: Promise<Uint8Array>; readonly size: number }[];
  inFlightBytes: number;
  /** The inner block that the walk waits for. */
  inner: Promise<void> | undefined;
  ended: boolean;
}

async function* readWalk(reading: Reading): AsyncGenerator<Uint8Array, void, void> {
  const { fetcher, shares, signal } = reading;
  const share = shares.join();
  const ahead: Ahead = { parts: [], inFlightBytes: 0, inner: undefined, ended: false };
  try {
    for (;;) {
      signal?.throwIfAborted();
      fill(reading, { ahead, share });
      const part = ahead.parts.shift();
      if (part !== undefined) {
        const bytes = await orAborted(part.bytes, signal);
        ahead.inFlightBytes -= part.size;
        yield bytes;
      } else if (ahead.inner !== undefined) {
        await orAborted(ahead.inner, signal);
      } else if (ahead.ended) {
        return;
      }
    }
  } finally {
    share.leave();
    await fetcher.stop();
  }
}

/** Starts what fits the window. At least one part is always started, however large. */
function fill(
  reading: Reading,
  { ahead, share }: { readonly ahead: Ahead; readonly share: TransferShare },
): void {
  while (ahead.inner === undefined && !ahead.ended) {
    const { parts } = ahead;
    const full = parts.length >= pullWindowBlocks || ahead.inFlightBytes >= share.windowBytes();
    if (parts.length > 0 && full) return;
    start(reading, ahead, reading.walk.next());
  }
}

function start(reading: Reading, ahead: Ahead, step: DagStep): void {
  if (step.kind === "end") {
    ahead.ended = true;
  } else if (step.kind === "refused") {
    ahead.ended = true;
    add(ahead, { bytes: Promise.reject(contradicts(step.cid, step.code)), size: 0 });
  } else if (step.kind === "data") {
    add(ahead, { bytes: Promise.resolve(step.bytes), size: step.bytes.length });
  } else if (step.kind === "inner") {
    const inner = blockOf(reading, step.cid).then((bytes) => {
      reading.walk.supply(step.cid, bytes);
      ahead.inner = undefined;
    });
    inner.catch(unheard);
    ahead.inner = inner;
  } else {
    step satisfies { kind: "leaf" };
    const bytes = blockOf(reading, step.cid).then((leaf) => {
      const part = leafPart(step, leaf);
      if (part === undefined) throw contradicts(step.cid, "size_mismatch");
      // The root's bytes stay with the opened file.
      if (step.cid !== reading.root) reading.handOver?.(part);
      return part;
    });
    add(ahead, { bytes, size: step.size });
  }
}

function blockOf(reading: Reading, cid: Cid): Promise<Uint8Array> {
  return cid === reading.root ? Promise.resolve(reading.known) : reading.fetcher.get(cid);
}

function add(ahead: Ahead, part: Ahead["parts"][number]): void {
  part.bytes.catch(unheard);
  ahead.parts.push(part);
  ahead.inFlightBytes += part.size;
}

/** A failure is thrown where its bytes are due; until then nobody listens, by intent. */
function unheard(): void {}

function contradicts(cid: Cid, reason: string): SkyringError {
  return new SkyringError("corrupt", `Cannot read file: its DAG is not sound (${reason})`, {
    data: { cid, reason },
  });
}
