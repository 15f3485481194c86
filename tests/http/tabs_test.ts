// The routes of tabs: who gets a ticket, for what, and what is listed.

import assert from "node:assert/strict";
import { asNodeId } from "../../shared/base/ids.ts";
import { decodeTicket } from "../../shared/wire/ticket_text.ts";
import { sketchTabs, tabMark } from "../../shared/ring/tab_count.ts";
import { createFixture, keptOutPeer, node, now } from "./app_fixture.ts";

const peer = "12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi";

function post(body: unknown, headers: Record<string, string> = {}): RequestInit & {
  headers: Record<string, string>;
} {
  return {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  };
}

Deno.test("POST /api/tab/ticket gives a ticket and where living nodes take WebSockets", async () => {
  const others = [
    { ...node, id: "12D3KooWB", name: "b", addresses: ["/ip4/10.0.0.2/tcp/80/ws/p2p/12D3KooWB"] },
    { ...node, id: "12D3KooWC", name: "c", addresses: ["/ip4/10.0.0.3/tcp/81/p2p/12D3KooWC"] },
    { ...node, id: "12D3KooWD", name: "d", state: "dead" as const, addresses: ["/dns/d/tcp/1/ws"] },
  ];
  const { ask } = createFixture({}, { nodes: () => [...others, node] });
  const response = await ask("/api/tab/ticket", post({ peer }));
  assert.equal(response.status, 200);
  const answer = await response.json();
  assert.equal(decodeTicket(answer.ticket)?.expiresAt, now + 1_000);
  assert.equal(answer.expiresAt, now + 1_000);
  assert.equal(answer.group, "skyring");
  assert.deepEqual(answer.nodes, [
    { id: "12D3KooWA", name: "node-1", addresses: ["/ip4/127.0.0.1/tcp/2/ws"] },
    { id: "12D3KooWB", name: "b", addresses: ["/ip4/10.0.0.2/tcp/80/ws"] },
  ]);
});

Deno.test("POST /api/tab/ticket refuses what is no peer id, and whom the node keeps out", async () => {
  const { ask } = createFixture();
  const rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
  for (const bad of ["", "x", "12D3KooW", rsa, "a".repeat(200)]) {
    assert.equal((await ask("/api/tab/ticket", post({ peer: bad }))).status, 422, bad);
  }
  assert.equal((await ask("/api/tab/ticket", post({}))).status, 422);
  const kept = await ask("/api/tab/ticket", post({ peer: keptOutPeer }));
  assert.equal(kept.status, 429);
  assert.ok(kept.headers.has("retry-after"));
});

Deno.test("POST /api/tab/ticket needs what a write needs", async () => {
  const foreign = { origin: "http://elsewhere.example", "sec-fetch-site": "cross-site" };
  const { ask } = createFixture();
  assert.equal((await ask("/api/tab/ticket", post({ peer }, foreign))).status, 403);
  const guarded = createFixture({ loopback: false, token: "secret" });
  assert.equal((await guarded.ask("/api/tab/ticket", post({ peer }))).status, 401);
  const bearer = { authorization: "Bearer secret" };
  assert.equal((await guarded.ask("/api/tab/ticket", post({ peer }, bearer))).status, 200);
});

Deno.test("GET /api/tab/rare passes limit and seed on, within their bounds", async () => {
  const { ask } = createFixture();
  const { items } = await (await ask("/api/tab/rare?limit=2&seed=7")).json();
  assert.deepEqual(items.map(({ copies }: { copies: number }) => copies), [1, 2]);
  assert.equal(items[1].size, 7);
  assert.equal((await (await ask("/api/tab/rare?limit=1")).json()).items.length, 1);
  for (const query of ["limit=0", "limit=1025", "seed=-1", "seed=x"]) {
    assert.equal((await ask(`/api/tab/rare?${query}`)).status, 422, query);
  }
});

Deno.test("GET /api/tabs lists tabs alone, with what they gave and took", async () => {
  const connection = {
    ...{ address: "/ip4/127.0.0.1/tcp/9/ws", direction: "inbound" as const },
    ...{ since: now, bytesIn: 3, bytesOut: 4 },
  };
  const { ask } = createFixture({}, {
    peers: () => [
      { ...connection, id: asNodeId("12D3KooWB"), role: "member" },
      { ...connection, id: asNodeId(peer), role: "tab" },
    ],
  });
  const { items, next } = await (await ask("/api/tabs")).json();
  assert.equal(next, null);
  const { address, since } = connection;
  assert.deepEqual(items, [{ id: peer, address, since, given: 3, taken: 4 }]);
});

Deno.test("/metrics and the peers page tell of tabs, each by its own number", async () => {
  const connection = {
    ...{ address: "/ip4/127.0.0.1/tcp/9/ws", direction: "inbound" as const },
    ...{ since: now, bytesIn: 3, bytesOut: 4 },
  };
  const tab = { ...connection, id: asNodeId(peer), role: "tab" as const };
  const { ask } = createFixture({}, {
    peers: () => [
      { ...connection, id: asNodeId("12D3KooWB"), role: "member" },
      tab,
      { ...tab, address: "/ip4/127.0.0.1/tcp/10/ws" },
    ],
  });
  const metrics = await (await ask("/metrics")).text();
  assert.match(metrics, /^skyring_connections\{role="tab"\} 2$/m);
  assert.match(metrics, /^skyring_tabs 1$/m);
  assert.match(metrics, /^skyring_tabs_max 4$/m);
  const page = await (await ask("/ui/part/peers")).text();
  assert.match(page, /2 with tabs, which seed extra copies/);
  assert.match(page, /glyph is-tab/);
});

Deno.test("the overview says how many tabs seed, those of several nodes once", async () => {
  const sketch = sketchTabs([tabMark("a"), tabMark("b")]);
  const more = sketchTabs([tabMark("b"), tabMark("c")]);
  const { ask } = createFixture({}, {
    nodes: () => [
      { ...node, tabs: sketch },
      { ...node, id: "12D3KooWB", name: "node-2", tabs: more },
      { ...node, id: "12D3KooWC", name: "node-3", state: "dead", tabs: sketchTabs([7]) },
    ],
  });
  const page = await (await ask("/ui/part/overview")).text();
  assert.match(page, /3 tabs seed: what they hold is extra/);
  assert.equal(page.match(/class="tabs is-tab"/g)?.length, 1);
  const cards = await (await ask("/ui/part/nodes")).text();
  assert.equal(cards.match(/<\/svg> 2 tabs<\/span>/g)?.length, 2, "no card of the dead one");
  const none = await (await createFixture().ask("/ui/part/overview")).text();
  assert.doesNotMatch(none, /tabs is-tab|seed: what/);
});
