// The asking end of the block protocol on one stream: wants, haves and puts under way, each with
// its id. Answers are matched by id, block bytes are hashed as they arrive, and every ask ends
// in exactly one outcome, at the latest when its deadline passes or the stream ends.
//
// Credit goes both ways: this side grants what it is ready to take and grants again what it has
// taken; it sends put bytes only as far as the peer has granted.

import type { Stream } from "@libp2p/interface";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { blockBytesMax, exchangePendingMax } from "../../shared/base/limits.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import {
  blockFrame,
  blockPayloadBytesMax,
  decodeCredit,
  decodeHeld,
  decodeStored,
  digestOf,
  encodeCid,
  encodeCredit,
  encodeHave,
  encodePutHeader,
  putHeaderBytes,
} from "../../shared/wire/block_message.ts";
import { encodeFrame, encodeFrameHeader, type FrameHeader } from "../../shared/wire/frame.ts";
import type { StartHash } from "./block_hash.ts";
import { createIncomingBlock, type IncomingBlock, type MakeRoom } from "./incoming_block.ts";
import { createLink, type Link } from "./link.ts";
import { widenWindow } from "./stream_window.ts";

/** How one ask ended; the engine's outcome types are made of these. */
export type Answer =
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  | { readonly kind: "held"; readonly held: readonly boolean[] }
  | { readonly kind: "stored"; readonly outcome: "ok" | "full" | "busy" | "refused" }
  | { readonly kind: "absent" | "busy" | "bad_block" | "closed" | "timeout" };

/** What was asked. `expects` is the kind of a good answer. */
interface Ask {
  readonly id: number;
  /** CID of a want or relay. */
  readonly want: Uint8Array | undefined;
  readonly haveCount: number | undefined;
  readonly put: Put | undefined;
  readonly settle: (answer: Answer) => void;
  /** Tells the caller's ratings that the first byte is here. */
  readonly onFirstByte: () => void;
}

interface Put {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  readonly kind: BlockKind;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onFirstByte?: () => void;
}

interface Arriving {
  readonly header: FrameHeader;
  readonly ask: Ask | undefined;
  readonly small: Uint8Array | undefined;
  readonly block: IncomingBlock | undefined;
  held: number;
}

const smallPayloadBytesMax = 1_024;
const idCount = 2 ** 32;
/** A peer that leaves more asks than this unanswered is no use, and may be making us remember. */
const givenUpMax = 4 * exchangePendingMax;

/** One stream's asks. Closes with its stream; not reusable. */
export class BlockAsker {
  readonly #link: Link;
  readonly #asks = new Map<number, Ask>();
  readonly #puts: Ask[] = [];
  /** Asks that nobody waits for any more; the peer still answers each, once. */
  readonly #givenUp = new Set<number>();
  readonly #windowBytes: number;
  readonly #onLie: (peer: NodeId) => void;
  readonly #peer: NodeId;
  readonly #startHash: StartHash;
  readonly #makeRoom: MakeRoom | undefined;
  #nextId = 1;
  #putCredit = 0;
  /** Block bytes that the peer may still send, and those taken since the last grant. */
  #granted: number;
  #taken = 0;
  #arriving: Arriving | undefined;

  constructor(stream: Stream, options: {
    readonly peer: NodeId;
    readonly windowBytes: number;
    readonly startHash: StartHash;
    /** Where blocks go; fresh memory when not given. */
    readonly makeRoom?: MakeRoom | undefined;
    readonly onLie: (peer: NodeId) => void;
    readonly onFault?: (reason: string) => void;
  }) {
    this.#peer = options.peer;
    this.#startHash = options.startHash;
    this.#makeRoom = options.makeRoom;
    this.#windowBytes = options.windowBytes;
    this.#granted = options.windowBytes;
    this.#onLie = options.onLie;
    this.#link = createLink(stream, {
      sink: {
        begin: (header) => this.#begin(header),
        piece: (bytes) => this.#piece(bytes),
        end: () => this.#end(),
      },
      payloadBytesMax: blockPayloadBytesMax,
      queueMax: 4 * exchangePendingMax,
      onClosed: () => this.#endAll(),
      onFault: options.onFault,
    });
    widenWindow(stream, options.windowBytes);
    this.#say(blockFrame.credit, 0, encodeCredit(options.windowBytes));
  }

  get open(): boolean {
    return this.#link.open;
  }

  /** Asks under way. */
  get inFlight(): number {
    return this.#asks.size;
  }

  close(reason: string): void {
    this.#link.close(reason);
  }

  /** Asks for a block; with `relay` also from the peer's tabs. Never rejects. */
  want(cid: Cid, options: AskOptions & { readonly relay?: boolean }): Promise<Answer> {
    const bytes = encodeCid(cid);
    const kind = options.relay ? blockFrame.relay : blockFrame.want;
    return this.#ask({ want: bytes }, options, (ask) => this.#say(kind, ask.id, bytes));
  }

  /** Asks which blocks the peer holds; with `seek`, which its tabs do. Never rejects. */
  have(
    have: { readonly cids: readonly Cid[]; readonly lease: boolean },
    options: AskOptions & { readonly seek?: boolean },
  ): Promise<Answer> {
    const kind = options.seek ? blockFrame.seek : blockFrame.have;
    return this.#ask({ haveCount: have.cids.length }, options, (ask) => {
      this.#say(kind, ask.id, encodeHave(have));
    });
  }

  /** Sends a block to be stored, when the peer's credit allows. Never rejects. */
  put(put: Put, options: AskOptions): Promise<Answer> {
    return this.#ask({ put }, options, (ask) => {
      this.#puts.push(ask);
      this.#sendPuts();
    });
  }

  #ask(
    what: {
      readonly want?: Uint8Array;
      readonly haveCount?: number;
      readonly put?: Put;
    },
    options: AskOptions,
    send: (ask: Ask) => void,
  ): Promise<Answer> {
    if (!this.open) return Promise.resolve({ kind: "closed" });
    if (this.#asks.size >= exchangePendingMax) return Promise.resolve({ kind: "busy" });
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const id = this.#nextId;
    this.#nextId = this.#nextId % (idCount - 1) + 1;
    const giveUp = () => this.#giveUp(id);
    const timer = setTimeout(giveUp, options.timeoutMs);
    options.signal?.addEventListener("abort", giveUp, { once: true });
    const ask: Ask = {
      id,
      want: what.want,
      haveCount: what.haveCount,
      put: what.put,
      onFirstByte: options.onFirstByte ?? (() => {}),
      settle: (answer) => {
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", giveUp);
        this.#asks.delete(id);
        resolve(answer);
      },
    };
    this.#asks.set(id, ask);
    if (options.signal?.aborted) ask.settle({ kind: "timeout" });
    else send(ask);
    return promise;
  }

  #giveUp(id: number): void {
    const ask = this.#asks.get(id);
    if (ask === undefined) return;
    const queued = this.#puts.indexOf(ask);
    if (queued >= 0) this.#puts.splice(queued, 1);
    else this.#noteGivenUp(id);
    if (ask.want !== undefined) this.#say(blockFrame.cancel, id);
    ask.settle({ kind: "timeout" });
  }

  #noteGivenUp(id: number): void {
    if (this.#arriving?.header.id === id) return; // its answer is being read already
    this.#givenUp.add(id);
    if (this.#givenUp.size > givenUpMax) this.close("asks are not being answered");
  }

  #endAll(): void {
    this.#puts.length = 0;
    for (const ask of [...this.#asks.values()]) ask.settle({ kind: "closed" });
  }

  #say(kind: number, id: number, payload: Uint8Array = new Uint8Array(0)): void {
    if (!this.#link.send(encodeFrame({ kind, id, payload }))) this.close("asks are not being read");
  }

  #sendPuts(): void {
    for (let ask = this.#puts[0]; ask?.put !== undefined; ask = this.#puts[0]) {
      const { bytes } = ask.put;
      if (bytes.length > this.#putCredit) return;
      this.#puts.shift();
      this.#putCredit -= bytes.length;
      const head = encodePutHeader(ask.put);
      const header = encodeFrameHeader({
        kind: blockFrame.put,
        id: ask.id,
        payloadBytes: putHeaderBytes + bytes.length,
      });
      const start = new Uint8Array(header.length + head.length);
      start.set(header);
      start.set(head, header.length);
      if (!this.#link.send([start, bytes])) this.close("puts are not being read");
    }
  }

  #begin(header: FrameHeader): boolean {
    const ask = this.#asks.get(header.id);
    const isBlock = header.kind === blockFrame.block;
    const isAnswer = header.kind !== blockFrame.credit;
    if (isAnswer && ask === undefined && !this.#givenUp.delete(header.id)) return false;
    if (isBlock) {
      this.#granted -= header.payloadBytes;
      if (header.payloadBytes > blockBytesMax || this.#granted < 0) return false;
    } else if (header.payloadBytes > smallPayloadBytesMax) return false;
    if (ask !== undefined) ask.onFirstByte();
    this.#arriving = {
      header,
      ask,
      held: 0,
      small: isBlock ? undefined : new Uint8Array(header.payloadBytes),
      // Of a want that was given up the bytes are read past, not kept.
      block: isBlock && ask?.want !== undefined
        ? createIncomingBlock({
          bytes: header.payloadBytes,
          digest: digestOf(ask.want),
          startHash: this.#startHash,
          makeRoom: this.#makeRoom,
        })
        : undefined,
    };
    return true;
  }

  #piece(bytes: Uint8Array): boolean {
    const arriving = this.#arriving;
    if (arriving === undefined) return false;
    arriving.small?.set(bytes, arriving.held);
    arriving.block?.add(bytes);
    arriving.held += bytes.length;
    return true;
  }

  #end(): boolean {
    const arriving = this.#arriving;
    if (arriving === undefined) return false;
    this.#arriving = undefined;
    const { header, small } = arriving;
    if (header.kind === blockFrame.block) return this.#endBlock(arriving);
    if (small === undefined) return false;
    if (header.kind === blockFrame.credit) return this.#takeCredit(small);
    // The ask may have been given up while its answer was on the way.
    const ask = this.#asks.get(header.id);
    if (header.kind === blockFrame.absent || header.kind === blockFrame.busy) {
      if (small.length > 0 || ask?.put !== undefined) return false;
      ask?.settle({ kind: header.kind === blockFrame.absent ? "absent" : "busy" });
      return true;
    }
    if (header.kind === blockFrame.held) return this.#endHave(ask, small);
    if (header.kind === blockFrame.stored) return this.#endPut(ask, small);
    return false;
  }

  #endBlock({ header, ask, block }: Arriving): boolean {
    const finished = block?.finish();
    this.#taken += header.payloadBytes;
    if (this.#taken >= this.#windowBytes / 4) {
      this.#say(blockFrame.credit, 0, encodeCredit(this.#taken));
      this.#granted += this.#taken;
      this.#taken = 0;
    }
    if (ask?.want === undefined) return true;
    const settle = (bytes: Uint8Array | undefined) => {
      if (bytes === undefined) this.#onLie(this.#peer);
      ask.settle(bytes === undefined ? { kind: "bad_block" } : { kind: "block", bytes });
    };
    if (finished instanceof Promise) void finished.then(settle);
    else settle(finished);
    return true;
  }

  #endHave(ask: Ask | undefined, payload: Uint8Array): boolean {
    if (ask === undefined) return true;
    const held = ask.haveCount === undefined ? undefined : decodeHeld(payload, ask.haveCount);
    if (held === undefined) return false;
    ask.settle({ kind: "held", held });
    return true;
  }

  #endPut(ask: Ask | undefined, payload: Uint8Array): boolean {
    const outcome = decodeStored(payload);
    if (outcome === undefined) return false;
    if (ask !== undefined && ask.put === undefined) return false;
    ask?.settle({ kind: "stored", outcome });
    return true;
  }

  #takeCredit(payload: Uint8Array): boolean {
    const bytes = decodeCredit(payload);
    if (bytes === undefined) return false;
    this.#putCredit = Math.min(this.#putCredit + bytes, 2 ** 32);
    this.#sendPuts();
    return true;
  }
}
