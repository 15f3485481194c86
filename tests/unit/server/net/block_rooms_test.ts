import assert from "node:assert/strict";
import { createBlockRooms } from "../../../../server/net/block_rooms.ts";
import { blockRoomsMax } from "../../../../shared/base/limits.ts";

const roomBytes = 1_024;

Deno.test("take() gives a room again once its last reader gave it back", () => {
  const rooms = createBlockRooms(roomBytes);
  const first = rooms.take(roomBytes);
  assert.notEqual(rooms.take(roomBytes).buffer, first.buffer);
  const part = first.subarray(10, 20);
  rooms.handOver(part);
  rooms.giveBack(part);
  const again = rooms.take(roomBytes);
  assert.equal(again.buffer, first.buffer);
  assert.equal(again.length, roomBytes);
});

Deno.test("giveBack() leaves alone what was not handed over, or is given back twice", () => {
  const rooms = createBlockRooms(roomBytes);
  const kept = rooms.take(roomBytes);
  rooms.giveBack(kept);
  assert.notEqual(rooms.take(roomBytes).buffer, kept.buffer, "somebody may still read it");
  rooms.handOver(kept);
  rooms.giveBack(kept);
  rooms.giveBack(kept);
  assert.equal(rooms.take(roomBytes).buffer, kept.buffer);
  assert.notEqual(rooms.take(roomBytes).buffer, kept.buffer, "taken by one at a time");
  rooms.giveBack(kept);
  assert.notEqual(rooms.take(roomBytes).buffer, kept.buffer, "its new owner has not let it go");
});

Deno.test("take() gives arrays of other sizes, and those of others never come back", () => {
  const rooms = createBlockRooms(roomBytes);
  const small = rooms.take(10);
  assert.equal(small.length, 10);
  for (const foreign of [small, new Uint8Array(roomBytes)]) {
    rooms.handOver(foreign);
    rooms.giveBack(foreign);
    assert.notEqual(rooms.take(roomBytes).buffer, foreign.buffer);
  }
});

Deno.test("giveBack() keeps no more rooms than the limit", () => {
  const rooms = createBlockRooms(roomBytes);
  const taken = Array.from({ length: blockRoomsMax + 5 }, () => rooms.take(roomBytes));
  const buffers = new Set(taken.map(({ buffer }) => buffer));
  for (const room of taken) {
    rooms.handOver(room);
    rooms.giveBack(room);
  }
  const again = taken.filter(() => buffers.has(rooms.take(roomBytes).buffer));
  assert.equal(again.length, blockRoomsMax);
});
