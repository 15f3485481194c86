// Memory for blocks that pass through to a client, used again and again. Fresh memory for each
// costs more than the copy into it: pages are zeroed, and as a block outlives the young
// generation, only full collections free it (a quarter of a reader's CPU).
//
// Invariant: a room is taken by one block at a time. It comes back only after it was
// said that its next reader is the last (handOver: nobody else keeps these bytes), and that this
// one is done (giveBack).
// A room that never comes back is garbage like any other array: forgetting costs speed, no more.

import { blockRoomsMax } from "../../shared/base/limits.ts";

/** Rooms of one size. No method throws. */
export interface BlockRooms {
  /** An array of so many bytes, with anything in it. */
  take(bytes: number): Uint8Array<ArrayBuffer>;
  /** Whoever gets this array, or a view of it, next is the last to read it. */
  handOver(bytes: Uint8Array): void;
  /** The last reader is done. Idempotent; other arrays are left alone. */
  giveBack(bytes: Uint8Array): void;
}

/** Rooms for blocks of `roomBytes`; others are not kept. */
export function createBlockRooms(roomBytes: number): BlockRooms {
  const free: Uint8Array<ArrayBuffer>[] = [];
  const taken = new WeakMap<ArrayBufferLike, Uint8Array<ArrayBuffer>>();
  const handedOver = new WeakSet<ArrayBufferLike>();
  return {
    take(bytes) {
      if (bytes !== roomBytes) return new Uint8Array(bytes);
      const room = free.pop() ?? new Uint8Array(roomBytes);
      taken.set(room.buffer, room);
      return room;
    },
    handOver({ buffer }) {
      if (taken.has(buffer)) handedOver.add(buffer);
    },
    giveBack({ buffer }) {
      const room = taken.get(buffer);
      if (room === undefined || !handedOver.delete(buffer)) return;
      taken.delete(buffer);
      if (free.length < blockRoomsMax) free.push(room);
    },
  };
}
