import assert from "node:assert/strict";
import { createWindow } from "../../../../server/engine/window.ts";

Deno.test("createWindow() never holds more than its slots and serves who waits in order", async () => {
  const window = createWindow(() => 2);
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

Deno.test("createWindow() that shrinks gives nothing until enough came back, and grows at once", async () => {
  let slots = 3;
  const window = createWindow(() => slots);
  for (let held = 0; held < 3; held++) await window.acquire();
  slots = 1;
  let turn = false;
  const waiting = window.acquire().then(() => turn = true);
  window.release();
  window.release();
  await Promise.resolve();
  assert.equal(turn, false, "one is still held");
  window.release();
  await waiting;
  slots = 2;
  await window.acquire();
});
