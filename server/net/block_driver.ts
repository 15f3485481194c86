// The block protocol of one node: asks other peers on one link per peer, serves theirs. Engines
// see only BlockExchange. Who may do what: members everything, tabs read and say what they hold,
// strangers (only under `public`) want a few blocks slowly.

import type { Stream } from "@libp2p/interface";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { creditWindowBytes, strangerBytesPerSecondMax } from "../../shared/base/limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { type Answer, BlockAsker } from "../../web/peer/block_asker.ts";
import type {
  BlockExchange,
  ExchangeOptions,
  OfferOutcome,
  WantOutcome,
} from "../../web/peer/block_exchange.ts";
import { serveBlocks } from "../../web/peer/block_server.ts";
import type { Caller } from "../../web/peer/caller.ts";
import type { Link } from "../../web/peer/link.ts";
import { PeerRating } from "../../web/peer/peer_rating.ts";
import { channelProtocol } from "./channel.ts";
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
  /** A peer sent bytes that do not match their CID. */
  readonly onLie?: (peer: NodeId) => void;
}

/** A block exchange and its end. Make it before the network starts. */
export interface BlockDriver extends BlockExchange {
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

  constructor(options: BlockDriverOptions) {
    this.#options = options;
    const protocol = channelProtocol(options.group, "block");
    this.#links = createPeerLinks({
      streams: options.streams,
      protocol,
      attach: (peer, stream) =>
        new BlockAsker(stream, {
          peer,
          windowBytes: creditWindowBytes,
          startHash: startNodeHash,
          onLie: (liar) => this.#noteLie(liar),
        }),
    });
    options.streams.onPeer((event) => {
      if (event.kind === "gone") this.#ratings.delete(event.id);
    });
    options.streams.accept(protocol, {
      roles: ["member", "tab"],
      strangers: options.public,
      streamsPerConnectionMax,
    }, (stream, caller) => this.#serve(stream, caller));
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
    const rating = this.#ratingOf(peer);
    if (answer.kind === "block") {
      const bytes = answer.bytes.length;
      rating.add({ bytes, askedMs, firstByteMs: firstByteMs ?? endMs, endMs });
    } else if (answer.kind === "timeout" || answer.kind === "bad_block") {
      rating.penalize(endMs - askedMs);
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
    if (answer.kind === "held") return { ok: true, held: answer.held };
    const known = answer.kind === "busy" || answer.kind === "timeout";
    return { ok: false, code: known ? answer.kind : "unreachable" };
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
      pace: paceOf(caller),
      onFailure: this.#options.onFailure ?? (() => undefined),
      onLie: () => this.#noteLie(caller.id),
      onClosed: () => this.#servers.delete(link),
    });
    this.#servers.add(link);
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
    this.#ratings.set(peer, known);
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

/** Members and tabs are served as fast as they read, a stranger at a fixed rate. */
function paceOf(caller: Caller): (bytes: number) => Promise<void> {
  if (caller.role !== "stranger") return () => Promise.resolve();
  let freeAtMs = 0;
  return (bytes) => {
    const nowMs = performance.now();
    const waitMs = Math.max(0, freeAtMs - nowMs);
    freeAtMs = nowMs + waitMs + bytes / strangerBytesPerSecondMax * 1_000;
    return waitMs === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, waitMs));
  };
}
