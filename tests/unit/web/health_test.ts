// The sentence on the health of the pool: the worst is said first, and only what is known.

import assert from "node:assert/strict";
import type { Phase } from "../../../shared/phase.ts";
import { healthOf } from "../../../web/pages/health.ts";
import type { PoolView } from "../../../web/pages/pool_view.ts";
import {
  cliCommand,
  percent,
  sinceText,
  sizeOf,
  whole,
  withTimes,
} from "../../../web/pages/words.ts";
import { node, now, status } from "../../http/app_fixture.ts";

const quiet = { held: 10, wanted: 0, surplus: 0 };

function view(rest: Partial<PoolView> = {}): PoolView {
  const nodes = ["a", "b", "c"].map((name) => ({ ...node, id: name, name, blocks: quiet }));
  return {
    now,
    status: { ...status, blocks: quiet },
    nodes,
    ring: { epoch: 4, slotCount: 16_384, arcs: [], tally: new Map([[3, 16_384]]), replicas: 3 },
    traffic: { taken: [], given: [], copiesPerSecond: 0, peers: new Map() },
    events: [],
    files: null,
    takesOrders: false,
    heals: false,
    settled: true,
    cluster: null,
    ...rest,
  };
}

const inPhase = (phase: Phase) => ({
  status: { ...status, phase: { phase, since: now - 5_000, because: "of something" } },
});

Deno.test("healthOf() says that all is well when it is", () => {
  const health = healthOf(view());
  assert.equal(health.word, "All well");
  assert.equal(health.tone, "held");
  assert.equal(health.sentence, "All 3 nodes answer and hold all they should.");
});

Deno.test("healthOf() warns a node that is alone", () => {
  const health = healthOf(view({ nodes: [{ ...node, blocks: quiet }] }));
  assert.match(health.sentence, /works alone/);
  assert.match(health.because, /second and a third/);
});

Deno.test("healthOf() names who is waited for", () => {
  const [a, b, c] = view().nodes;
  assert.ok(a && b && c);
  const nodes = [a, b, { ...c, state: "dead" as const, lastSeenAt: now - 18_000 }];
  const health = healthOf(view({ nodes }));
  assert.equal(health.word, "Waiting for c");
  assert.match(health.sentence, /^2 of 3 nodes answer\./);
  assert.match(health.because, /c has not answered for 18 s\./);
});

Deno.test("healthOf() says paused where the cluster says so, before anybody misses it", () => {
  const [a, b, c] = view().nodes;
  assert.ok(a && b && c);
  const http = "http://127.0.0.1:7004";
  const processes = [{ name: "c", state: "paused" as const, port: 7_004 }];
  for (const state of ["alive", "suspect", "dead"] as const) {
    const nodes = [a, b, { ...c, http, state, lastSeenAt: now - 8_000 }];
    const health = healthOf(view({ nodes, cluster: { processes, refusal: null } }));
    assert.equal(health.word, "Paused: c", state);
    assert.equal(health.sign, "paused");
    assert.match(health.because, /^c is paused\. It goes on when it is resumed\./);
  }
});

Deno.test("healthOf() believes nobody dead while this node has only just started", () => {
  const nodes = view().nodes.map((each, index) =>
    index === 0 ? each : { ...each, state: "dead" as const, lastSeenAt: 0 }
  );
  const ring = { epoch: 4, slotCount: 16_384, arcs: [], tally: new Map([[0, 99]]), replicas: 3 };
  const health = healthOf(view({ nodes, ring, settled: false, ...inPhase("picking blocks") }));
  assert.equal(health.word, "Starting");
  assert.match(health.because, /how many copies there are, is known in some seconds/);
});

Deno.test("healthOf() puts slots without an owner before all other news of nodes", () => {
  const ring = { ...view().ring, tally: new Map([[0, 7], [3, 16_377]]) };
  const health = healthOf(view({ ring } as Partial<PoolView>));
  assert.equal(health.tone, "risk");
  assert.match(health.sentence, /None of the owners of 7 of 16,384 slots answers\./);
});

Deno.test("healthOf() counts copies to be made, with time left once a rate is known", () => {
  const nodes = view().nodes.map((each) => ({ ...each, blocks: { ...quiet, wanted: 100 } }));
  assert.match(healthOf(view({ nodes })).sentence, /^300 copies are still to be made\.$/);
  assert.ok(!/a second/.test(healthOf(view({ nodes })).because));
  const traffic = { ...view().traffic, copiesPerSecond: 10 };
  assert.match(healthOf(view({ nodes, traffic })).because, /At 10 a second it takes about 30 s\./);
});

Deno.test("healthOf() tells of this node's own state first", () => {
  assert.equal(healthOf(view(inPhase("read-only"))).word, "Read-only");
  assert.equal(healthOf(view(inPhase("joining"))).word, "Starting");
  assert.equal(healthOf(view(inPhase("looking for peers"))).word, "Starting");
  assert.equal(healthOf(view(inPhase("leaving"))).word, "Leaving");
});

Deno.test("words are coarse, have their units and never round to none or all", () => {
  assert.equal(sinceText(100), "1 s");
  assert.equal(sinceText(61_000), "1 min");
  assert.equal(sinceText(86_400_000), "1 day");
  assert.equal(sinceText(3 * 86_400_000 + 5_000), "3 days");
  assert.equal(percent(.0001), "under 1 %");
  assert.equal(percent(.9999), "99 %");
  assert.equal(percent(1), "100 %");
  assert.equal(sizeOf(3.2e9, 30e9), "3.20 of 30.0 GB");
  assert.equal(sizeOf(312e6, 30e9), "312 MB of 30.0 GB");
  assert.equal(whole(1234567), "1,234,567");
});

Deno.test("withTimes() writes times as people read them, and leaves all else", () => {
  assert.equal(
    withTimes("all verified since 2026-11-21T09:52:30.290Z; 0 blocks read back"),
    "all verified since 21 Nov 2026, 09:52:30 UTC; 0 blocks read back",
  );
  assert.equal(
    withTimes("9999-99-99T99:99:99Z and 2026-11-21"),
    "9999-99-99T99:99:99Z and 2026-11-21",
  );
});

Deno.test("cliCommand() quotes what a shell would read", () => {
  assert.equal(cliCommand("rm", ["a/b.txt"]), "deno task cli rm a/b.txt");
  assert.equal(
    cliCommand("rm", ["it's; rm -rf $HOME"]),
    `deno task cli rm 'it'\\''s; rm -rf $HOME'`,
  );
  assert.equal(cliCommand("rm", ["-r"]), "deno task cli rm '-r'");
});
