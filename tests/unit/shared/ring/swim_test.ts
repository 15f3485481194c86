// SWIM in virtual time: how soon deaths are seen, and that the living are never declared dead.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NodeId } from "../../../../shared/base/ids.ts";
import { swimPiggybackBytesMax } from "../../../../shared/base/limits.ts";
import { World } from "./swim_world.ts";

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

function at(world: World, index: number): NodeId {
  return world.ids[index] as NodeId;
}

function others(world: World, id: NodeId): NodeId[] {
  return world.ids.filter((other) => other !== id && world.node(other).running === "yes");
}

/** Whether all running nodes see `id` in this state. */
function allSee(world: World, id: NodeId, state: string): boolean {
  return others(world, id).every((other) => world.view(other).get(id) === state);
}

function allAlive(world: World): boolean {
  return world.ids.every((id) => [...world.view(id).values()].every((state) => state === "alive"));
}

function deaths(world: World): string[] {
  return world.sightings.filter((seen) => seen.state === "dead")
    .map((seen) => `${seen.at.toFixed(0)}: ${seen.by} buried ${seen.id}`);
}

function median(values: number[]): number {
  return values.sort((one, other) => one - other)[values.length >> 1] as number;
}

/** Ms until all see a killed node dead, a kill per seed. */
function detectionTimes(options: { nodes: number; kills: number; loss?: number }): number[] {
  return seeds(options.kills).map((seed) => {
    const world = new World({ nodes: options.nodes, seed, loss: options.loss ?? 0 });
    world.run(5_000 + world.prng.int(2_000));
    world.kill(at(world, 0));
    const time = world.runUntil(() => allSee(world, at(world, 0), "dead"), 60_000);
    ok(time !== undefined, `seed ${seed}: never seen dead`);
    deepStrictEqual(deaths(world).filter((text) => !text.endsWith(" n0")), [], `seed ${seed}`);
    return time;
  });
}

Deno.test("step() sees a kill among twelve within 8 s, half of them within 6.5 s", () => {
  const times = detectionTimes({ nodes: 12, kills: 200 });
  console.log(`12 nodes, ms: median ${median(times)}, max ${Math.max(...times)}`);
  ok(median(times) <= 6_500);
  ok(Math.max(...times) <= 8_000);
});

Deno.test("step() sees a kill in groups of 2 to 50, and under loss", () => {
  for (
    const [nodes, loss, most] of [[2, 0, 8], [3, 0, 8], [5, 0, 8], [24, 0, 8], [50, 0, 9], [
      12,
      0.1,
      11,
    ]]
  ) {
    const times = detectionTimes({ nodes: nodes as number, kills: 20, loss: loss as number });
    console.log(`${nodes} nodes, loss ${loss}: median ${median(times)}, max ${Math.max(...times)}`);
    ok(Math.max(...times) <= (most as number) * 1_000);
  }
});

Deno.test("step() sees a kill sooner when connections break", () => {
  const times = seeds(30).map((seed) => {
    const world = new World({ nodes: 12, seed });
    world.run(5_000);
    world.kill(at(world, 0));
    for (const id of others(world, at(world, 0))) {
      world.step(id, { kind: "lost", id: at(world, 0) });
    }
    return world.runUntil(() => allSee(world, at(world, 0), "dead"), 60_000) ?? Infinity;
  });
  console.log(`12 nodes with resets, ms: median ${median(times)}, max ${Math.max(...times)}`);
  ok(Math.max(...times) <= 6_500);
});

Deno.test("step() sees five of twelve die at once", () => {
  const times = seeds(20).map((seed) => {
    const world = new World({ nodes: 12, seed });
    world.run(5_000);
    const killed = world.ids.slice(0, 5);
    for (const id of killed) world.kill(id);
    const time = world.runUntil(() => killed.every((id) => allSee(world, id, "dead")), 60_000);
    const falsely = world.sightings.filter((seen) =>
      seen.state === "dead" && !killed.includes(seen.id)
    );
    deepStrictEqual(falsely, []);
    return time ?? Infinity;
  });
  console.log(`5 of 12 at once, ms: median ${median(times)}, max ${Math.max(...times)}`);
  ok(Math.max(...times) <= 15_000);
});

Deno.test("step() buries nobody when one link is cut: helpers reach both ends", () => {
  for (const seed of seeds(20)) {
    const world = new World({ nodes: 6, seed });
    const ends = new Set([at(world, 0), at(world, 1)]);
    world.passes = (from, to) => !(ends.has(from) && ends.has(to));
    world.run(60_000);
    deepStrictEqual(world.sightings, [], `seed ${seed}: not even suspected`);
  }
});

Deno.test("step() of a node that hears nobody loses health, and regains it", () => {
  const world = new World({ nodes: 8, seed: 3 });
  world.run(3_000);
  const deaf = at(world, 0);
  strictEqual(world.node(deaf).swim.health(), 0);
  world.passes = (_, to) => to !== deaf;
  world.run(4_000);
  ok(world.node(deaf).swim.health() >= 2);
  world.passes = () => true;
  ok(world.runUntil(() => world.node(deaf).swim.health() === 0 && allAlive(world), 15_000));
});

Deno.test("step() never buries a node that stops for 3 s, and it refutes", () => {
  for (const nodes of [3, 5, 12, 24]) {
    for (const seed of seeds(40)) {
      const world = new World({ nodes, seed, loss: seed % 2 === 0 ? 0.02 : 0 });
      world.run(4_000 + world.prng.int(3_000));
      world.stop(at(world, 0));
      world.run(3_000);
      world.resume(at(world, 0));
      world.run(3_000);
      ok(world.runUntil(() => allAlive(world), 5_000) !== undefined, `seed ${seed}: not refuted`);
      deepStrictEqual(deaths(world), [], `${nodes} nodes, seed ${seed}`);
    }
  }
});

Deno.test("step() buries a node that stops for 20 s, and takes it back", () => {
  for (const seed of seeds(20)) {
    const world = new World({ nodes: 12, seed });
    world.run(5_000);
    world.stop(at(world, 0));
    world.run(20_000);
    ok(allSee(world, at(world, 0), "dead"));
    world.resume(at(world, 0));
    ok(world.node(at(world, 0)).swim.paused());
    const back = world.runUntil(() => allAlive(world), 5_000);
    ok(back !== undefined && back < 3_000, `back after ${back}`);
    ok(world.runUntil(() => !world.node(at(world, 0)).swim.paused(), 2_000) !== undefined);
    strictEqual(world.sightings.some((seen) => seen.by === "n0" && seen.state === "dead"), false);
  }
});

Deno.test("step() of a node stopped nine tenths of the time buries nobody healthy", () => {
  let suspicions = 0;
  for (const [onMs, offMs] of [[100, 900], [20, 1_900], [300, 2_700], [1_000, 9_000]] as const) {
    for (const seed of seeds(10)) {
      const world = new World({ nodes: 12, seed });
      world.run(3_000);
      for (let turn = 0; turn < 120_000 / (onMs + offMs); turn++) {
        world.stop(at(world, 0));
        world.run(offMs);
        world.resume(at(world, 0));
        world.run(onMs);
      }
      deepStrictEqual(deaths(world).filter((text) => !text.endsWith(" n0")), [], `seed ${seed}`);
      suspicions += world.sightings.filter(({ state, id }) => state === "suspect" && id !== "n0")
        .length;
    }
  }
  console.log(`healthy nodes suspected, all views and runs: ${suspicions}`);
  strictEqual(suspicions, 0);
});

Deno.test("step() buries nobody while one message in ten is lost", () => {
  for (const seed of seeds(30)) {
    const world = new World({ nodes: 12, seed, loss: 0.1, delayMs: [1, 150] });
    world.run(60_000);
    deepStrictEqual(deaths(world), [], `seed ${seed}`);
  }
});

Deno.test("step() makes all views equal soon after a partition heals", () => {
  const cuts: number[] = [];
  const times = seeds(20).map((seed) => {
    const world = new World({ nodes: 10, seed });
    world.run(3_000);
    const side = (id: NodeId) => world.ids.indexOf(id) < 4;
    world.passes = (from, to) => side(from) === side(to);
    const split = () =>
      world.ids.every((id) =>
        [...world.view(id)].every(([other, state]) =>
          state === (side(id) === side(other) ? "alive" : "dead")
        )
      );
    cuts.push(world.runUntil(split, 60_000) ?? Infinity);
    world.run(10_000);
    ok(split());
    world.passes = () => true;
    const before = deaths(world).length;
    const time = world.runUntil(() => allAlive(world), 30_000);
    ok(time !== undefined, `seed ${seed}: not healed`);
    strictEqual(deaths(world).length, before, "no side buries the other's living again");
    return time;
  });
  console.log(`cut seen by all after, ms: median ${median(cuts)}, max ${Math.max(...cuts)}`);
  ok(Math.max(...cuts) <= 30_000);
  console.log(`healed after, ms: median ${median(times)}, max ${Math.max(...times)}`);
  ok(Math.max(...times) <= 10_000);
});

Deno.test("step() shows a clean stop as left, not dead, and a restart as alive", () => {
  for (const seed of seeds(10)) {
    const world = new World({ nodes: 8, seed, loss: 0.05 });
    world.run(3_000);
    world.step(at(world, 0), { kind: "leave" });
    world.kill(at(world, 0));
    world.run(20_000);
    ok(allSee(world, at(world, 0), "left"));
    deepStrictEqual(deaths(world), []);
    world.restart(at(world, 0));
    ok(world.runUntil(() => allAlive(world), 5_000) !== undefined);
  }
});

Deno.test("step() takes back a killed node that restarts, over what was said of it before", () => {
  for (const seed of seeds(10)) {
    const world = new World({ nodes: 8, seed });
    world.run(3_000);
    world.kill(at(world, 0));
    world.run(15_000);
    world.restart(at(world, 0));
    ok(world.runUntil(() => allAlive(world), 5_000) !== undefined, `seed ${seed}`);
  }
});

Deno.test("step() of a node that wakes to a dead world ends its pause and sees it", () => {
  const world = new World({ nodes: 2, seed: 1 });
  world.run(3_000);
  world.stop(at(world, 0));
  world.kill(at(world, 1));
  world.run(5_000);
  world.resume(at(world, 0));
  world.run(200);
  ok(world.node(at(world, 0)).swim.paused());
  world.run(30_000);
  strictEqual(world.node(at(world, 0)).swim.paused(), false);
  strictEqual(world.view(at(world, 0)).get(at(world, 1)), "dead");
});

Deno.test("step() brings every profile to every member, the last version", () => {
  const world = new World({ nodes: 20, seed: 4, profileBytes: 300, loss: 0.05 });
  world.run(2_000);
  world.step(at(world, 3), { kind: "profile", body: new Uint8Array([1, 2, 3]) });
  const known = () =>
    world.ids.every((id) =>
      world.node(id).swim.beliefs().every(({ id: other, profile }) =>
        profile !== undefined && profile.body.length === (other === at(world, 3) ? 3 : 300)
      )
    );
  const time = world.runUntil(known, 20_000);
  console.log(`profile known to all 20 after ${time} ms`);
  ok(time !== undefined);
});

Deno.test("step() costs each node the same bytes whatever the number of members", () => {
  const rates = [12, 24, 48].map((nodes) => {
    const world = new World({ nodes, seed: 7, profileBytes: 400 });
    world.run(20_000);
    for (const id of world.ids) world.node(id).bytes = 0;
    world.run(60_000);
    const bytes = world.ids.map((id) => world.node(id).bytes / 60);
    return { mean: bytes.reduce((sum, one) => sum + one, 0) / nodes, most: Math.max(...bytes) };
  });
  console.log(`bytes a second and node at 12, 24, 48: ${rates.map(({ mean }) => mean.toFixed(0))}`);
  const [small, medium, large] = rates.map(({ mean }) => mean) as [number, number, number];
  ok(Math.abs(medium / small - 1) < 0.25 && Math.abs(large / small - 1) < 0.25);
});

Deno.test("step() sends no message over the piggyback limit outside exchanges", () => {
  const world = new World({ nodes: 12, seed: 2, profileBytes: 500 });
  world.run(10_000);
  ok(world.largest < swimPiggybackBytesMax + 12 * 700, `largest ${world.largest}`);
});
