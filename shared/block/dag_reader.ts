// Plans which blocks cover a byte range of a file, in order, without fetching anything itself:
// the walk says what it needs next, and is told the bytes of inner blocks when they are here.
// Depth first with one list of children per level, so memory is width x depth; subtrees outside
// the range are skipped by their declared sizes and never asked for.
//
// Nothing declared is believed: each inner block must have the size that its parent gave it, and
// depth and number of inner blocks are bounded, so a DAG bomb ends in an error, not in work.
// Invariant: the leaf parts and inline bytes handed out cover [start, end) once, without gaps;
// the size of a leaf's bytes is checked by `leafPart`, where they are.

import { assert } from "../base/assert.ts";
import type { Cid } from "../base/ids.ts";
import { dagDepthMax } from "../base/limits.ts";
import { codecOf } from "./cid.ts";
import { decodeFileNode, type FileLink, type FileNodeRefusal } from "./unixfs.ts";

/** What the walk needs or gives next. */
export type DagStep =
  /** Supply this inner block, then ask again. */
  | { readonly kind: "inner"; readonly cid: Cid }
  /** Bytes [from, to) of this leaf, which must have `size` bytes, come next in the range. */
  | {
    readonly kind: "leaf";
    readonly cid: Cid;
    readonly size: number;
    readonly from: number;
    readonly to: number;
  }
  /** Bytes held inline in an inner block come next. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "refused"; readonly code: DagRefusal; readonly cid: Cid };

export type DagRefusal =
  | FileNodeRefusal
  | "too_deep"
  | "too_many_inner_blocks"
  | "size_mismatch"; // a block is not as large as its parent says

export interface DagWalkOptions {
  readonly root: Cid;
  /** File bytes under the root, as `fileSizeOf` gave it. */
  readonly size: number;
  /** The range, 0 <= start <= end <= size. */
  readonly start: number;
  readonly end: number;
  readonly depthMax?: number;
  /** Inner blocks read in this walk at most. */
  readonly innerBlocksMax?: number;
}

export interface DagWalk {
  /** The next step; the same "inner" step again until that block was supplied. @throws never */
  next(): DagStep;
  /** Gives the bytes of the inner block that was asked for; they match its CID. */
  supply(cid: Cid, bytes: Uint8Array): void;
}

/** File bytes under a root whose block is here, or why it is not a file. @throws never */
export function fileSizeOf(
  root: Cid,
  bytes: Uint8Array,
): { readonly ok: true; readonly size: number } | {
  readonly ok: false;
  readonly code: FileNodeRefusal;
} {
  if (codecOf(root) === "raw") return { ok: true, size: bytes.length };
  const outcome = decodeFileNode(bytes);
  return outcome.ok ? { ok: true, size: outcome.node.size } : outcome;
}

/** The part of a leaf that a step asks for, or undefined when the leaf has another size. */
export function leafPart(
  step: { readonly size: number; readonly from: number; readonly to: number },
  bytes: Uint8Array,
): Uint8Array | undefined {
  if (bytes.length !== step.size) return undefined;
  return step.from === 0 && step.to === step.size ? bytes : bytes.subarray(step.from, step.to);
}

/** Children of one inner block that are still to be walked. */
interface Level {
  readonly links: readonly FileLink[];
  index: number;
  /** Place in the file of the next child. */
  at: number;
}

/** A walk over one range. @throws {AssertionError} when the range does not fit the size */
export function createDagWalk(options: DagWalkOptions): DagWalk {
  const { size, start, end } = options;
  assert(0 <= start && start <= end && end <= size, "a range lies within its file");
  return new Walk(options);
}

class Walk implements DagWalk {
  readonly #start: number;
  readonly #end: number;
  readonly #depthMax: number;
  readonly #innerMax: number;
  readonly #levels: Level[];
  /** The inner block asked for, and its place in the file. */
  #wanted: { readonly link: FileLink; readonly at: number } | undefined;
  #inline: Uint8Array | undefined;
  #refused: DagStep | undefined;
  #innerBlocks = 0;

  constructor(options: DagWalkOptions) {
    const { root, size, start, end } = options;
    this.#start = start;
    this.#end = end;
    this.#depthMax = options.depthMax ?? dagDepthMax;
    this.#innerMax = options.innerBlocksMax ?? innerBlocksMaxFor(end - start);
    const links = start === end ? [] : [{ cid: root, codec: codecOf(root), size }];
    this.#levels = [{ links, index: 0, at: 0 }];
  }

  next(): DagStep {
    if (this.#refused !== undefined) return this.#refused;
    if (this.#inline !== undefined) {
      const bytes = this.#inline;
      this.#inline = undefined;
      return { kind: "data", bytes };
    }
    if (this.#wanted !== undefined) return { kind: "inner", cid: this.#wanted.link.cid };
    const child = this.#nextChild();
    if (child === undefined) return { kind: "end" };
    const { link, at } = child;
    if (link.codec === "raw") {
      const from = Math.max(0, this.#start - at);
      const to = Math.min(link.size, this.#end - at);
      return { kind: "leaf", cid: link.cid, size: link.size, from, to };
    }
    if (this.#levels.length > this.#depthMax) return this.#refuse("too_deep", link.cid);
    if (this.#innerBlocks >= this.#innerMax) {
      return this.#refuse("too_many_inner_blocks", link.cid);
    }
    this.#innerBlocks++;
    this.#wanted = child;
    return { kind: "inner", cid: link.cid };
  }

  supply(cid: Cid, bytes: Uint8Array): void {
    const wanted = this.#wanted;
    assert(wanted !== undefined && wanted.link.cid === cid, "only the wanted block is supplied");
    this.#wanted = undefined;
    const outcome = decodeFileNode(bytes);
    if (!outcome.ok) {
      this.#refuse(outcome.code, cid);
      return;
    }
    const { size, data, links } = outcome.node;
    if (size !== wanted.link.size) {
      this.#refuse("size_mismatch", cid);
      return;
    }
    const from = Math.max(0, this.#start - wanted.at);
    const to = Math.min(data.length, this.#end - wanted.at);
    if (from < to) this.#inline = data.subarray(from, to);
    this.#levels.push({ links, index: 0, at: wanted.at + data.length });
  }

  /** The next child that overlaps the range, with its place; undefined at the end. */
  #nextChild(): { readonly link: FileLink; readonly at: number } | undefined {
    const levels = this.#levels;
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const link = level.links[level.index];
      if (link === undefined || level.at >= this.#end) {
        levels.pop();
        continue;
      }
      const at = level.at;
      level.index++;
      level.at += link.size;
      if (at + link.size > this.#start && link.size > 0) return { link, at };
    }
    return undefined;
  }

  #refuse(code: DagRefusal, cid: Cid): DagStep {
    return this.#refused = { kind: "refused", code, cid };
  }
}

/**
 * Inner blocks that a range may cost: generous for honest files (one per 44 MiB, and as little
 * as 64 file bytes each in foreign DAGs), yet finite.
 */
function innerBlocksMaxFor(rangeBytes: number): number {
  return 64 + Math.ceil(rangeBytes / 64);
}
