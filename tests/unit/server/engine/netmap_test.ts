// The live netmap: owners from the roster, usability from liveness, rows from both.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { createNetmap } from "../../../../server/engine/netmap.ts";
import { asLineage, asSlot, type NodeId } from "../../../../shared/base/ids.ts";
import { GiB } from "../../../../shared/base/limits.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";
import { SwimHub } from "../net/swim_hub.ts";

function rosterOf(ids: readonly NodeId[]): Roster {
  return {
    lineage: asLineage("0".repeat(64)),
    epoch: 1,
    members: ids.map((id) => ({ id, since: 1, capacity: 10 * GiB, zone: "here" })),
    council: ids.slice(0, 1),
    lost: [],
    foundedAt: 0,
    founder: ids[0] as NodeId,
    salt: "00",
  };
}

function netmapOf(hub: SwimHub) {
  return createNetmap({
    liveness: hub.driver(0),
    goodbyes: { excuses: () => false, lastWord: () => undefined },
    now: () => hub.now,
    wallNow: () => 1_700_000_000_000 + hub.now,
  });
}

Deno.test("Netmap knows no owners before a roster, then those of placement", async () => {
  const hub = new SwimHub(5);
  const netmap = netmapOf(hub);
  throws(() => netmap.placement());
  deepStrictEqual(netmap.snapshot(), []);
  netmap.setRoster(rosterOf(hub.ids));
  strictEqual(new Set(netmap.placement().ownersOf(asSlot(1), 3)).size, 3);
  const rows = netmap.snapshot();
  strictEqual(rows.length, 5);
  ok(Math.abs(rows.reduce((sum, row) => sum + row.share, 0) - 1) < 1e-9);
  strictEqual(rows[0]?.tokens, 512);
  await hub.stop();
});

Deno.test("Netmap passes over the dead, counts for how long, and keeps owners", async () => {
  const hub = new SwimHub(5);
  const netmap = netmapOf(hub);
  netmap.setRoster(rosterOf(hub.ids));
  hub.run(2_000);
  const victim = hub.ids[3] as NodeId;
  const before = netmap.placement().ownersOf(asSlot(7), 3);
  hub.down.add(victim);
  hub.run(10_000);
  strictEqual(netmap.isUsable(victim), false);
  strictEqual(netmap.stateOf(victim), "dead");
  const dead = netmap.deadFor(victim) ?? 0;
  ok(dead > 1_000 && dead < 6_000, `dead for ${dead}`);
  deepStrictEqual(netmap.alive(), hub.ids.filter((id) => id !== victim));
  deepStrictEqual(netmap.placement().ownersOf(asSlot(7), 3), before);
  const row = netmap.snapshot().find(({ id }) => id === victim);
  strictEqual(row?.state, "dead");
  ok(row.lastSeenAt > 1_700_000_000_000 && row.lastSeenAt < 1_700_000_003_000);
  hub.down.delete(victim);
  hub.run(6_000);
  strictEqual(netmap.isUsable(victim), true);
  strictEqual(netmap.deadFor(victim), undefined);
  netmap.setRoster(rosterOf(hub.ids.filter((id) => id !== victim)));
  strictEqual(netmap.stateOf(victim), undefined);
  strictEqual(netmap.isUsable(victim), false);
  await hub.stop();
});
