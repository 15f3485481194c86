// Walks an /ipfs path through UnixFS directories, one block a segment. HAMT-sharded directories
// are not walked: Skyring makes none, and a foreign one answers `not_found`, never a wrong file.
// Source: UnixFS specification (specs.ipfs.tech/unixfs), IPFS path gateway

import { decode } from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { ipfsPathSegmentsMax } from "../../shared/base/limits.ts";
import { codecOf } from "../../shared/block/cid.ts";
import { parseCid } from "./requests.ts";

/** Where a path leads, and every root passed on the way, the last included. */
export interface ResolvedPath {
  readonly cid: Cid;
  readonly roots: readonly Cid[];
}

/** What a block is to a reader. */
export type EntryKind = "file" | "directory" | "symlink" | "other";

/** Resolves `segments` from `root`. @throws {SkyringError} not_found, bad_request, of `block` */
export async function resolvePath(
  root: Cid,
  options: {
    readonly segments: readonly string[];
    readonly block: (cid: Cid) => Promise<Uint8Array>;
  },
): Promise<ResolvedPath> {
  if (options.segments.length > ipfsPathSegmentsMax) {
    throw new SkyringError("bad_request", "Cannot walk path: it has too many segments");
  }
  const roots = [root];
  let cid = root;
  for (const segment of options.segments) {
    if (codecOf(cid) !== "dag-pb") throw noSuchPath();
    const node = readNode(await options.block(cid));
    const link = node?.kind === "directory" ? node.links.get(segment) : undefined;
    if (link === undefined) throw noSuchPath();
    cid = parseCid(link);
    roots.push(cid);
  }
  return { cid, roots };
}

/** A dag-pb block as a reader sees it; `data` is a symlink's text or a small file's bytes. */
export interface Entry {
  readonly kind: EntryKind;
  readonly data: Uint8Array | undefined;
}

/** What a dag-pb block is. @throws never */
export function entryOf(bytes: Uint8Array): Entry {
  const node = readNode(bytes);
  return { kind: node?.kind ?? "other", data: node?.data };
}

interface DirectoryNode {
  readonly kind: EntryKind;
  readonly links: ReadonlyMap<string, string>;
  readonly data: Uint8Array | undefined;
}

function readNode(bytes: Uint8Array): DirectoryNode | undefined {
  try {
    const node = decode(bytes);
    const entry = node.Data === undefined ? undefined : UnixFS.unmarshal(node.Data);
    const links = new Map(node.Links.map((link) => [link.Name ?? "", link.Hash.toString()]));
    return { kind: kindOf(entry?.type), links, data: entry?.data };
  } catch (error) {
    // Foreign bytes that decode as nothing known: told apart from a bug by the caller's 404.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function kindOf(type: string | undefined): EntryKind {
  if (type === "file" || type === "raw") return "file";
  if (type === "directory" || type === "symlink") return type;
  return "other";
}

function noSuchPath(): SkyringError {
  return new SkyringError("not_found", "Cannot find that path under the CID");
}
