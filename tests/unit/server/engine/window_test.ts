import assert from "node:assert/strict";
import { createWindow } from "../../../../server/engine/window.ts";

Deno.test("createWindow() never holds more than its slots and serves who waits in order", async () => {
  const window = createWindow(2);
  const held: number[] = [];
  const turns = [0, 1, 2, 3].map(async (turn) => {
    await window.acquire();
    held.push(turn);
  });
  await Promise.all(turns.slice(0, 2));
  assert.deepEqual(held, [0, 1]);
  window.release();
  await turns[2];
  assert.deepEqual(held, [0, 1, 2]);
  window.release();
  await turns[3];
  window.release();
  window.release();
  assert.throws(() => window.release(), /given back once/);
});
