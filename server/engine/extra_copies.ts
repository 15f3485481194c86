// The last resort of who looks for a block: tabs, this node's own and those of other members.
// Nobody counts these copies; they are asked for only when every owner and every member that
// said to hold the block has failed.
//
// Who has a block is asked for all that are looked for together, once; whoever gave one is asked
// for the next without asking around.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { haveCidsMax } from "../../shared/base/limits.ts";
import { tabHaveMs, tabWantMs } from "../../shared/base/tab_limits.ts";
import type { TabCopies } from "../../web/peer/tab_copies.ts";
import type { TabExchange } from "../net/block_driver.ts";
import type { Clock } from "./clock.ts";
import { type RingView, usableRemotes } from "./place.ts";
import { untilAborted } from "./until_aborted.ts";

export interface ExtraCopiesPorts {
  readonly ring: RingView;
  readonly exchange: TabExchange;
  /** The tabs of this node. */
  readonly tabs: TabCopies;
  readonly clock: Pick<Clock, "sleep">;
}

/** Where blocks may be that no member has. */
export interface ExtraCopies {
  /** A search for the blocks of one pull or one repair; `signal` ends it. */
  search(signal: AbortSignal): ExtraSearch;
}

/** One search. */
export interface ExtraSearch {
  /**
   * Bytes that match `cid`, or undefined when no tab gives them; `others` are looked for on the
   * way. @throws never
   */
  get(cid: Cid, others: Iterable<Cid>): Promise<Uint8Array | undefined>;
}

/** A member may have to ask more than one tab, and has tabs that do not answer. */
const seekMs = 2 * tabHaveMs;
const relayMs = 2 * tabWantMs;

/** Extra copies as the network gives them. */
export function createExtraCopies(ports: ExtraCopiesPorts): ExtraCopies {
  return { search: (signal) => new Search(ports, signal) };
}

class Search implements ExtraSearch {
  readonly #ports: ExtraCopiesPorts;
  readonly #signal: AbortSignal;
  /** Present for each block that was asked for, also while the answers are on their way. */
  readonly #answers = new Map<Cid, Promise<readonly NodeId[]>>();
  /** Members whose tabs gave a block, this node for its own; the latest last. */
  readonly #helpers = new Set<NodeId>();

  constructor(ports: ExtraCopiesPorts, signal: AbortSignal) {
    this.#ports = ports;
    this.#signal = signal;
  }

  async get(cid: Cid, others: Iterable<Cid>): Promise<Uint8Array | undefined> {
    try {
      return await this.#get(cid, others);
    } finally {
      this.#answers.delete(cid); // asked for once: what is remembered stays small
    }
  }

  async #get(cid: Cid, others: Iterable<Cid>): Promise<Uint8Array | undefined> {
    const tried = new Set<NodeId>();
    const helper = this.#answers.has(cid) ? undefined : [...this.#helpers].at(-1);
    if (helper !== undefined) {
      const bytes = await this.#fetch(helper, cid);
      if (bytes !== undefined || this.#signal.aborted) return bytes;
      tried.add(helper);
    }
    for (const source of await this.#find(cid, others)) {
      if (tried.has(source)) continue;
      const bytes = await this.#fetch(source, cid);
      if (bytes !== undefined || this.#signal.aborted) return bytes;
    }
    return undefined;
  }

  async #fetch(source: NodeId, cid: Cid): Promise<Uint8Array | undefined> {
    const bytes = source === this.#ports.ring.self
      ? await this.#relayHere(cid)
      : await this.#relay(source, cid);
    this.#helpers.delete(source);
    if (bytes !== undefined) this.#helpers.add(source);
    return bytes;
  }

  /** From this node's own tabs, which get no more time than those of others. */
  async #relayHere(cid: Cid): Promise<Uint8Array | undefined> {
    const { tabs, clock } = this.#ports;
    const over = new AbortController();
    const signal = AbortSignal.any([this.#signal, over.signal]);
    const late = clock.sleep(relayMs, signal).then(() => undefined);
    try {
      return await Promise.race([tabs.relay(cid, signal), late]);
    } finally {
      over.abort();
    }
  }

  async #relay(member: NodeId, cid: Cid): Promise<Uint8Array | undefined> {
    const options = { timeoutMs: relayMs, signal: this.#signal };
    const asked = this.#ports.exchange.relay(member, cid, options);
    const outcome = await untilAborted(asked, this.#signal);
    return outcome?.ok ? outcome.bytes : undefined;
  }

  /** This node first, then members, whose tabs say that they hold the block. */
  #find(cid: Cid, others: Iterable<Cid>): Promise<readonly NodeId[]> {
    const known = this.#answers.get(cid);
    if (known !== undefined) return known;
    const cids = new Set([cid]);
    for (const other of others) {
      if (cids.size < haveCidsMax && !this.#answers.has(other)) cids.add(other);
    }
    const asked = this.#askAll([...cids]);
    for (const one of cids) this.#answers.set(one, asked.then((found) => found.get(one) ?? []));
    return this.#answers.get(cid) ?? Promise.resolve([]);
  }

  async #askAll(cids: readonly Cid[]): Promise<Map<Cid, NodeId[]>> {
    const { ring, tabs } = this.#ports;
    const found = new Map<Cid, NodeId[]>(cids.map((cid) => [cid, []]));
    const note = (source: NodeId, held: readonly boolean[]) => {
      for (const [index, cid] of cids.entries()) if (held[index]) found.get(cid)?.push(source);
    };
    const own = untilAborted(tabs.seek(cids), this.#signal);
    const members = usableRemotes(ring).map(async (member) => {
      const options = { timeoutMs: seekMs, signal: this.#signal };
      const answer = await untilAborted(
        this.#ports.exchange.seek(member, cids, options),
        this.#signal,
      );
      if (answer?.ok) note(member, answer.held);
    });
    note(ring.self, await own ?? []);
    await Promise.all(members);
    return found;
  }
}
