// Blocks from the tabs that are connected to this node: who holds what is asked when it is needed,
// a block is taken from one that said so, and a tab that does not keep its word is left alone for
// a while, then dropped. What tabs hold never counts as a copy: this is asked after all owners and
// holders were asked in vain.
//
// Invariants: bytes given out match their CID (hashed at the exchange's door); at most a few asks
// are under way at one tab, and a few tabs are asked at once; what is remembered is bounded, and
// nothing of a tab outlives its connection but a bounded number of words and penalties.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import {
  tabForgiveMs,
  tabHaveMs,
  tabHavesMax,
  tabOffencesMax,
  tabRestMs,
  tabTriesMax,
  tabWantMs,
  tabWantsMax,
  tabWantsWaitingMax,
} from "../../shared/base/tab_limits.ts";
import { sketchTabs, tabMark } from "../../shared/ring/tab_count.ts";
import type { TabSketch } from "../../shared/status.ts";
import type { BlockExchange, WantOutcome } from "../../web/peer/block_exchange.ts";
import type { TabCopies } from "../../web/peer/tab_copies.ts";
import type { Clock } from "./clock.ts";
import { TabWords } from "./tab_words.ts";

export interface TabBlocksPorts {
  readonly exchange: Pick<BlockExchange, "want" | "have">;
  readonly clock: Pick<Clock, "now">;
  /** Ends a tab's connections; it is not let in again for a while. */
  readonly drop: (tab: NodeId, reason: string) => void;
}

interface Tab {
  readonly id: NodeId;
  readonly mark: number;
  /** Wants under way, and those that wait for their turn. */
  running: number;
  readonly waiting: (() => void)[];
  restUntil: number;
  /** When it last gave a block; 0 for never. */
  gaveAt: number;
  offences: number;
  offendedAt: number;
}

/** Times that all tabs are asked for one block: liars may have been the only ones to answer. */
const roundsMax = 3;
/** Tabs asked for a block unseen, because they gave others just before. */
const helpersMax = 2;
const helpfulMs = 10_000;

/** The tabs of one node. */
export class TabBlocks implements TabCopies {
  readonly #ports: TabBlocksPorts;
  readonly #tabs = new Map<NodeId, Tab>();
  readonly #words = new TabWords();
  #sketch: TabSketch | undefined;
  #asking = 0;
  readonly #askers: (() => void)[] = [];

  constructor(ports: TabBlocksPorts) {
    this.#ports = ports;
  }

  /** Tabs connected now. */
  get size(): number {
    return this.#tabs.size;
  }

  has(id: NodeId): boolean {
    return this.#tabs.has(id);
  }

  /** What others are told of the tabs here. */
  sketch(): TabSketch {
    return this.#sketch ??= sketchTabs([...this.#tabs.values()].map(({ mark }) => mark));
  }

  /** A tab was let in. */
  add(id: NodeId): void {
    this.#sketch = undefined;
    this.#tabs.set(id, {
      ...{ id, mark: tabMark(id), running: 0, waiting: [], restUntil: 0, gaveAt: 0 },
      ...{ offences: 0, offendedAt: 0 },
    });
  }

  /** A tab's last connection has closed. */
  remove(id: NodeId): void {
    const tab = this.#tabs.get(id);
    if (this.#tabs.delete(id)) this.#sketch = undefined;
    for (const start of tab?.waiting.splice(0) ?? []) start();
  }

  /** A tab sent bytes that are not what it said. */
  lied(id: NodeId): void {
    if (this.#tabs.has(id)) this.#ports.drop(id, "it sent wrong bytes");
  }

  /** A tab broke the protocol in a way that may be bad luck once. */
  offended(id: NodeId, reason: string): void {
    const tab = this.#tabs.get(id);
    if (tab !== undefined) this.#noteOffence(tab, reason);
  }

  async seek(cids: readonly Cid[]): Promise<readonly boolean[]> {
    return (await this.#find(cids)).map((tabs) => tabs.length > 0);
  }

  async relay(cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const tried = new Set<NodeId>();
    let tries = 0;
    for (let round = 0; round < roundsMax; round++) {
      const isGuess = round === 0 && !this.#isNamed(cid);
      const told = round === 0 ? this.#likely(cid) : (await this.#find([cid]))[0] ?? [];
      const sources = this.#inOrder(told).filter(({ id }) => !tried.has(id));
      if (round > 0 && sources.length === 0) return undefined;
      for (const tab of sources) {
        if (signal.aborted || tries === tabTriesMax) return undefined;
        tried.add(tab.id);
        if (!isGuess) tries += 1;
        const bytes = await this.#take(tab, cid, signal);
        if (bytes !== undefined) return bytes;
      }
    }
    return undefined;
  }

  /** Whether some tab said lately that it holds the block. */
  #isNamed(cid: Cid): boolean {
    return this.#words.of(cid, this.#ports.clock.now()).length > 0;
  }

  /** Who said so lately; else who was of help lately. */
  #likely(cid: Cid): readonly NodeId[] {
    const now = this.#ports.clock.now();
    const said = this.#words.of(cid, now);
    if (said.length > 0) return said;
    return this.#awake().filter(({ gaveAt }) => gaveAt > 0 && now - gaveAt < helpfulMs)
      .slice(0, helpersMax).map(({ id }) => id);
  }

  /** Tabs that are not left alone just now, the most helpful first. */
  #awake(): Tab[] {
    const now = this.#ports.clock.now();
    return [...this.#tabs.values()].filter(({ restUntil }) => restUntil <= now)
      .sort((left, right) => right.gaveAt - left.gaveAt);
  }

  #inOrder(ids: readonly NodeId[]): Tab[] {
    const now = this.#ports.clock.now();
    return ids.flatMap((id) => this.#tabs.get(id) ?? [])
      .filter(({ restUntil }) => restUntil <= now)
      .sort((left, right) => left.running - right.running || right.gaveAt - left.gaveAt);
  }

  /** Tabs that hold each block, by what they said lately and, where nobody did, by asking. */
  async #find(cids: readonly Cid[]): Promise<readonly NodeId[][]> {
    const now = () => this.#ports.clock.now();
    const told = () => cids.map((cid) => this.#words.of(cid, now()).filter((id) => this.has(id)));
    const waiting = this.#awake();
    for (let found = told();; found = told()) {
      const open = cids.filter((_, index) => found[index]?.length === 0);
      const wave = waiting.splice(0, tabHavesMax);
      if (open.length === 0 || wave.length === 0) return found;
      await Promise.all(wave.map((tab) => this.#ask(tab, open)));
    }
  }

  /** Asks one tab what it holds; at most a few are asked at once, whoever wants to know. */
  async #ask(tab: Tab, cids: readonly Cid[]): Promise<void> {
    if (this.#asking >= tabHavesMax) await new Promise<void>((go) => this.#askers.push(go));
    else this.#asking++;
    try {
      if (!this.has(tab.id)) return;
      const options = { timeoutMs: tabHaveMs, lease: false };
      const answer = await this.#ports.exchange.have(tab.id, cids, options);
      const now = this.#ports.clock.now();
      if (!answer.ok) {
        if (answer.code !== "busy") this.#rest(tab);
        return;
      }
      cids.forEach((cid, index) => {
        if (answer.held[index]) this.#words.add(cid, tab.id, now);
      });
    } finally {
      const next = this.#askers.shift();
      if (next === undefined) this.#asking--;
      else next();
    }
  }

  /** One block of one tab. */
  async #take(tab: Tab, cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (tab.running >= tabWantsMax) {
      if (tab.waiting.length >= tabWantsWaitingMax) return undefined;
      await new Promise<void>((start) => tab.waiting.push(start));
    } else tab.running++;
    try {
      if (!this.has(tab.id) || signal.aborted) return undefined;
      const options = { timeoutMs: tabWantMs, signal };
      const outcome = await this.#ports.exchange.want(tab.id, cid, options);
      if (!signal.aborted) this.#judge(tab, cid, outcome);
      return outcome.ok ? outcome.bytes : undefined;
    } finally {
      const next = tab.waiting.shift();
      if (next === undefined) tab.running--;
      else next();
    }
  }

  #judge(tab: Tab, cid: Cid, outcome: WantOutcome): void {
    const now = this.#ports.clock.now();
    if (outcome.ok) {
      tab.gaveAt = now;
      this.#words.add(cid, tab.id, now);
      return;
    }
    const promised = this.#words.of(cid, now).includes(tab.id);
    this.#words.delete(cid, tab.id);
    switch (outcome.code) {
      case "bad_block":
        return this.lied(tab.id);
      case "dont_have":
        if (promised) this.#noteOffence(tab, "it names blocks that it does not give");
        return;
      case "timeout":
      case "unreachable":
        // Browsers slow down what is in the background: who gave some lately is only left alone.
        if (now - tab.gaveAt < tabForgiveMs) return this.#rest(tab);
        return this.#noteOffence(tab, "it does not answer");
      case "busy":
        return;
    }
  }

  #rest(tab: Tab): void {
    tab.restUntil = this.#ports.clock.now() + tabRestMs;
  }

  /** Several at once are one: what went wrong with one block goes wrong with its neighbours. */
  #noteOffence(tab: Tab, reason: string): void {
    const now = this.#ports.clock.now();
    if (now < tab.restUntil) return;
    const forgiven = Math.floor((now - tab.offendedAt) / tabForgiveMs);
    tab.offences = Math.max(0, tab.offences - forgiven) + 1;
    tab.offendedAt = now;
    if (tab.offences > tabOffencesMax) this.#ports.drop(tab.id, reason);
    else this.#rest(tab);
  }
}
