// The small resources of the API: health, metrics, nodes, ring, workers, events, description.

import assert from "node:assert/strict";
import { createApp } from "../../server/http/app.ts";
import { operations } from "../../server/http/operations.ts";
import { registered } from "../../server/http/openapi.ts";
import { createEventHub } from "../../server/http/event_hub.ts";
import { eventStream } from "../../server/http/events.ts";
import { createFixture, now } from "./app_fixture.ts";

Deno.test("/health is 200 while /ready is 503 until the node is ready", async () => {
  let reason: string | null = "joining";
  const { ask } = createFixture({}, {
    ready: () => reason === null ? { ready: true } : { ready: false, reason },
  });
  assert.deepEqual(await (await ask("/health")).json(), { ok: true });
  const waiting = await ask("/ready");
  assert.equal(waiting.status, 503);
  assert.ok(waiting.headers.has("retry-after"));
  assert.equal((await waiting.json()).detail, "joining");
  reason = null;
  assert.equal((await ask("/ready")).status, 200);
});

Deno.test("/metrics is Prometheus text and names no CID, peer or file", async () => {
  const { ask } = createFixture();
  const put = await ask("/api/files/secret-name", { method: "PUT", body: "x" });
  const { cid } = await put.json();
  const answer = await ask("/metrics");
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  const line = /^(#( HELP| TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? \S+)$/;
  for (const each of text.trimEnd().split("\n")) assert.match(each, line);
  assert.match(text, /^skyring_nodes\{state="dead"\} 1$/m);
  assert.match(text, /^skyring_http_requests_total\{method="PUT",status="201"\} 1$/m);
  for (const secret of [cid, "12D3KooW", "secret-name"]) assert.ok(!text.includes(secret));
});

Deno.test("/api/nodes lists the netmap in pages and finds one by id or name", async () => {
  const { ask } = createFixture();
  const first = await (await ask("/api/nodes?limit=1")).json();
  assert.deepEqual(first.items.map((each: { id: string }) => each.id), ["12D3KooWA"]);
  const rest = await (await ask(`/api/nodes?cursor=${first.next}`)).json();
  assert.deepEqual(rest.items.map((each: { id: string }) => each.id), ["12D3KooWB"]);
  assert.equal(rest.next, null);
  assert.equal((await (await ask("/api/nodes/node-2")).json()).id, "12D3KooWB");
  assert.equal((await (await ask("/api/nodes/12D3KooWB")).json()).name, "node-2");
  assert.equal((await ask("/api/nodes/__proto__")).status, 404);
});

Deno.test("/api/ring.dot quotes names and draws successors", async () => {
  const { ask } = createFixture();
  const dot = await (await ask("/api/ring.dot")).text();
  assert.match(dot, /label="a\\"b\\n512 tokens"/);
  assert.match(dot, /"12D3KooWA" -> "12D3KooWB";/);
});

Deno.test("workers are listed, paused and resumed; unknown ones are 404", async () => {
  const { ask } = createFixture();
  const act = async (path: string) => await ask(`/api/workers/${path}`, { method: "POST" });
  assert.equal((await (await act("scrub/pause")).json()).state, "paused");
  assert.equal((await (await act("scrub/resume")).json()).state, "idle");
  assert.equal((await act("none/pause")).status, 404);
  assert.equal((await act("scrub/explode")).status, 404);
  assert.equal((await ask("/api/workers/scrub/pause")).status, 404);
});

Deno.test("/api/blocks gives a block by CID, and 304 for a known one", async () => {
  const { ask } = createFixture();
  const { cid } = await (await ask("/api/files/b", { method: "PUT", body: "hello" })).json();
  const got = await ask(`/api/blocks/${cid}`);
  assert.equal(got.headers.get("content-type"), "application/vnd.ipld.raw");
  assert.equal(await got.text(), "hello");
  const known = await ask(`/api/blocks/${cid}`, { headers: { "if-none-match": `"${cid}"` } });
  assert.equal(known.status, 304);
  assert.equal((await ask("/api/blocks/nonsense")).status, 400);
  assert.equal((await ask("/api/blocks")).status, 422);
});

Deno.test("the page escapes names and forbids scripts", async () => {
  const { ask } = createFixture();
  const name = encodeURIComponent('<img src=x onerror="alert(1)">');
  await ask(`/api/files/${name}`, { method: "PUT", body: "x" });
  const answer = await ask("/ui/files");
  assert.match(answer.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.match(answer.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
  const html = await answer.text();
  assert.ok(!html.includes("<img"));
  assert.ok(html.includes("&lt;img"));
});

Deno.test("the description has every route, and no route that is not there", async () => {
  const { ask, app } = createFixture();
  const present = registered(app);
  const listed = new Set(operations.map((each) => `${each.method} ${each.route}`));
  assert.deepEqual([...present].sort(), [...listed].sort());
  const document = await (await ask("/api/openapi.json")).json();
  assert.equal(document.openapi, "3.1.0");
  for (const { method, path } of operations) {
    assert.ok(document.paths[path]?.[method.toLowerCase()], `${method} ${path}`);
  }
});

Deno.test("routes of absent services are absent, in the app and in the description", async () => {
  const { services } = createFixture();
  const { ring: _ring, peers: _peers, workers: _workers, ...rest } = services;
  const app = createApp(rest);
  for (
    const path of ["/api/ring", "/api/ring.dot", "/api/ring.svg", "/api/peers", "/api/workers"]
  ) {
    assert.equal((await app.request(`http://127.0.0.1:7000${path}`)).status, 404, path);
  }
  const answer = await app.request("http://127.0.0.1:7000/api/openapi.json");
  const { paths } = await answer.json();
  assert.equal(paths["/api/ring"], undefined);
  assert.ok(paths["/api/nodes"]);
});

Deno.test("/api/peers tells what carries a connection and how fast it is, between two looks", async () => {
  let time = 1_000;
  let bytesIn = 0;
  const { services } = createFixture();
  const [peer] = services.peers?.() ?? [];
  assert.ok(peer);
  const app = createApp({ ...services, now: () => time, peers: () => [{ ...peer, bytesIn }] });
  const look = async () => {
    const answer = await app.request("http://127.0.0.1:7000/api/peers");
    const { items: [row] } = await answer.json();
    return row;
  };
  const first = await look();
  assert.equal(first.protocol, /\/ws/.test(peer.address) ? "websocket" : "tcp");
  assert.equal(first.rates.bytesIn, 0);
  [time, bytesIn] = [3_000, 8_000];
  assert.equal((await look()).rates.bytesIn, 4_000);
});

async function readText(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  pattern: RegExp,
): Promise<string> {
  let text = "";
  while (!pattern.test(text)) {
    const { done, value } = await reader.read();
    assert.ok(!done, `ended before ${pattern}: ${text}`);
    text += new TextDecoder().decode(value);
  }
  return text;
}

Deno.test("/api/events follows, replays after an id, resyncs on unknown ids", async () => {
  const { ask, services } = createFixture();
  const hub = services.events;
  const live = (await ask("/api/events")).body?.getReader();
  assert.ok(live);
  await readText(live, /retry/);
  hub.publish("file", { name: "a\nb" });
  const got = await readText(live, /\n\n$/);
  assert.equal(got, `id: b1-1\nevent: file\ndata: {"name":"a\\nb","at":${now}}\n\n`);
  hub.publish("phase", {});
  hub.publish("block", {});
  const connect = async (id: string) => {
    const reader = (await ask("/api/events", { headers: { "last-event-id": id } })).body
      ?.getReader();
    assert.ok(reader);
    return reader;
  };
  const replayed = await connect("b1-1");
  assert.deepEqual(
    (await readText(replayed, /b1-3[^]*\n\n$/)).match(/(?<=event: )\w+/g),
    ["phase", "block"],
  );
  for (const id of ["b0-1", "nonsense", "b1-99"]) {
    const lost = await connect(id);
    assert.match(await readText(lost, /event/), /id: b1-3\nevent: resync/);
    await lost.cancel();
  }
  await replayed.cancel();
  await live.cancel();
});

Deno.test("createEventHub() keeps a bounded past and bounds a listener that never reads", () => {
  const hub = createEventHub({ boot: "b", now: () => 1 });
  const slow = hub.subscribe(undefined, () => undefined);
  for (let count = 0; count < 5_000; count++) hub.publish("block", { count });
  const taken = slow.take();
  assert.ok(taken.length <= 1_000);
  assert.equal(taken[0]?.kind, "resync");
  assert.equal(hub.subscribe("b-4000", () => undefined).take().length, 1_000);
  assert.equal(hub.subscribe("b-3999", () => undefined).take()[0]?.kind, "resync");
  assert.equal(hub.subscribe("b-5000", () => undefined).take().length, 0);
});

Deno.test("eventStream() beats when nothing happens and ends when the hub stops", async () => {
  const hub = createEventHub({ boot: "b", now: () => 1 });
  const reader = eventStream(hub, undefined, 20).getReader();
  await readText(reader, /heartbeat/);
  const ended = reader.read();
  hub.stop();
  const { value } = await ended;
  const last = value === undefined ? { done: true } : await reader.read();
  assert.equal(last.done, true);
});
