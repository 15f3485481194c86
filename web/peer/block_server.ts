// The answering end of the block protocol on one stream: wants and haves are served from the
// store, puts are verified and stored before they are acknowledged.
//
// Bounded per peer: wants queued, reads in flight (a read counts until its block has been handed
// to the stream), put bytes by the credit granted. Credit for blocks is the peer's: no block is
// sent beyond it, so a peer that stops reading holds up nothing but its own queue. Members may
// also seek and relay, which asks this node's tabs (relay_queue.ts).

import type { Stream } from "@libp2p/interface";
import type { Cid } from "../../shared/base/ids.ts";
import {
  creditWindowBytes,
  exchangePendingMax,
  readsPerPeerMax,
  strangerReadsMax,
} from "../../shared/base/limits.ts";
import { seeksPerPeerMax, tabReadsMax } from "../../shared/base/tab_limits.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import {
  blockFrame,
  blockPayloadBytesMax,
  cidBytes,
  decodeCid,
  decodeCredit,
  decodeHave,
  decodePutHeader,
  encodeCredit,
  encodeHeld,
  encodeStored,
  putHeaderBytes,
  type StoredOutcome,
} from "../../shared/wire/block_message.ts";
import { encodeFrame, encodeFrameHeader, type FrameHeader } from "../../shared/wire/frame.ts";
import type { AskPace } from "./ask_pace.ts";
import type { StartHash } from "./block_hash.ts";
import type { Caller } from "./caller.ts";
import { createIncomingBlock, type IncomingBlock } from "./incoming_block.ts";
import { createLink, type Link } from "./link.ts";
import { RelayQueue } from "./relay_queue.ts";
import type { TabCopies } from "./tab_copies.ts";

/** Smallest and largest payload of each kind of ask. */
const askPayloads: ReadonlyMap<number, readonly [number, number]> = new Map([
  [blockFrame.want, [cidBytes, cidBytes]],
  [blockFrame.have, [1, 64 * 1024]],
  [blockFrame.put, [putHeaderBytes, blockPayloadBytesMax]],
  [blockFrame.cancel, [0, 0]],
  [blockFrame.credit, [4, 4]],
  [blockFrame.seek, [1, 64 * 1024]],
  [blockFrame.relay, [cidBytes, cidBytes]],
]);
const creditMax = 64 * creditWindowBytes;

/** What is served from: of a whole store, or of a tab. */
export type ServedBlocks = Pick<BlockStore, "put" | "get" | "has" | "sizeOf" | "touch">;

export interface BlockServerOptions {
  readonly caller: Caller;
  readonly store: ServedBlocks;
  readonly startHash: StartHash;
  /** Blocks being read or sent at once, when not what the caller's role says. */
  readonly readsMax?: number;
  /**
   * Waits until so many bytes may be read for this caller; members never wait. What it gives is
   * called once the bytes were handed on, or never will be.
   */
  readonly pace: (bytes: number) => Promise<() => void>;
  /** Answers that the caller leaves unread for so long end the stream. */
  readonly stallMs?: number | undefined;
  /** How fast the caller may ask; as it likes when not given. */
  readonly askPace?: Pick<AskPace, "take"> | undefined;
  /** The tabs of this node, for members; who has none refuses to seek and relay. */
  readonly tabs?: TabCopies | undefined;
  readonly onFailure: (error: unknown) => void;
  /** The peer sent bytes that are not what it said. */
  readonly onLie: () => void;
  readonly onFault?: ((reason: string) => void) | undefined;
  readonly onClosed: () => void;
}

interface Want {
  readonly id: number;
  readonly cid: Cid;
}

interface Arriving {
  readonly header: FrameHeader;
  readonly head: Uint8Array;
  headHeld: number;
  block: IncomingBlock | undefined;
}

/** Serves one stream; it ends with the stream. */
export function serveBlocks(stream: Stream, options: BlockServerOptions): Link {
  return new BlockServer(stream, options).link;
}

class BlockServer {
  readonly #options: BlockServerOptions;
  readonly #link: Link;
  readonly #mayStore: boolean;
  readonly #readsMax: number;
  /** By id, in the order that they came. */
  readonly #wants = new Map<number, Want>();
  readonly #relays: RelayQueue | undefined;
  readonly #releases = new Set<() => void>();
  #rest: ReturnType<typeof setTimeout> | undefined;
  #seeking = 0;
  #credit = 0;
  #reading = 0;
  #asking = 0;
  #putCredit: number;
  #putSpent = 0;
  #arriving: Arriving | undefined;

  constructor(stream: Stream, options: BlockServerOptions) {
    this.#options = options;
    const { role } = options.caller;
    this.#mayStore = role === "member";
    this.#readsMax = options.readsMax ?? readsMaxOf(role);
    this.#relays = role === "member" && options.tabs !== undefined
      ? this.#makeRelays(options.tabs)
      : undefined;
    this.#putCredit = this.#mayStore ? creditWindowBytes : 0;
    this.#link = createLink(stream, {
      sink: {
        begin: (header) => this.#begin(header),
        piece: (bytes) => this.#arriving !== undefined && this.#takePiece(this.#arriving, bytes),
        end: () => this.#end(),
      },
      payloadBytesMax: blockPayloadBytesMax,
      queueMax: 4 * exchangePendingMax,
      onClosed: () => this.#close(),
      onFault: options.onFault,
      stallMs: options.stallMs,
    });
    if (this.#mayStore) this.#say(blockFrame.credit, 0, encodeCredit(creditWindowBytes));
  }

  get link(): Link {
    return this.#link;
  }

  #close(): void {
    this.#wants.clear();
    clearTimeout(this.#rest);
    this.#relays?.close();
    for (const release of this.#releases) release();
    this.#releases.clear();
    this.#options.onClosed();
  }

  #makeRelays(tabs: TabCopies): RelayQueue {
    return new RelayQueue({
      fetch: (cid, signal) => tabs.relay(cid, signal),
      reserve: (bytes) => {
        if (bytes > this.#credit) return false;
        this.#credit -= bytes;
        return true;
      },
      release: (bytes) => {
        this.#credit += bytes;
        this.#serveNext();
      },
      answer: (id, bytes, onSent) => {
        if (bytes !== undefined && this.#sendBlock(id, bytes, onSent)) return;
        this.#say(blockFrame.absent, id);
        onSent();
      },
    });
  }

  #sendBlock(id: number, bytes: Uint8Array, onSent: () => void): boolean {
    const header = encodeFrameHeader({ kind: blockFrame.block, id, payloadBytes: bytes.length });
    return this.#link.send([header, bytes], onSent);
  }

  #say(kind: number, id: number, payload: Uint8Array = new Uint8Array(0)): void {
    if (this.#link.send(encodeFrame({ kind, id, payload }))) return;
    this.#link.fail("answers are not being read");
  }

  #takeWant(id: number, payload: Uint8Array): boolean {
    const cid = decodeCid(payload);
    if (cid === undefined) return false;
    if (this.#wants.size >= exchangePendingMax) this.#say(blockFrame.busy, id);
    else this.#wants.set(id, { id, cid });
    this.#serveNext();
    return true;
  }

  #serveNext(): void {
    for (const want of this.#wants.values()) {
      if (this.#reading >= this.#readsMax) return;
      const bytes = this.#options.store.sizeOf(want.cid);
      if (bytes === undefined) {
        this.#wants.delete(want.id);
        this.#say(blockFrame.absent, want.id);
        continue;
      }
      if (bytes > this.#credit) return;
      this.#wants.delete(want.id);
      this.#credit -= bytes;
      this.#reading += 1;
      void this.#serve(want, bytes);
    }
  }

  #takeRelay(id: number, payload: Uint8Array): boolean {
    const cid = decodeCid(payload);
    if (cid === undefined || this.#relays === undefined) return false;
    // Held here after all, it is as good as wanted.
    if (this.#options.store.has(cid)) return this.#takeWant(id, payload);
    if (!this.#relays.add(id, cid)) this.#say(blockFrame.busy, id);
    return true;
  }

  /** Reads nothing more until the asks so far are paid for. */
  #restAfter(asks: number): void {
    const waitMs = this.#options.askPace?.take(asks, performance.now()) ?? 0;
    if (waitMs === 0) return;
    this.#link.pause();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#link.resume(), waitMs);
  }

  async #serve(want: Want, reserved: number): Promise<void> {
    let sent = false;
    let release = () => {};
    const finish = () => {
      this.#reading -= 1;
      this.#releases.delete(release);
      release();
      this.#serveNext();
    };
    try {
      release = await this.#options.pace(reserved);
      if (!this.#link.open) return;
      this.#releases.add(release);
      const bytes = await this.#options.store.get(want.cid);
      this.#credit += reserved - (bytes?.length ?? 0);
      if (bytes === undefined) return this.#say(blockFrame.absent, want.id);
      sent = this.#sendBlock(want.id, bytes, finish);
    } catch (error) {
      // The store reports its own trouble to its owner; to the peer the block is not here.
      this.#credit += reserved;
      this.#options.onFailure(error);
      this.#say(blockFrame.absent, want.id);
    } finally {
      if (!sent) finish();
    }
  }

  async #answerHave(id: number, payload: Uint8Array): Promise<void> {
    const have = decodeHave(payload);
    if (have === undefined) return this.#link.fail("malformed have");
    this.#restAfter(Math.max(0, have.cids.length - 1));
    if (this.#asking >= readsPerPeerMax) return this.#say(blockFrame.busy, id);
    this.#asking += 1;
    try {
      const { store } = this.#options;
      const renewed = have.lease && this.#mayStore ? have.cids.filter((cid) => store.has(cid)) : [];
      if (renewed.length > 0) await store.touch(renewed);
      // Asked after the lease is durable: a collector that came before it is seen here.
      const held = have.cids.map((cid) => store.has(cid));
      this.#say(blockFrame.held, id, encodeHeld(held));
    } catch (error) {
      this.#options.onFailure(error);
      this.#say(blockFrame.busy, id);
    } finally {
      this.#asking -= 1;
    }
  }

  async #answerSeek(id: number, payload: Uint8Array): Promise<void> {
    const sought = decodeHave(payload);
    const { tabs } = this.#options;
    if (sought === undefined || tabs === undefined) return this.#link.fail("malformed seek");
    if (this.#seeking >= seeksPerPeerMax) return this.#say(blockFrame.busy, id);
    this.#seeking += 1;
    const held = await tabs.seek(sought.cids);
    this.#seeking -= 1;
    this.#say(blockFrame.held, id, encodeHeld(held));
  }

  /** Stores a verified block, then acknowledges it and gives its credit back. */
  async #storePut(put: Arriving): Promise<void> {
    const { header, head } = put;
    const said = decodePutHeader(head);
    const bytes = await put.block?.finish();
    let outcome: StoredOutcome = "refused";
    if (said !== undefined && bytes !== undefined) {
      try {
        const stored = await this.#options.store.put(said.cid, bytes, said.kind);
        outcome = stored.ok ? "ok" : "full";
      } catch (error) {
        this.#options.onFailure(error);
        outcome = "busy";
      }
    } else this.#options.onLie();
    this.#say(blockFrame.stored, header.id, encodeStored(outcome));
    this.#regrant(header.payloadBytes - putHeaderBytes);
  }

  #regrant(bytes: number): void {
    this.#putSpent += bytes;
    if (this.#putSpent < creditWindowBytes / 4) return;
    this.#say(blockFrame.credit, 0, encodeCredit(this.#putSpent));
    this.#putCredit += this.#putSpent;
    this.#putSpent = 0;
  }

  #takeCredit(payload: Uint8Array): boolean {
    this.#credit = Math.min(creditMax, this.#credit + (decodeCredit(payload) ?? 0));
    this.#serveNext();
    this.#relays?.next();
    return true;
  }

  #takeCancel(id: number): boolean {
    if (this.#wants.delete(id)) this.#say(blockFrame.absent, id);
    this.#relays?.cancel(id);
    return true;
  }

  #takePiece(put: Arriving, bytes: Uint8Array): boolean {
    const headBytes = Math.min(bytes.length, put.head.length - put.headHeld);
    put.head.set(bytes.subarray(0, headBytes), put.headHeld);
    put.headHeld += headBytes;
    if (put.headHeld < put.head.length || put.header.kind !== blockFrame.put) return true;
    const said = decodePutHeader(put.head);
    if (said === undefined) return false;
    put.block ??= createIncomingBlock({
      bytes: put.header.payloadBytes - putHeaderBytes,
      digest: said.digest,
      startHash: this.#options.startHash,
    });
    if (bytes.length > headBytes) put.block.add(bytes.subarray(headBytes));
    return true;
  }

  #take({ header, head }: Arriving): boolean {
    this.#restAfter(1);
    if (header.kind === blockFrame.want) return this.#takeWant(header.id, head);
    if (header.kind === blockFrame.credit) return this.#takeCredit(head);
    if (header.kind === blockFrame.cancel) return this.#takeCancel(header.id);
    if (header.kind === blockFrame.relay) return this.#takeRelay(header.id, head);
    if (header.kind === blockFrame.seek) {
      if (this.#relays === undefined) return false;
      void this.#answerSeek(header.id, head);
      return true;
    }
    void this.#answerHave(header.id, head);
    return true;
  }

  #begin(header: FrameHeader): boolean {
    const [least, most] = askPayloads.get(header.kind) ?? [1, 0];
    if (header.payloadBytes < least || header.payloadBytes > most) return false;
    const isPut = header.kind === blockFrame.put;
    if (isPut) this.#putCredit -= header.payloadBytes - putHeaderBytes;
    if (this.#putCredit < 0) return false;
    this.#arriving = {
      header,
      head: new Uint8Array(isPut ? putHeaderBytes : header.payloadBytes),
      headHeld: 0,
      block: undefined,
    };
    return true;
  }

  #end(): boolean {
    const arriving = this.#arriving;
    if (arriving === undefined) return false;
    if (arriving.header.kind !== blockFrame.put) return this.#take(arriving);
    // A stranger's or tab's put of no bytes needs no credit, and is refused all the same.
    if (!this.#mayStore) return false;
    void this.#storePut(arriving);
    return true;
  }
}

function readsMaxOf(role: Caller["role"]): number {
  switch (role) {
    case "member":
      return readsPerPeerMax;
    case "tab":
      return tabReadsMax;
    case "stranger":
      return strangerReadsMax;
  }
}
