// The page of a tab and its two scripts: policies, where a worker may dial, and what they weigh.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { originAddress, socketUrl } from "../../../web/peer/socket_address.ts";
import { createFixture } from "../../http/app_fixture.ts";

const bundleBytesMax = 250_000;
const workerPath = "/static/tab-worker.js";

async function policyOf(headers: Record<string, string> = {}): Promise<string> {
  const { ask } = createFixture({ token: "0123456789abcdef" });
  const authorization = "Bearer 0123456789abcdef";
  const answer = await ask(workerPath, { headers: { authorization, ...headers } });
  await answer.body?.cancel();
  assert.equal(answer.status, 200);
  return answer.headers.get("content-security-policy") ?? "";
}

Deno.test("the tab's scripts are under 250 KB compressed, all together", async () => {
  const { ask } = createFixture();
  const html = await (await ask("/ui/tab")).text();
  const [, pageScript] = /src="(\/static\/tab\.js\?v=\w+)"/.exec(html) ?? [];
  assert.ok(pageScript !== undefined, "the page loads its script");
  let bytes = 0;
  for (const path of [pageScript, workerPath]) {
    const script = await (await ask(path)).text();
    assert.ok(script.length > 5_000, `${path} is the whole script`);
    bytes += gzipSync(script).length;
  }
  assert.ok(bytes < bundleBytesMax, `${bytes} bytes`);
});

Deno.test("the tab's page keeps the policy of all pages; only its worker may compile wasm", async () => {
  const { ask } = createFixture();
  const policy = (await ask("/ui/tab")).headers.get("content-security-policy") ?? "";
  assert.match(policy, /script-src 'self';/);
  assert.match(policy, /connect-src 'self';/);
  assert.match(await policyOf(), /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
});

Deno.test("the worker may open sockets to living nodes, and is told which", async () => {
  const policy = await policyOf();
  const sources = /connect-src (.*)$/.exec(policy)?.[1]?.split(" ") ?? [];
  assert.deepEqual(sources.slice(0, 2), ["'self'", "ws://127.0.0.1:7000"]);
  const text = await (await createFixture().ask(workerPath)).text();
  const reach: unknown = JSON.parse(/skyringReach=(\[.*?\]);/.exec(text)?.[1] ?? "");
  assert.ok(Array.isArray(reach) && reach.length > 0, "the fixture has nodes with sockets");
  assert.deepEqual(reach.filter((url) => !sources.includes(url)), []);
});

Deno.test("behind a proxy the worker reaches its origin alone", async () => {
  const policy = await policyOf({ "x-forwarded-for": "192.0.2.1" });
  assert.match(policy, /connect-src 'self' wss?:\/\/[^ ]+$/);
});

Deno.test("the worker's script is asked for again, and answers 304 while nothing has changed", async () => {
  const { ask } = createFixture();
  const first = await ask(workerPath);
  await first.body?.cancel();
  assert.equal(first.headers.get("cache-control"), "private, no-cache");
  const etag = first.headers.get("etag") ?? "";
  const again = await ask(workerPath, { headers: { "if-none-match": etag } });
  assert.equal(again.status, 304);
  assert.equal(
    again.headers.get("content-security-policy"),
    first.headers.get("content-security-policy"),
  );
});

Deno.test("socketUrl() reads WebSocket addresses alone, originAddress() makes them", () => {
  const pairs = [
    ["/ip4/127.0.0.1/tcp/80/ws", "ws://127.0.0.1:80/"],
    ["/ip6/fe80::1/tcp/80/ws/p2p/12D3KooW", "ws://[fe80::1]:80/"],
    ["/dns4/a.example/tcp/443/tls/ws", "wss://a.example:443/"],
    ["/dns/a.example/tcp/443/wss", "wss://a.example:443/"],
    ["/ip4/127.0.0.1/tcp/80", undefined],
    ["/ip4/1.2.3.4/tcp/80/ws; script-src *", undefined],
    ["/dns/a b/tcp/80/ws", undefined],
  ] as const;
  for (const [address, url] of pairs) assert.equal(socketUrl(address), url, address);
  for (
    const origin of ["http://127.0.0.1:8080", "https://a.example", "http://[::1]:80", "http://a:1"]
  ) {
    const url = socketUrl(originAddress(new URL(origin)));
    assert.equal(new URL(url ?? "").host || undefined, new URL(origin.replace(/^http/, "ws")).host);
  }
});
