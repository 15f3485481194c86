// What tabs said a moment ago that they hold, so that asking for a block does not mean asking all
// of them again. Words age fast: a tab may drop a block whenever it likes.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { tabWordMs, tabWordsMax } from "../../shared/base/tab_limits.ts";

/** Who said to hold what. Bounded; no method throws. */
export class TabWords {
  /** By block, the most lately named last; by tab, when it said so. */
  readonly #words = new Map<Cid, Map<NodeId, number>>();

  get size(): number {
    return this.#words.size;
  }

  add(cid: Cid, tab: NodeId, now: number): void {
    const said = this.#words.get(cid) ?? new Map<NodeId, number>();
    said.set(tab, now);
    this.#words.delete(cid);
    this.#words.set(cid, said);
    for (const oldest of this.#words.keys()) {
      if (this.#words.size <= tabWordsMax) break;
      this.#words.delete(oldest);
    }
  }

  delete(cid: Cid, tab: NodeId): void {
    const said = this.#words.get(cid);
    said?.delete(tab);
    if (said?.size === 0) this.#words.delete(cid);
  }

  /** Tabs that said lately to hold a block. */
  of(cid: Cid, now: number): NodeId[] {
    const said = this.#words.get(cid);
    if (said === undefined) return [];
    for (const [tab, at] of said) if (now - at >= tabWordMs) said.delete(tab);
    if (said.size === 0) this.#words.delete(cid);
    return [...said.keys()];
  }
}
