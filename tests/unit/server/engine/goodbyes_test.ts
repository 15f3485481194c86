// What members said before this node was started again: a goodbye stays one, a node that was well
// when this one stopped is excused, and a death is still a death.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { openDatabase } from "../../../../server/disk/database.ts";
import {
  goodbyeMigrations,
  type Goodbyes,
  openGoodbyes,
} from "../../../../server/engine/goodbyes.ts";
import { createNetmap } from "../../../../server/engine/netmap.ts";
import { asLineage, type NodeId } from "../../../../shared/base/ids.ts";
import { GiB } from "../../../../shared/base/limits.ts";
import type { Profile } from "../../../../shared/ring/profile.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";
import { SwimHub } from "../net/swim_hub.ts";

function profileOf(name: string): Profile {
  return {
    ...{ name, zone: "here", bootId: name, version: "1", http: null, line: null, addresses: [] },
    phase: { phase: "seeding", since: 0, because: "it holds what it owns" },
    ...{ capacity: GiB, used: 0, metadata: 0, epoch: 1, arriving: 0, ready: true },
    blocks: { held: 0, wanted: 0, surplus: 0 },
  };
}

function rosterOf(ids: readonly NodeId[]): Roster {
  return {
    lineage: asLineage("0".repeat(64)),
    epoch: 1,
    members: ids.map((id) => ({ id, since: 1, capacity: 10 * GiB, zone: "here" })),
    ...{ council: ids.slice(0, 1), lost: [], foundedAt: 0, founder: ids[0] as NodeId, salt: "00" },
  };
}

/** Runs node 0 of a hub on the memory at `path`, following as a node does. */
async function onMemory<T>(
  { hub, path }: { readonly hub: SwimHub; readonly path: string },
  use: (node: {
    readonly goodbyes: Goodbyes;
    readonly netmap: ReturnType<typeof createNetmap>;
    /** Virtual milliseconds pass. */
    readonly run: (ms: number) => void;
  }) => T | Promise<T>,
): Promise<T> {
  const database = await openDatabase({ path, migrations: [goodbyeMigrations] });
  const failed: unknown[] = [];
  const goodbyes = openGoodbyes(database, (error) => failed.push(error));
  hub.restart(0, { left: goodbyes.left });
  const netmap = createNetmap({
    ...{ liveness: hub.driver(0), goodbyes },
    ...{ now: () => hub.now, wallNow: () => hub.now },
  });
  netmap.setRoster(rosterOf(hub.ids));
  const run = (ms: number) => {
    for (const until = hub.now + ms; hub.now < until;) {
      hub.run(500);
      goodbyes.follow(hub.driver(0).witnessed());
    }
  };
  const result = await use({ goodbyes, netmap, run });
  await database.stop();
  deepStrictEqual(failed, []);
  return result;
}

async function withMemory(
  use: (world: { readonly hub: SwimHub; readonly path: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-goodbyes-" });
  const hub = new SwimHub(4);
  hub.ids.forEach((_, index) => hub.driver(index).setProfile(profileOf(`name-${index}`)));
  try {
    await use({ hub, path: `${folder}/db` });
  } finally {
    await hub.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Node `index` says goodbye and is gone. */
async function goes(hub: SwimHub, index: number): Promise<void> {
  await hub.driver(index).stop({ clean: true });
  hub.run(100);
  hub.down.add(hub.ids[index] as NodeId);
}

Deno.test("openGoodbyes() keeps a goodbye and a name over a start, until the node is back", async () => {
  await withMemory(async ({ hub, path }) => {
    const extra = hub.ids[3] as NodeId;
    await onMemory({ hub, path }, async ({ run, netmap }) => {
      run(3_000);
      await goes(hub, 3);
      run(1_000);
      strictEqual(netmap.stateOf(extra), "left");
      // A crash: no goodbye of this node's own.
    });
    await onMemory({ hub, path }, ({ run, netmap }) => {
      run(30_000);
      strictEqual(netmap.stateOf(extra), "left");
      strictEqual(netmap.deadFor(extra), undefined);
      strictEqual(netmap.snapshot().find(({ id }) => id === extra)?.name, "name-3");
      hub.down.delete(extra);
      hub.restart(3, {});
      run(10_000);
      strictEqual(netmap.stateOf(extra), "alive");
      hub.down.add(extra);
      run(20_000);
      strictEqual(netmap.stateOf(extra), "dead", "a goodbye excuses one absence, not the next");
    });
    await onMemory({ hub, path }, ({ goodbyes }) => {
      deepStrictEqual([...goodbyes.left], [], "nothing is left of it on disk");
    });
  });
});

Deno.test("openGoodbyes() excuses who was well when this node stopped, and nobody else", async () => {
  await withMemory(async ({ hub, path }) => {
    const [, well, silent, dead] = hub.ids as [NodeId, NodeId, NodeId, NodeId];
    await onMemory({ hub, path }, async ({ run, goodbyes, netmap }) => {
      run(3_000);
      hub.down.add(dead);
      run(20_000);
      strictEqual(netmap.stateOf(dead), "dead");
      await goodbyes.close(hub.driver(0).witnessed());
      await hub.driver(0).stop({ clean: true });
    });
    hub.down.add(silent); // its goodbye came when nobody listened
    await onMemory({ hub, path }, ({ run, goodbyes, netmap }) => {
      run(30_000);
      strictEqual(netmap.stateOf(silent), "left");
      strictEqual(netmap.deadFor(silent), undefined);
      strictEqual(netmap.snapshot().find(({ id }) => id === silent)?.name, "name-2");
      strictEqual(netmap.stateOf(dead), "dead");
      ok((netmap.deadFor(dead) ?? 0) > 10_000);
      strictEqual(netmap.stateOf(well), "alive");
      strictEqual(goodbyes.excuses(well), false, "it was heard from since");
      hub.down.add(well);
      run(20_000);
      strictEqual(netmap.stateOf(well), "dead");
      ok((netmap.deadFor(well) ?? 0) > 5_000);
    });
    await onMemory({ hub, path }, ({ run, netmap }) => {
      run(20_000);
      strictEqual(netmap.stateOf(silent), "left", "excused over a crash too");
      strictEqual(netmap.stateOf(well), "dead");
    });
  });
});
