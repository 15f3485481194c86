// The block protocol of one node: asks other peers on one link per peer, serves theirs. Engines
// see only BlockExchange, and TabExchange for what members reach through one another's tabs. Who
// may do what: members everything, tabs read and say what they hold, strangers (only under
// `public`) want a few blocks slowly.

import type { Stream } from "@libp2p/interface";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { creditWindowBytes, strangerBytesPerSecondMax } from "../../shared/base/limits.ts";
import {
  tabAsksBurst,
  tabAsksPerSecond,
  tabCreditBytes,
  tabReadBytesMax,
  tabsAsksBurst,
  tabsAsksPerSecond,
  tabStallMs,
} from "../../shared/base/tab_limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { AskPace } from "../../web/peer/ask_pace.ts";
import { type Answer, BlockAsker } from "../../web/peer/block_asker.ts";
import type {
  BlockExchange,
  ExchangeOptions,
  OfferOutcome,
  WantOutcome,
} from "../../web/peer/block_exchange.ts";
import { serveBlocks } from "../../web/peer/block_server.ts";
import type { Caller } from "../../web/peer/caller.ts";
import type { MakeRoom } from "../../web/peer/incoming_block.ts";
import type { Link } from "../../web/peer/link.ts";
import { PeerRating } from "../../web/peer/peer_rating.ts";
import type { TabCopies } from "../../web/peer/tab_copies.ts";
import { channelProtocol } from "../../web/peer/protocol.ts";
import { ByteBudget } from "./byte_budget.ts";
import { createPeerLinks, type PeerLinks } from "./peer_links.ts";
import { startNodeHash } from "./node_hash.ts";
import type { StreamPort } from "./stream_port.ts";

const streamsPerConnectionMax = 2;
/** Peers whose wrong bytes are remembered, the newest. */
const liarsKeptMax = 1_000;

export interface BlockDriverOptions {
  readonly streams: StreamPort;
  readonly group: string;
  readonly store: BlockStore;
  /** Whether strangers may want blocks by CID. */
  readonly public: boolean;
  /** Trouble of the store while serving; the store's owner decides what it means. */
  readonly onFailure?: (error: unknown) => void;
  /** Where blocks that were wanted go; fresh memory when not given. */
  readonly makeRoom?: MakeRoom;
  /** A peer sent bytes that do not match their CID. */
  readonly onLie?: (peer: NodeId) => void;
  /** A peer broke the protocol; its stream was reset. */
  readonly onFault?: (peer: NodeId, reason: string) => void;
  /** What this node's tabs hold, for members that ask. */
  readonly tabs?: TabCopies;
}

/** What other members reach through their tabs. No method throws for a peer's fault. */
export interface TabExchange {
  /** Which of these blocks tabs of the peer say that they hold. */
  seek(
    peer: NodeId,
    cids: readonly Cid[],
    options: ExchangeOptions,
  ): ReturnType<BlockExchange["have"]>;
  /** A block from the peer, or from one of its tabs through it. */
  relay(peer: NodeId, cid: Cid, options: ExchangeOptions): Promise<WantOutcome>;
}

/** A block exchange and its end. Make it before the network starts. */
export interface BlockDriver extends BlockExchange, TabExchange {
  /** Times that peers sent bytes that do not match their CID. */
  lies(): ReadonlyMap<NodeId, number>;
  stop(): void;
}

/** Starts the block protocol on the host's streams. */
export function createBlockDriver(options: BlockDriverOptions): BlockDriver {
  return new Exchange(options);
}

class Exchange implements BlockDriver {
  readonly #options: BlockDriverOptions;
  readonly #links: PeerLinks<BlockAsker>;
  readonly #ratings = new Map<NodeId, PeerRating>();
  readonly #lies = new Map<NodeId, number>();
  readonly #servers = new Set<Link>();
  /** Connected tabs, and how fast each may ask: over all its streams. */
  readonly #tabs = new Map<NodeId, AskPace>();
  readonly #allTabs = new AskPace({
    ...{ perSecond: tabsAsksPerSecond, burst: tabsAsksBurst },
    now: performance.now(),
  });
  readonly #tabReads = new ByteBudget(tabReadBytesMax);

  constructor(options: BlockDriverOptions) {
    this.#options = options;
    const protocol = channelProtocol(options.group, "block");
    this.#links = createPeerLinks({
      streams: options.streams,
      protocol,
      attach: (peer, stream) =>
        new BlockAsker(stream, {
          peer,
          windowBytes: this.#tabs.has(peer) ? tabCreditBytes : creditWindowBytes,
          startHash: startNodeHash,
          makeRoom: options.makeRoom,
          onLie: (liar) => this.#noteLie(liar),
          onFault: (reason) => options.onFault?.(peer, reason),
        }),
    });
    options.streams.onPeer((event) => {
      if (event.kind === "gone") {
        this.#ratings.delete(event.id);
        this.#tabs.delete(event.id);
      } else if (event.kind === "admitted" && event.role === "tab") {
        const pace = { perSecond: tabAsksPerSecond, burst: tabAsksBurst, now: performance.now() };
        this.#tabs.set(event.id, new AskPace(pace));
      }
    });
    options.streams.accept(protocol, {
      roles: ["member", "tab"],
      strangers: options.public,
      streamsPerConnectionMax,
    }, (stream, caller) => this.#serve(stream, caller));
  }

  /** Not rated: how fast a tab behind the peer is says nothing of the peer. */
  async relay(peer: NodeId, cid: Cid, ask: ExchangeOptions): Promise<WantOutcome> {
    const { timeoutMs, signal } = ask;
    const answer = await withLink(
      this.#links,
      { peer, timeoutMs },
      (link, leftMs) => link.want(cid, { timeoutMs: leftMs, signal, relay: true }),
    );
    return wantOutcome(answer);
  }

  async want(peer: NodeId, cid: Cid, ask: ExchangeOptions): Promise<WantOutcome> {
    const askedMs = performance.now();
    let firstByteMs: number | undefined;
    const onFirstByte = () => firstByteMs ??= performance.now();
    const answer = await withLink(
      this.#links,
      { peer, timeoutMs: ask.timeoutMs },
      (link, timeoutMs) => link.want(cid, { timeoutMs, signal: ask.signal, onFirstByte }),
    );
    const endMs = performance.now();
    if (answer.kind === "block") {
      const bytes = answer.bytes.length;
      this.#ratingOf(peer).add({ bytes, askedMs, firstByteMs: firstByteMs ?? endMs, endMs });
    } else if (answer.kind === "timeout" || answer.kind === "bad_block") {
      this.#ratingOf(peer).penalize(endMs - askedMs);
    }
    return wantOutcome(answer);
  }

  async put(
    peer: NodeId,
    block: Parameters<BlockExchange["put"]>[1],
    ask: ExchangeOptions,
  ): Promise<OfferOutcome> {
    const answer = await withLink(
      this.#links,
      { peer, timeoutMs: ask.timeoutMs },
      (link, timeoutMs) => link.put(block, { timeoutMs, signal: ask.signal }),
    );
    return offerOutcome(answer);
  }

  async have(
    peer: NodeId,
    cids: readonly Cid[],
    ask: ExchangeOptions & { readonly lease: boolean },
  ): ReturnType<BlockExchange["have"]> {
    const answer = await withLink(
      this.#links,
      { peer, timeoutMs: ask.timeoutMs },
      (link, timeoutMs) => link.have({ cids, lease: ask.lease }, { timeoutMs, signal: ask.signal }),
    );
    return haveOutcome(answer);
  }

  async seek(
    peer: NodeId,
    cids: readonly Cid[],
    { timeoutMs, signal }: ExchangeOptions,
  ): ReturnType<BlockExchange["have"]> {
    const answer = await withLink(
      this.#links,
      { peer, timeoutMs },
      (link, leftMs) =>
        link.have({ cids, lease: false }, { timeoutMs: leftMs, signal, seek: true }),
    );
    return haveOutcome(answer);
  }

  rating(peer: NodeId): ReturnType<BlockExchange["rating"]> {
    const inFlight = this.#links.peek(peer)?.inFlight ?? 0;
    return { ...this.#ratingOf(peer).current, inFlight };
  }

  lies(): ReadonlyMap<NodeId, number> {
    return this.#lies;
  }

  stop(): void {
    this.#links.stop();
    for (const link of [...this.#servers]) link.close("stopping");
  }

  #serve(stream: Stream, caller: Caller): void {
    const link = serveBlocks(stream, {
      caller,
      store: this.#options.store,
      startHash: startNodeHash,
      pace: this.#paceOf(caller),
      askPace: this.#askPaceOf(caller),
      stallMs: caller.role === "member" ? undefined : tabStallMs,
      tabs: this.#options.tabs,
      onFault: (reason) => this.#options.onFault?.(caller.id, reason),
      onFailure: this.#options.onFailure ?? (() => undefined),
      onLie: () => this.#noteLie(caller.id),
      onClosed: () => this.#servers.delete(link),
    });
    this.#servers.add(link);
  }

  /** A tab pays out of its own pace and out of that of all tabs. */
  #askPaceOf({ id }: Caller): Pick<AskPace, "take"> | undefined {
    const own = this.#tabs.get(id);
    if (own === undefined) return undefined;
    return { take: (asks, now) => Math.max(own.take(asks, now), this.#allTabs.take(asks, now)) };
  }

  /** Members are served as they read, tabs out of one budget, a stranger at a fixed rate. */
  #paceOf({ role }: Caller): (bytes: number) => Promise<() => void> {
    switch (role) {
      case "member":
        return () => Promise.resolve(nothingHeld);
      case "tab":
        return (bytes) => this.#tabReads.take(bytes);
      case "stranger":
        return strangersPace();
    }
  }

  #noteLie(peer: NodeId): void {
    const known = this.#lies.get(peer) ?? 0;
    // Told again, a liar is the newest; tabs may come under ever new ids.
    this.#lies.delete(peer);
    this.#lies.set(peer, known + 1);
    for (const oldest of this.#lies.keys()) {
      if (this.#lies.size <= liarsKeptMax) break;
      this.#lies.delete(oldest);
    }
    this.#options.onLie?.(peer);
  }

  #ratingOf(peer: NodeId): PeerRating {
    const known = this.#ratings.get(peer) ?? new PeerRating();
    // Of a peer that is gone nothing is kept: tabs come under ever new ids.
    if (this.#options.streams.reachable(peer)) this.#ratings.set(peer, known);
    return known;
  }
}

/** Uses the open link, or opens one within the same deadline. */
async function withLink(
  links: PeerLinks<BlockAsker>,
  to: { readonly peer: NodeId; readonly timeoutMs: number },
  use: (link: BlockAsker, timeoutMs: number) => Promise<Answer>,
): Promise<Answer> {
  const open = links.peek(to.peer);
  if (open !== undefined) return await use(open, to.timeoutMs);
  const startMs = performance.now();
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), to.timeoutMs);
  try {
    const link = await Promise.race([links.get(to.peer), late]);
    if (link === "late") return { kind: "timeout" };
    return await use(link, Math.max(1, to.timeoutMs - (performance.now() - startMs)));
  } catch {
    return { kind: "closed" }; // peer_links throws unreachable or stopped, nothing else
  } finally {
    clearTimeout(timer);
  }
}

function wantOutcome(answer: Answer): WantOutcome {
  if (answer.kind === "block") return { ok: true, bytes: answer.bytes };
  if (answer.kind === "absent") return { ok: false, code: "dont_have" };
  if (answer.kind === "closed") return { ok: false, code: "unreachable" };
  if (answer.kind === "held" || answer.kind === "stored") return { ok: false, code: "bad_block" };
  return { ok: false, code: answer.kind };
}

function offerOutcome(answer: Answer): OfferOutcome {
  if (answer.kind === "stored") {
    return answer.outcome === "ok" ? { ok: true } : { ok: false, code: answer.outcome };
  }
  if (answer.kind === "busy" || answer.kind === "timeout") return { ok: false, code: answer.kind };
  return { ok: false, code: "unreachable" };
}

function haveOutcome(answer: Answer): Awaited<ReturnType<BlockExchange["have"]>> {
  if (answer.kind === "held") return { ok: true, held: answer.held };
  const known = answer.kind === "busy" || answer.kind === "timeout";
  return { ok: false, code: known ? answer.kind : "unreachable" };
}

const nothingHeld = () => {};

function strangersPace(): (bytes: number) => Promise<() => void> {
  let freeAtMs = 0;
  return (bytes) => {
    const nowMs = performance.now();
    const waitMs = Math.max(0, freeAtMs - nowMs);
    freeAtMs = nowMs + waitMs + bytes / strangerBytesPerSecondMax * 1_000;
    return new Promise((resolve) => {
      if (waitMs === 0) resolve(nothingHeld);
      else setTimeout(() => resolve(nothingHeld), waitMs);
    });
  };
}
