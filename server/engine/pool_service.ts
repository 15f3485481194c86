// The pool: the one implementation of the Pool port, on the engines. A push stores blocks, then
// decides the name; a pull reads the name through a quorum, then streams blocks. Faces add nothing.
//
// Invariant: a name points only to content of which every block was confirmed at its copies just
// before the name was decided.

import { SkyringError } from "../../shared/base/errors.ts";
import { toHex } from "../../shared/base/hash.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { chunkBytesDefault, haveCidsMax } from "../../shared/base/limits.ts";
import { codecOf } from "../../shared/block/cid.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import {
  decodeFileRecord,
  encodeFileRecord,
  fileKey,
  type FileRecord,
} from "../../shared/record/file_record.ts";
import type { Value } from "../../shared/record/value.ts";
import type { Catalog } from "./catalog.ts";
import { holdersOf, weakest } from "./copy_count.ts";
import { blocksOf, type DagBlock } from "./dag_blocks.ts";
import { countFiles } from "./file_copies.ts";
import { findNames, foldersBelow } from "./name_search.ts";
import { linkContent, type LinkPorts } from "./link.ts";
import { copiesMinimum } from "./place.ts";
import type {
  BlockRow,
  DeletedFile,
  FileInfo,
  OpenFile,
  Pool,
  PushOptions,
  PushResult,
  WriteCondition,
} from "./pool.ts";
import { fetchBlock, openDag } from "./pull.ts";
import { pushBytes } from "./push.ts";
import type { RecordEdit, Records, RecordWrite } from "./records.ts";

export interface PoolPorts extends LinkPorts {
  readonly records: Records;
  readonly catalog: Catalog;
  /** Name of this node: the writer of what is pushed here. */
  readonly nodeName: string;
  /** Copies of a block unless a push says otherwise. */
  readonly replicas: number;
  /** How long blocks that nothing references stay, in milliseconds; and the wall time. */
  readonly keepMs: number;
  readonly now: () => number;
  /** Brings the catalog in step with all others; false when one of them did not answer. */
  readonly freshCatalog: () => Promise<boolean>;
  /** Throws not_ready before the first roster. */
  readonly assertReadable: () => void;
  /** Throws read_only or not_ready while nothing may be written. */
  readonly assertWritable: () => void;
  /** Room for new files: throws full or metadata_full (507). */
  readonly assertRoom: (contentLength: number | undefined) => void;
}

/** The pool over its engines. */
export function createPool(ports: PoolPorts): Pool {
  const loadInner = (cid: Cid) => fetchBlock(ports, cid);

  const read = async (
    name: string,
  ): Promise<{ file: FileRecord; value: Value; stale: boolean }> => {
    ports.assertReadable();
    const { value, stale } = await ports.records.read(fileKey(name));
    return { ...fileOf(name, value), stale };
  };

  const countOf = async (file: FileRecord) => {
    const holders: (readonly NodeId[])[] = [];
    for await (const batch of batchesOf(blocksOf({ root: file.cid, size: file.size }, loadInner))) {
      const cids = batch.map(({ cid }) => cid);
      holders.push(...await holdersOf(ports, cids, { lease: false }));
    }
    return weakest(ports, holders);
  };

  const decide = async (
    options: Pick<PushOptions, "name" | "condition">,
    file: FileRecord,
    copies: { readonly least: number; readonly zones: number },
  ): Promise<PushResult> => {
    const body = encodeFileRecord(file);
    const written = await ports.records.change(fileKey(options.name), (current) => {
      return conditionHolds(options.condition, current) ? { deleted: false, body } : undefined;
    });
    const { value, before } = granted(options.name, written);
    const info = infoOf(options.name, { file, value, stale: false, copies });
    return { created: before === undefined, info };
  };

  const refuseEarly = async ({ name, condition }: PushOptions): Promise<void> => {
    ports.assertWritable();
    if (condition === undefined) return;
    const { value } = await ports.records.read(fileKey(name));
    if (!conditionHolds(condition, value)) throw conditionFailed(name, value);
  };

  return {
    async push(body, options) {
      await refuseEarly(options);
      ports.assertRoom(options.contentLength);
      const replicas = options.replicas ?? ports.replicas;
      const { contentLength, digests, signal } = options;
      const chunkBytes = options.chunkBytes ?? chunkBytesDefault;
      const stored = await pushBytes(ports, body, {
        replicas,
        chunkBytes,
        ...(contentLength === undefined ? {} : { contentLength }),
        ...(digests === undefined ? {} : { digests }),
        ...(signal === undefined ? {} : { signal }),
      });
      const sha256 = digests?.find(({ algorithm }) => algorithm === "sha-256")?.digest;
      const file: FileRecord = {
        cid: stored.root,
        size: stored.size,
        blocks: stored.blocks,
        chunkBytes,
        replicas,
        writer: ports.nodeName,
        ...(sha256 === undefined ? {} : { sha256: toHex(sha256) }),
      };
      return await decide(options, file, stored);
    },

    async link(cid, options) {
      await refuseEarly(options);
      const replicas = options.replicas ?? ports.replicas;
      const { signal } = options;
      const linked = await linkContent(ports, { cid, replicas, minimum: copiesMinimum, signal });
      const file: FileRecord = {
        cid,
        size: linked.size,
        blocks: linked.blocks,
        chunkBytes: linked.chunkBytes,
        replicas,
        writer: ports.nodeName,
      };
      return await decide(options, file, linked);
    },

    async open(name, signal) {
      const { file, value, stale } = await read(name);
      const options = { replicas: file.replicas, ...(signal === undefined ? {} : { signal }) };
      const copies = ownersUsable(ports, file);
      const dag = await openDag(ports, file.cid, options);
      return { info: infoOf(name, { file, value, stale, copies }), read: dag.read };
    },

    async openCid(cid, signal) {
      ports.assertReadable();
      const dag = await openDag(ports, cid, signal === undefined ? {} : { signal });
      const known = { cid, size: dag.size, blocks: 0, chunkBytes: 0, replicas: ports.replicas };
      const file: FileRecord = { ...known, writer: "" };
      const copies = ownersUsable(ports, file);
      const info = infoOf("", { file, value: undefined, stale: false, copies });
      return { info, read: dag.read } satisfies OpenFile;
    },

    async stat(name) {
      const { file, value, stale } = await read(name);
      return infoOf(name, { file, value, stale, copies: await countOf(file) });
    },

    async remove(name, { condition, moved = false } = {}) {
      ports.assertWritable();
      const written = await ports.records.change(fileKey(name), (current) => {
        const allowed = current !== undefined && conditionHolds(condition, current);
        return allowed ? { deleted: true, body: moved ? nothing : current.body } : undefined;
      });
      if (!written.ok && written.value === undefined) throw notFound(name);
      granted(name, written);
    },

    async setReplicas(name, replicas) {
      ports.assertWritable();
      let next: FileRecord | undefined;
      const edit: RecordEdit = (current) => {
        const file = current && decodeFileRecord(current.body);
        next = file && { ...file, replicas };
        return next && { deleted: false, body: encodeFileRecord(next) };
      };
      const written = await ports.records.change(fileKey(name), edit);
      if (!written.ok || next === undefined) throw notFound(name);
      const { value } = written;
      return infoOf(name, { file: next, value, stale: false, copies: await countOf(next) });
    },

    async list({ prefix, after, limit, words = [], pieces = false, fresh = false }) {
      ports.assertReadable();
      const stale = fresh && !await ports.freshCatalog();
      const { entries, next } = await findNames(ports.catalog, { prefix, after, limit, words });
      const shown = entries.flatMap(({ key, value }) => {
        const file = decodeFileRecord(value.body);
        return file === undefined ? [] : [{ name: key.name, file, value }];
      });
      const counted = await countFiles(ports, shown.map(({ file }) => file)) ??
        shown.map(({ file }) => ({ ...ownersUsable(ports, file), pieces: [] }));
      const items = shown.map(({ name, file, value }, index) =>
        infoOf(name, { file, value, stale: false, copies: counted[index] ?? noCopies })
      );
      return {
        items,
        next,
        stale,
        ...(pieces ? { pieces: counted.map((each) => each.pieces) } : {}),
      };
    },

    folders(prefix, limit) {
      ports.assertReadable();
      return Promise.resolve(foldersBelow(ports.catalog, { prefix, limit }));
    },

    deleted(limit) {
      ports.assertReadable();
      return Promise.resolve(deletedFiles(ports, limit));
    },

    async blocks(name, page) {
      const { file } = await read(name);
      return await blockRows(ports, { file, ...page, loadInner });
    },

    async block(cid, signal) {
      ports.assertReadable();
      return await fetchBlock(ports, cid, signal === undefined ? {} : { signal });
    },
  };
}

const noCopies = { least: 0, zones: 0 };
const nothing = new Uint8Array(0);

function deletedFiles({ catalog, now, keepMs }: PoolPorts, limit: number): DeletedFile[] {
  return catalog.deleted("file", { afterMs: now() - keepMs, limit }).flatMap(({ key, value }) => {
    const file = decodeFileRecord(value.body);
    if (file === undefined) return [];
    const { cid, size, chunkBytes, replicas } = file;
    const [deletedAt] = value.stamp;
    const keptUntil = deletedAt + keepMs;
    return [{ name: key.name, cid, size, chunkBytes, replicas, deletedAt, keptUntil }];
  });
}

/** One page of the block map; `after` is the index of the leaf before the page, -1 at first. */
async function blockRows(
  ports: PoolPorts,
  page: {
    readonly file: FileRecord;
    readonly after: number;
    readonly limit: number;
    readonly loadInner: (cid: Cid) => Promise<Uint8Array>;
  },
): Promise<{ items: readonly BlockRow[]; next: number | null }> {
  const { file, limit, loadInner } = page;
  const first = page.after + 1;
  // All leaves but the last have the chunk size, so a page begins at a known byte.
  const start = Math.min(file.size, first * file.chunkBytes);
  const end = Math.min(file.size, (first + limit) * file.chunkBytes);
  const leaves: DagBlock[] = [];
  if (start < end || (first === 0 && file.size === 0)) {
    for await (
      const block of blocksOf({ root: file.cid, size: file.size, start, end }, loadInner)
    ) {
      if (block.kind === "leaf") leaves.push(block);
    }
  }
  const holders = await holdersOf(ports, leaves.map(({ cid }) => cid), { lease: false });
  const placement = ports.ring.placement();
  const items = leaves.map(({ cid, size }, index): BlockRow => {
    const owners = placement.ownersOf(slotOfCid(cid), file.replicas);
    const held = ports.store.has(cid);
    const state = held ? "held" : owners.includes(ports.ring.self) ? "wanted" : "off";
    return { index: first + index, cid, size, owners, holders: holders[index] ?? [], state };
  });
  return { items, next: end < file.size ? first + items.length - 1 : null };
}

/** Owners of the root that can be asked now: what a file can be expected to have. */
function ownersUsable(ports: PoolPorts, file: FileRecord) {
  const { ring } = ports;
  const owners = ring.placement().ownersOf(slotOfCid(file.cid), file.replicas);
  return weakest(ports, [owners.filter((id) => ring.isUsable(id))]);
}

async function* batchesOf(blocks: AsyncIterable<DagBlock>): AsyncGenerator<DagBlock[]> {
  let batch: DagBlock[] = [];
  for await (const block of blocks) {
    batch.push(block);
    if (batch.length < haveCidsMax) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function fileOf(name: string, value: Value | undefined): { file: FileRecord; value: Value } {
  const file = value && decodeFileRecord(value.body);
  if (value === undefined || file === undefined) throw notFound(name);
  return { file, value };
}

function infoOf(
  name: string,
  of: {
    readonly file: FileRecord;
    readonly value: Value | undefined;
    readonly stale: boolean;
    readonly copies: { readonly least: number; readonly zones: number };
  },
): FileInfo {
  const { file, value, stale, copies } = of;
  const { cid, size, chunkBytes, writer } = file;
  const blocks = codecOf(cid) === "raw" ? 1 : file.blocks;
  return {
    name,
    cid,
    size,
    blocks,
    chunkBytes,
    writer,
    stale,
    replicas: { wanted: file.replicas, least: copies.least, zones: copies.zones },
    modifiedAt: value?.stamp[0] ?? 0,
  };
}

function conditionHolds(
  condition: WriteCondition | undefined,
  current: Value | undefined,
): boolean {
  if (condition === undefined) return true;
  if (condition.kind === "absent") return current === undefined;
  if (current === undefined) return false;
  const cid = decodeFileRecord(current.body)?.cid;
  return condition.cids === "*" || (cid !== undefined && condition.cids.includes(cid));
}

function granted(name: string, written: RecordWrite): Extract<RecordWrite, { ok: true }> {
  if (!written.ok) throw conditionFailed(name, written.value);
  return written;
}

function conditionFailed(name: string, value: Value | undefined): SkyringError {
  const cid = value && decodeFileRecord(value.body)?.cid;
  const state = cid === undefined ? "there is none" : `it is ${cid} now`;
  return new SkyringError("precondition_failed", `Cannot change file ${name}: ${state}`, {
    data: { name, cid: cid ?? "" },
  });
}

function notFound(name: string): SkyringError {
  return new SkyringError("not_found", `Cannot find file ${name}: no such name`, {
    data: { name },
  });
}
