// The answering end of the block protocol on one stream: wants and haves are served from the
// store, puts are verified and stored before they are acknowledged.
//
// Bounded per peer: wants queued, reads in flight (a read counts until its block has been handed
// to the stream), put bytes by the credit granted. Credit for blocks is the peer's: no block is
// sent beyond it, so a peer that stops reading holds up nothing but its own queue.

import type { Stream } from "@libp2p/interface";
import type { Cid } from "../../shared/base/ids.ts";
import {
  creditWindowBytes,
  exchangePendingMax,
  readsPerPeerMax,
  strangerReadsMax,
} from "../../shared/base/limits.ts";
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
import {
  encodeFrame,
  encodeFrameHeader,
  type FrameHeader,
  type FrameSink,
} from "../../shared/wire/frame.ts";
import { createIncomingBlock, type IncomingBlock } from "./incoming_block.ts";
import { createLink, type Link } from "./link.ts";
import type { Caller } from "./stream_port.ts";

/** Smallest and largest payload of each kind of ask. */
const askPayloads: ReadonlyMap<number, readonly [number, number]> = new Map([
  [blockFrame.want, [cidBytes, cidBytes]],
  [blockFrame.have, [1, 64 * 1024]],
  [blockFrame.put, [putHeaderBytes, blockPayloadBytesMax]],
  [blockFrame.cancel, [0, 0]],
  [blockFrame.credit, [4, 4]],
]);
const creditMax = 64 * creditWindowBytes;

export interface BlockServerOptions {
  readonly caller: Caller;
  readonly store: BlockStore;
  /** Waits until this caller may be sent so many bytes; members never wait. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
  /** The peer sent bytes that are not what it said. */
  readonly onLie: () => void;
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
  const { caller, store } = options;
  const mayStore = caller.role === "member";
  const readsMax = caller.role === "stranger" ? strangerReadsMax : readsPerPeerMax;
  const wants: Want[] = [];
  const cancelled = new Set<number>();
  let credit = 0;
  let reading = 0;
  let asking = 0;
  let putCredit = mayStore ? creditWindowBytes : 0;
  let putSpent = 0;
  let arriving: Arriving | undefined;

  const say = (kind: number, id: number, payload: Uint8Array = new Uint8Array(0)): void => {
    if (!link.send(encodeFrame({ kind, id, payload }))) link.close("answers are not being read");
  };

  function takeWant(id: number, payload: Uint8Array): boolean {
    const cid = decodeCid(payload);
    if (cid === undefined) return false;
    if (wants.length >= exchangePendingMax) say(blockFrame.busy, id);
    else wants.push({ id, cid });
    serveNext();
    return true;
  }

  function serveNext(): void {
    while (reading < readsMax) {
      const [want] = wants;
      if (want === undefined) return;
      const bytes = cancelled.delete(want.id) ? undefined : store.sizeOf(want.cid);
      if (bytes === undefined) {
        wants.shift();
        say(blockFrame.absent, want.id);
        continue;
      }
      if (bytes > credit) return;
      wants.shift();
      credit -= bytes;
      reading += 1;
      void serve(want, bytes);
    }
  }

  async function serve(want: Want, reserved: number): Promise<void> {
    let sent = false;
    const finish = () => {
      reading -= 1;
      serveNext();
    };
    try {
      await options.pace(reserved);
      const bytes = await store.get(want.cid);
      credit += reserved - (bytes?.length ?? 0);
      if (bytes === undefined) return say(blockFrame.absent, want.id);
      const { id } = want;
      const header = encodeFrameHeader({
        kind: blockFrame.block,
        id,
        payloadBytes: bytes.length,
      });
      sent = link.send([header, bytes], finish);
    } catch (error) {
      // The store reports its own trouble to its owner; to the peer the block is not here.
      credit += reserved;
      options.onFailure(error);
      say(blockFrame.absent, want.id);
    } finally {
      if (!sent) finish();
    }
  }

  async function answerHave(id: number, payload: Uint8Array): Promise<void> {
    const have = decodeHave(payload);
    if (have === undefined) return link.close("malformed have");
    if (asking >= readsPerPeerMax) return say(blockFrame.busy, id);
    asking += 1;
    try {
      const held = have.cids.map((cid) => store.has(cid));
      const renewed = have.cids.filter((_, index) => held[index]);
      if (have.lease && mayStore && renewed.length > 0) await store.touch(renewed);
      say(blockFrame.held, id, encodeHeld(held));
    } catch (error) {
      options.onFailure(error);
      say(blockFrame.busy, id);
    } finally {
      asking -= 1;
    }
  }

  /** Stores a verified block, then acknowledges it and gives its credit back. */
  async function storePut(put: Arriving): Promise<void> {
    const { header, head } = put;
    const said = decodePutHeader(head);
    const bytes = put.block?.finish();
    let outcome: StoredOutcome = "refused";
    if (said !== undefined && bytes !== undefined) {
      try {
        const stored = await store.put(said.cid, bytes, said.kind);
        outcome = stored.ok ? "ok" : "full";
      } catch (error) {
        options.onFailure(error);
        outcome = "busy";
      }
    } else options.onLie();
    say(blockFrame.stored, header.id, encodeStored(outcome));
    regrant(header.payloadBytes - putHeaderBytes);
  }

  function regrant(bytes: number): void {
    putSpent += bytes;
    if (putSpent < creditWindowBytes / 4) return;
    say(blockFrame.credit, 0, encodeCredit(putSpent));
    putCredit += putSpent;
    putSpent = 0;
  }

  function takeCredit(payload: Uint8Array): boolean {
    credit = Math.min(creditMax, credit + (decodeCredit(payload) ?? 0));
    serveNext();
    return true;
  }

  function takeCancel(id: number): boolean {
    if (wants.some((want) => want.id === id)) cancelled.add(id);
    return true;
  }

  function takePiece(put: Arriving, bytes: Uint8Array): boolean {
    const headBytes = Math.min(bytes.length, put.head.length - put.headHeld);
    put.head.set(bytes.subarray(0, headBytes), put.headHeld);
    put.headHeld += headBytes;
    if (put.headHeld < put.head.length || put.header.kind !== blockFrame.put) return true;
    const said = decodePutHeader(put.head);
    if (said === undefined) return false;
    put.block ??= createIncomingBlock({
      bytes: put.header.payloadBytes - putHeaderBytes,
      digest: said.digest,
    });
    if (bytes.length > headBytes) put.block.add(bytes.subarray(headBytes));
    return true;
  }

  function take({ header, head }: Arriving): boolean {
    if (header.kind === blockFrame.want) return takeWant(header.id, head);
    if (header.kind === blockFrame.credit) return takeCredit(head);
    if (header.kind === blockFrame.cancel) return takeCancel(header.id);
    void answerHave(header.id, head);
    return true;
  }

  const sink: FrameSink = {
    begin(header) {
      const [least, most] = askPayloads.get(header.kind) ?? [1, 0];
      if (header.payloadBytes < least || header.payloadBytes > most) return false;
      const isPut = header.kind === blockFrame.put;
      if (isPut) putCredit -= header.payloadBytes - putHeaderBytes;
      if (putCredit < 0) return false;
      arriving = {
        header,
        head: new Uint8Array(isPut ? putHeaderBytes : header.payloadBytes),
        headHeld: 0,
        block: undefined,
      };
      return true;
    },
    piece: (bytes) => arriving !== undefined && takePiece(arriving, bytes),
    end() {
      if (arriving === undefined) return false;
      if (arriving.header.kind !== blockFrame.put) return take(arriving);
      void storePut(arriving);
      return true;
    },
  };
  const link = createLink(stream, {
    sink,
    payloadBytesMax: blockPayloadBytesMax,
    queueMax: 4 * exchangePendingMax,
    onClosed: () => {
      wants.length = 0;
      options.onClosed();
    },
  });
  if (mayStore) say(blockFrame.credit, 0, encodeCredit(creditWindowBytes));
  return link;
}
