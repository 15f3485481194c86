// One task at a time for a key, any number for different keys.

import assert from "node:assert/strict";
import { createKeyedTurns } from "../../../../server/disk/keyed_turns.ts";

Deno.test("KeyedTurns.run() keeps tasks of one key in order and apart", async () => {
  const turns = createKeyedTurns<string>();
  const log: string[] = [];
  const task = (name: string, steps: number) => async () => {
    log.push(`${name} begins`);
    for (let step = 0; step < steps; step++) await Promise.resolve();
    log.push(`${name} ends`);
    return name;
  };
  const results = await Promise.all([
    turns.run("a", task("a1", 50)),
    turns.run("a", task("a2", 1)),
    turns.run("b", task("b1", 1)),
    turns.run("a", task("a3", 1)),
  ]);
  assert.deepEqual(results, ["a1", "a2", "b1", "a3"]);
  const ofA = log.filter((line) => line.startsWith("a"));
  assert.deepEqual(
    ofA,
    ["a1", "a2", "a3"].flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
  assert.ok(log.indexOf("b1 ends") < log.indexOf("a1 ends"), "other keys do not wait");
});

Deno.test("KeyedTurns.run() goes on after a failed task, and idle() waits for all", async () => {
  const turns = createKeyedTurns<string>();
  const failed = turns.run("a", () => Promise.reject(new Error("bad")));
  let ran = false;
  const next = turns.run("a", async () => {
    await Promise.resolve();
    ran = true;
  });
  const caught = assert.rejects(failed, /bad/);
  await turns.idle();
  assert.equal(ran, true);
  await caught;
  await next;
  await turns.idle();
});
