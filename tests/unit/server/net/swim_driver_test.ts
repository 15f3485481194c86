// The driver over real bytes: deaths, clean stops, profiles, round trips, garbage, and its end.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NodeId } from "../../../../shared/base/ids.ts";
import { GiB } from "../../../../shared/base/limits.ts";
import type { Profile } from "../../../../shared/ring/profile.ts";
import type { LivenessEvent } from "../../../../server/net/swim_driver.ts";
import { SwimHub } from "./swim_hub.ts";

const profile: Profile = {
  name: "node-1",
  zone: "here",
  bootId: "b1",
  version: "0.1.0",
  http: "http://127.0.0.1:8080",
  line: null,
  addresses: ["/ip4/127.0.0.1/tcp/10090"],
  phase: { phase: "seeding", since: 1, because: "all wanted blocks are held" },
  capacity: 10 * GiB,
  used: 5,
  metadata: 1,
  blocks: { held: 1, wanted: 0, surplus: 0 },
  epoch: 3,
  arriving: 0,
  ready: true,
};

function states(hub: SwimHub, index: number): string[] {
  return hub.driver(index).witnessed().map((member) => member.state);
}

Deno.test("SwimDriver sees a silent node dead, and tells its listeners", async () => {
  const hub = new SwimHub(5);
  const events: LivenessEvent[] = [];
  hub.driver(0).onEvent((event) => events.push(event));
  hub.run(3_000);
  deepStrictEqual(states(hub, 0), ["alive", "alive", "alive", "alive"]);
  hub.down.add(hub.ids[4] as NodeId);
  hub.run(8_000);
  for (const index of [0, 1, 2, 3]) strictEqual(states(hub, index).at(-1), "dead");
  deepStrictEqual(
    events.map((event) => event.kind === "state" ? event.state : event.kind),
    ["suspect", "dead"],
  );
  ok(hub.lines.some((line) => line.includes("member_dead")));
  await hub.stop();
});

Deno.test("SwimDriver shows a clean stop as left, and ends its timer", async () => {
  const hub = new SwimHub(3);
  hub.run(2_000);
  await hub.driver(2).stop({ clean: true });
  strictEqual(hub.timers, 2);
  hub.run(10_000);
  deepStrictEqual(states(hub, 0), ["alive", "left"]);
  await hub.stop();
  strictEqual(hub.timers, 0);
});

Deno.test("SwimDriver spreads the last profile, at most once each interval", async () => {
  const hub = new SwimHub(4);
  for (let used = 1; used <= 50; used++) hub.driver(0).setProfile({ ...profile, used });
  hub.run(3_000);
  for (const index of [1, 2, 3]) {
    const first = hub.driver(index).witnessed()[0];
    deepStrictEqual(first?.facts, { ...profile, used: 50 });
    strictEqual(first?.profile?.version, 2);
  }
  await hub.stop();
});

Deno.test("SwimDriver measures round trips and when a member was last heard", async () => {
  const hub = new SwimHub(3);
  hub.run(5_000);
  for (const { roundTripMs, heardMsAgo } of hub.driver(0).witnessed()) {
    ok(roundTripMs !== undefined && roundTripMs > 0 && roundTripMs <= 30);
    ok(heardMsAgo !== undefined && heardMsAgo < 2_500);
  }
  await hub.stop();
});

Deno.test("SwimDriver drops bytes that are no message, and goes on", async () => {
  const hub = new SwimHub(3);
  const [to, from] = [hub.ids[0] as NodeId, hub.ids[1] as NodeId];
  for (const bytes of [[], [0xff], [0x80], [0x85, 0, 1, 2, 3, 4]]) {
    hub.deliver({ from, to, bytes: new Uint8Array(bytes) });
  }
  strictEqual(hub.lines.filter((line) => line.includes("liveness_message_refused")).length, 4);
  hub.run(8_000);
  deepStrictEqual(states(hub, 0), ["alive", "alive"]);
  await hub.stop();
});

Deno.test("SwimDriver is paused after a gap until it has compared with another", async () => {
  const hub = new SwimHub(3);
  hub.run(3_000);
  const kinds: string[] = [];
  hub.driver(0).onEvent((event) => kinds.push(event.kind));
  hub.now += 3_000;
  hub.run(1_000);
  ok(kinds.includes("paused") && kinds.includes("resumed"));
  strictEqual(hub.driver(0).paused(), false);
  await hub.stop();
});
