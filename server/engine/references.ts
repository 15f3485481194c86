// What the files of the catalog mean for this node's blocks: which of those it holds are
// referenced, which it owns and lacks, which it holds for others, or should while an owner is full.
// The book of repair, trim and collector; the walk over the files writes it (reference_sweep.ts).
//
// Invariant: a verdict here is judgeBlock()'s, from the roster of now and the table of now; lists
// are hints that are judged again before anything is done.

import type { Cid } from "../../shared/base/ids.ts";
import { surplusBlocksMax } from "../../shared/base/limits.ts";
import type { BlockKind, BlockStore } from "../../shared/block/block_store.ts";
import { codecOf } from "../../shared/block/cid.ts";
import { type BlockFacts, judgeBlock } from "../../shared/repair/plan.ts";
import { ReferenceTable } from "../../shared/repair/reference_table.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import type { DagBlock } from "./dag_blocks.ts";
import { type RingView, standsIn } from "./place.ts";
import { type WantedBlock, WantedBlocks } from "./wanted.ts";

export interface ReferencesPorts {
  readonly store: BlockStore;
  readonly ring: RingView;
}

/** A file as its blocks are judged for. */
export interface FileUse {
  readonly name: string;
  readonly replicas: number;
}

/** The book. No method throws but by the store. */
export class References {
  readonly wanted = new WantedBlocks();
  /** What a full owner may lack: fetched only while there are too few copies. */
  readonly stoodFor = new WantedBlocks();
  readonly table = new ReferenceTable();
  readonly #ports: ReferencesPorts;
  readonly #surplus = new Set<Cid>();
  readonly #wakers: (() => void)[] = [];
  #surplusOver = 0;

  constructor(ports: ReferencesPorts) {
    this.#ports = ports;
  }

  /** Held blocks that others own, those beyond the list counted too. */
  get surplus(): number {
    return this.#surplus.size + this.#surplusOver;
  }

  /** Called whenever a block becomes wanted. */
  onWanted(wake: () => void): void {
    this.#wakers.push(wake);
  }

  /** What is known of a block now; owned at the copies that its files want. */
  factsOf(cid: Cid): BlockFacts {
    const replicas = this.table.replicasOf(cid);
    const held = this.#ports.store.has(cid);
    return { kind: kindOf(cid), held, replicas, owned: replicas > 0 && this.#owns(cid, replicas) };
  }

  /** A file has this block. `pass` is the walk that says so. */
  note(block: DagBlock, file: FileUse, pass: number): void {
    const { cid, kind } = block;
    const held = this.#ports.store.has(cid);
    if (held) this.table.note(cid, file.replicas);
    const replicas = held ? this.table.replicasOf(cid) : file.replicas;
    this.#enter({ kind, held, replicas, owned: this.#owns(cid, replicas) }, {
      ...{ cid, pass, replicas, file: file.name },
      // The size of an inner block is not in the file's tree; of a leaf it is its bytes.
      bytes: kind === "leaf" ? block.size : 0,
    });
  }

  /** A held block is judged again: it may be surplus under another roster. */
  rejudge(cid: Cid): void {
    if (judgeBlock(this.factsOf(cid)) === "surplus") this.#addSurplus(cid);
    else this.#surplus.delete(cid);
  }

  /** A wanted block came: by repair, or by a push in the meantime. */
  stored(cid: Cid, replicas: number): void {
    this.table.note(cid, replicas);
    this.wanted.delete(cid);
    this.stoodFor.delete(cid);
  }

  /** The list on which a block is to be fetched; undefined when it is not. */
  soughtIn(cid: Cid): WantedBlocks | undefined {
    if (this.wanted.has(cid)) return this.wanted;
    return this.stoodFor.has(cid) ? this.stoodFor : undefined;
  }

  /** A held block is gone: quarantined. It is wanted at once if this node should have it. */
  lost(cid: Cid, bytes: number): void {
    const facts = this.factsOf(cid);
    this.#surplus.delete(cid);
    this.#enter(facts, { cid, bytes, pass: Infinity, replicas: facts.replicas, file: null });
  }

  /** A surplus block was dropped or is none. */
  notSurplus(cid: Cid): void {
    this.#surplus.delete(cid);
  }

  /** Surplus blocks, at most `limit`, those after `after` in the order they were found. */
  surplusBlocks(limit: number, skip: ReadonlySet<Cid>): Cid[] {
    const some: Cid[] = [];
    for (const cid of this.#surplus) {
      if (skip.has(cid)) continue;
      if (some.push(cid) === limit) break;
    }
    return some;
  }

  /** The roster changed: what is not owned any more is no longer wanted. */
  rosterChanged(): void {
    this.wanted.retain(({ cid, kind, replicas }) => kind === "inner" || this.#owns(cid, replicas));
    this.stoodFor.retain(({ cid, replicas }) => standsIn(this.#ports.ring, cid, replicas));
  }

  /** A walk of all files begins. */
  beginWalk(): void {
    this.table.beginWalk();
    this.wanted.beginWalk();
    this.stoodFor.beginWalk();
  }

  /** Every file was walked in `pass`; held blocks are rejudged from here on. */
  endWalk(pass: number): void {
    this.table.endWalk();
    this.wanted.retain((_block, seen) => seen >= pass);
    this.stoodFor.retain((_block, seen) => seen >= pass);
    this.#surplus.clear();
    this.#surplusOver = 0;
  }

  #enter(
    facts: BlockFacts,
    block: Omit<Parameters<WantedBlocks["add"]>[0], "kind"> & { readonly pass: number },
  ): void {
    const { pass, ...rest } = block;
    switch (judgeBlock(facts)) {
      case "fetch": {
        this.#seek(this.wanted, { ...rest, kind: facts.kind }, pass);
        break;
      }
      case "surplus":
        this.#addSurplus(block.cid);
        break;
      case "keep":
        this.#surplus.delete(block.cid);
        this.wanted.delete(block.cid);
        break;
      case "none":
        if (facts.replicas > 0 && standsIn(this.#ports.ring, block.cid, facts.replicas)) {
          this.#seek(this.stoodFor, { ...rest, kind: facts.kind }, pass);
        }
        break;
      case "unreferenced":
        break;
    }
  }

  #seek(list: WantedBlocks, block: WantedBlock, pass: number): void {
    const known = list.has(block.cid);
    list.add(block, pass);
    if (!known) { for (const wake of this.#wakers) wake(); }
  }

  #addSurplus(cid: Cid): void {
    if (this.#surplus.has(cid)) return;
    if (this.#surplus.size < surplusBlocksMax) this.#surplus.add(cid);
    else this.#surplusOver++;
  }

  #owns(cid: Cid, replicas: number): boolean {
    const { ring } = this.#ports;
    return ring.placement().isOwner(ring.self, { slot: slotOfCid(cid), replicas });
  }
}

function kindOf(cid: Cid): BlockKind {
  return codecOf(cid) === "raw" ? "leaf" : "inner";
}
