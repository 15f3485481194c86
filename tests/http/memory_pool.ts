// A pool of one, in memory, for the HTTP tests: real chunking, real DAGs, real walks, but blocks
// and names in two maps. A test double only; the product's pool is composed in server/.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { chunkBytesDefault, linksMaxDefault, linksMaxLarge } from "../../shared/base/limits.ts";
import { foldName } from "../../shared/base/name.ts";
import { createChunker } from "../../shared/block/chunker.ts";
import { cidOfDigest, codecOf } from "../../shared/block/cid.ts";
import { createDagBuilder } from "../../shared/block/dag_builder.ts";
import { createDagWalk, fileSizeOf, leafPart } from "../../shared/block/dag_reader.ts";
import type {
  BlockRow,
  DeletedFile,
  FileInfo,
  OpenFile,
  Pool,
  PushOptions,
  WriteCondition,
} from "../../server/engine/pool.ts";

export interface MemoryPool extends Pool {
  readonly blockMap: Map<Cid, Uint8Array>;
  readonly files: Map<string, FileInfo>;
  readonly deletedFiles: DeletedFile[];
  /** Stores loose blocks, such as those of a fixture. */
  store(cid: Cid, bytes: Uint8Array): void;
}

const sha = (algorithm: string, bytes: Uint8Array) =>
  new Uint8Array(createHash(algorithm).update(bytes).digest());

/** What the methods work on. */
interface Shelf {
  readonly blockMap: Map<Cid, Uint8Array>;
  readonly files: Map<string, FileInfo>;
  readonly deletedFiles: DeletedFile[];
  need(name: string): FileInfo;
  block(cid: Cid): Promise<Uint8Array>;
}

/** An empty pool; times come from `now`. */
export function createMemoryPool(now: () => number = () => 1_000_000): MemoryPool {
  const blockMap = new Map<Cid, Uint8Array>();
  const files = new Map<string, FileInfo>();
  const shelf: Shelf = {
    blockMap,
    files,
    deletedFiles: [],
    need(name) {
      const info = files.get(name);
      if (info === undefined) throw new SkyringError("not_found", `Cannot find file ${name}`);
      return info;
    },
    block(cid) {
      const bytes = blockMap.get(cid);
      if (bytes !== undefined) return Promise.resolve(bytes);
      const error = new SkyringError("unavailable", `Cannot fetch block ${cid}: no holder`);
      return Promise.reject(error);
    },
  };
  return {
    ...shelf,
    ...writes(shelf, now),
    ...reads(shelf),
    store: (cid, bytes) => void blockMap.set(cid, bytes),
  };
}

function writes(
  { blockMap, files, deletedFiles, need, block }: Shelf,
  now: () => number,
): Pick<Pool, "push" | "link" | "remove" | "setReplicas"> {
  const record = (cid: Cid, options: Omit<PushOptions, "digests">, content: Content) => {
    judge(files.get(options.name), options.condition);
    const created = !files.has(options.name);
    const info: FileInfo = {
      name: options.name,
      cid,
      ...content,
      replicas: { wanted: options.replicas ?? 3, least: 1, zones: 1 },
      modifiedAt: now(),
      writer: "node-1",
      stale: false,
    };
    files.set(options.name, info);
    return { created, info };
  };
  return {
    async push(body, options) {
      judge(files.get(options.name), options.condition);
      const chunkBytes = options.chunkBytes ?? chunkBytesDefault;
      const built = await build(body, { chunkBytes, blockMap, digests: options.digests ?? [] });
      return record(built.root, options, { size: built.size, blocks: built.leaves, chunkBytes });
    },
    async link(cid, options) {
      const size = sizeOf(cid, await block(cid));
      return record(cid, options, { size, blocks: 1, chunkBytes: chunkBytesDefault });
    },
    remove: (name, { condition, moved = false } = {}) =>
      attempt(() => {
        const { cid, size, chunkBytes, replicas } = need(name);
        judge(need(name), condition);
        files.delete(name);
        if (moved) return;
        deletedFiles.unshift({
          ...{ name, cid, size, chunkBytes, replicas: replicas.wanted },
          ...{ deletedAt: now(), keptUntil: now() + 86_400_000 },
        });
      }),
    setReplicas: (name, replicas) =>
      attempt(() => {
        const old = need(name);
        const info = { ...old, replicas: { ...old.replicas, wanted: replicas } };
        files.set(name, info);
        return info;
      }),
  };
}

function reads(
  { blockMap, files, deletedFiles, need, block }: Shelf,
): Pick<Pool, "open" | "openCid" | "stat" | "list" | "folders" | "deleted" | "blocks" | "block"> {
  return {
    open: (name) => attempt(() => openFile(need(name), block)),
    async openCid(cid) {
      const size = sizeOf(cid, await block(cid));
      const info = {
        name: cid,
        cid,
        size,
        blocks: 1,
        chunkBytes: chunkBytesDefault,
        replicas: { wanted: 1, least: 1, zones: 1 },
        modifiedAt: 0,
        writer: "",
        stale: false,
      };
      return openFile(info, block);
    },
    stat: (name) => attempt(() => need(name)),
    list: ({ prefix, after, limit, words = [], pieces = false }) =>
      attempt(() => {
        const names = [...files.keys()].sort()
          .filter((name) => name.startsWith(prefix) && (after === undefined || name > after))
          .filter((name) => words.every((word) => foldName(name).includes(foldName(word))));
        const items = names.slice(0, limit).map(need);
        const next = names.length > limit ? items.at(-1)?.name ?? null : null;
        return { items, next, ...(pieces ? { pieces: items.map(() => [1]) } : {}) };
      }),
    folders: (prefix, limit) =>
      attempt(() => {
        const below = [...files.keys()].filter((name) => name.startsWith(prefix))
          .map((name) => name.slice(0, name.indexOf("/", prefix.length) + 1));
        return [...new Set(below)].filter((folder) => folder !== "").sort().slice(0, limit);
      }),
    deleted: (limit) => attempt(() => deletedFiles.slice(0, limit)),
    blocks: (name, { after, limit }) =>
      attempt(() => {
        const rows = leafRows(need(name), blockMap);
        const items = rows.slice(after + 1, after + 1 + limit);
        const last = items.at(-1)?.index ?? rows.length - 1;
        return { items, next: last < rows.length - 1 ? last : null };
      }),
    block,
  };
}

type Content = Pick<FileInfo, "size" | "blocks" | "chunkBytes">;

function attempt<T>(make: () => T): Promise<T> {
  return new Promise((resolve) => resolve(make()));
}

function judge(current: FileInfo | undefined, condition: WriteCondition | undefined): void {
  if (condition === undefined) return;
  if (condition.kind === "absent") {
    if (current !== undefined) throw new SkyringError("exists", "Cannot create file: it exists");
    return;
  }
  const matches = current !== undefined &&
    (condition.cids === "*" || condition.cids.includes(current.cid));
  if (!matches) throw new SkyringError("precondition_failed", "Cannot write: another version");
}

function sizeOf(cid: Cid, bytes: Uint8Array): number {
  const size = fileSizeOf(cid, bytes);
  if (size.ok) return size.size;
  throw new SkyringError("not_found", `Cannot open ${cid}: ${size.code}`);
}

async function build(
  body: AsyncIterable<Uint8Array>,
  options: {
    chunkBytes: number;
    blockMap: Map<Cid, Uint8Array>;
    digests: NonNullable<PushOptions["digests"]>;
  },
) {
  const chunker = createChunker({ chunkBytes: options.chunkBytes });
  const dag = createDagBuilder({
    linksMax: options.chunkBytes === chunkBytesDefault ? linksMaxDefault : linksMaxLarge,
    hash: (bytes) => sha("sha256", bytes),
  });
  const hashes = options.digests.map((digest) => ({
    digest,
    hash: createHash(digest.algorithm.replace("-", "")),
  }));
  const add = (leaf: Uint8Array) => {
    const cid = cidOfDigest(sha("sha256", leaf), "raw");
    options.blockMap.set(cid, leaf.slice());
    for (const inner of dag.add({ cid, size: leaf.length })) {
      options.blockMap.set(inner.cid, inner.bytes);
    }
  };
  for await (const piece of body) {
    hashes.forEach(({ hash }) => hash.update(piece));
    chunker.push(piece).forEach(add);
  }
  const last = chunker.end();
  if (last !== undefined) add(last);
  for (const { digest, hash } of hashes) {
    if (Buffer.compare(hash.digest(), digest.digest) !== 0) {
      throw new SkyringError("digest_mismatch", "Cannot store file: its digest differs");
    }
  }
  const built = dag.finish();
  for (const inner of built.inner) options.blockMap.set(inner.cid, inner.bytes);
  return built;
}

function openFile(info: FileInfo, block: (cid: Cid) => Promise<Uint8Array>): OpenFile {
  return {
    info,
    async *read({ start, end }) {
      const walk = createDagWalk({ root: info.cid, size: info.size, start, end });
      for (;;) {
        const step = walk.next();
        if (step.kind === "end") return;
        if (step.kind === "refused") throw new SkyringError("corrupt", `refused: ${step.code}`);
        if (step.kind === "inner") {
          walk.supply(step.cid, await block(step.cid));
        } else if (step.kind === "data") {
          yield step.bytes;
        } else {
          const part = leafPart(step, await block(step.cid));
          if (part === undefined) throw new SkyringError("corrupt", "a leaf has another size");
          yield part;
        }
      }
    },
  };
}

function leafRows(info: FileInfo, blockMap: Map<Cid, Uint8Array>): BlockRow[] {
  const rows: BlockRow[] = [];
  const walk = createDagWalk({ root: info.cid, size: info.size, start: 0, end: info.size });
  for (let step = walk.next(); step.kind !== "end"; step = walk.next()) {
    if (step.kind === "inner") {
      walk.supply(step.cid, blockMap.get(step.cid) ?? new Uint8Array());
    } else if (step.kind === "leaf") {
      const { cid, size } = step;
      const state = blockMap.has(cid) ? "held" : "wanted";
      rows.push({ index: rows.length, cid, size, owners: ["n1"], holders: ["n1"], state });
    } else if (step.kind === "refused") {
      throw new SkyringError("corrupt", `refused: ${step.code} of a ${codecOf(step.cid)} block`);
    }
  }
  return rows;
}
