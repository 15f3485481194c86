// The pool as the faces see it: files in, files out, by name or by CID. One implementation,
// composed in server/node.ts; faces (HTTP, line protocol) add no logic to it.

import type { Cid } from "../../shared/base/ids.ts";

export interface FileInfo {
  readonly name: string;
  readonly cid: Cid;
  readonly size: number;
  /** Leaves of the file's DAG; an empty file has one. */
  readonly blocks: number;
  readonly chunkBytes: number;
  readonly replicas: { readonly wanted: number; readonly least: number; readonly zones: number };
  /** Milliseconds since the epoch of the last change. */
  readonly modifiedAt: number;
  /** Node that took the write. */
  readonly writer: string;
  /** True when answered without a quorum: shown as `Skyring-Stale: 1`. */
  readonly stale: boolean;
}

export interface PushOptions {
  readonly name: string;
  readonly replicas?: number;
  readonly chunkBytes?: number;
  /** Announced length, to refuse early (413, 507) and to notice a short body. */
  readonly contentLength?: number;
  readonly condition?: WriteCondition;
  /** RFC 9530: algorithm and expected digest, checked before the record is written. */
  readonly digests?: readonly {
    readonly algorithm: "sha-256" | "sha-512";
    readonly digest: Uint8Array;
  }[];
  readonly signal?: AbortSignal;
}

export type WriteCondition =
  | { readonly kind: "absent" }
  /** The current CID must be one of these (If-Match). */
  | { readonly kind: "matches"; readonly cids: readonly Cid[] | "*" };

export interface PushResult {
  readonly created: boolean;
  readonly info: FileInfo;
}

/** An opened file: `read` may be called once or more, each with its own range. */
export interface OpenFile {
  readonly info: FileInfo;
  /** Bytes [start, end) in order, verified; throws midway rather than end short. */
  read(
    range: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

export interface FilePage {
  readonly items: readonly FileInfo[];
  readonly next: string | null;
  /** True when a fresh list was asked for and a node that may know more did not answer. */
  readonly stale?: boolean;
  /** Copies along each file of `items`, when they were asked for: see PiecesInShort. */
  readonly pieces?: readonly PiecesInShort[];
}

/** Copies of the weakest leaf of each of at most 48 equal stretches; empty when not counted. */
export type PiecesInShort = readonly number[];

/** A file whose name was deleted a while ago, and whose content is still kept. */
export interface DeletedFile {
  readonly name: string;
  readonly cid: Cid;
  readonly size: number;
  readonly chunkBytes: number;
  readonly replicas: number;
  /** Milliseconds since the epoch; blocks that nothing else refers to may go after `keptUntil`. */
  readonly deletedAt: number;
  readonly keptUntil: number;
}

/** One leaf in a file's block map. */
export interface BlockRow {
  readonly index: number;
  readonly cid: Cid;
  readonly size: number;
  readonly owners: readonly string[];
  readonly holders: readonly string[];
  readonly state: "off" | "wanted" | "held";
}

export interface RemoveOptions {
  readonly condition?: WriteCondition | undefined;
  /** Its content has another name already: then it is not among what can be brought back. */
  readonly moved?: boolean;
}

/** All methods throw SkyringError with the codes that api.md maps to statuses. */
export interface Pool {
  push(body: AsyncIterable<Uint8Array>, options: PushOptions): Promise<PushResult>;
  /** Names content that the pool already has (`?from=`): copy, rename, undelete. */
  link(cid: Cid, options: Omit<PushOptions, "contentLength" | "digests">): Promise<PushResult>;
  open(name: string, signal?: AbortSignal): Promise<OpenFile>;
  /** A file by its root CID, without a name. */
  openCid(cid: Cid, signal?: AbortSignal): Promise<OpenFile>;
  stat(name: string): Promise<FileInfo>;
  remove(name: string, options?: RemoveOptions): Promise<void>;
  setReplicas(name: string, replicas: number): Promise<FileInfo>;
  list(
    options: {
      readonly prefix: string;
      /** Words that the name must hold, capitals and accents aside; none by default. */
      readonly words?: readonly string[];
      readonly after: string | undefined;
      readonly limit: number;
      /** Whether the list must see what other nodes have acknowledged before it began. */
      readonly fresh?: boolean;
      /** Whether to say how many copies there are along each file. */
      readonly pieces?: boolean;
    },
  ): Promise<FilePage>;
  /** Folders right below a prefix, each as a prefix; the first `limit`. */
  folders(prefix: string, limit: number): Promise<readonly string[]>;
  /** Names deleted within the keep time, the last first: what link() can bring back. */
  deleted(limit: number): Promise<readonly DeletedFile[]>;
  blocks(
    name: string,
    options: { readonly after: number; readonly limit: number },
  ): Promise<{ readonly items: readonly BlockRow[]; readonly next: number | null }>;
  /** One block's bytes from here or from any holder, verified. */
  block(cid: Cid, signal?: AbortSignal): Promise<Uint8Array>;
}
