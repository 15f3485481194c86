// The page of a tab and its scripts: policies, where a worker may dial, and what they weigh.

import assert from "node:assert/strict";
import { brotliDecompressSync } from "node:zlib";
import { originAddress, socketUrl } from "../../../web/peer/socket_address.ts";
import { createFixture } from "../../http/app_fixture.ts";

const bundleBytesMax = 250_000;
/** The cipher is loaded after the tab has joined; where it is not, all works without it. */
const cipherBytesMax = 115_000;
const workerPath = "/static/tab-worker.js";

async function policyOf(headers: Record<string, string> = {}): Promise<string> {
  const { ask } = createFixture({ token: "0123456789abcdef" });
  const authorization = "Bearer 0123456789abcdef";
  const answer = await ask(workerPath, { headers: { authorization, ...headers } });
  await answer.body?.cancel();
  assert.equal(answer.status, 200);
  return answer.headers.get("content-security-policy") ?? "";
}

const { ask: askFixture } = createFixture();

/** Addresses of the page's script, the peer's and the cipher's, as the browser finds them. */
async function scriptAddresses(): Promise<readonly [page: string, peer: string, cipher: string]> {
  const html = await (await askFixture("/ui/tab")).text();
  const worker = await (await askFixture(workerPath)).text();
  const [, pageScript] = /src="(\/static\/tab\.js\?v=\w+)"/.exec(html) ?? [];
  const [, peer] = /from"(\/static\/tab-peer\.js\?v=\w+)"/.exec(worker) ?? [];
  const [, cipher] = /"cipher":"(\/static\/tab-cipher\.js\?v=\w+)"/.exec(worker) ?? [];
  assert.ok(pageScript !== undefined && peer !== undefined && cipher !== undefined, worker);
  return [pageScript, peer, cipher];
}

async function bytesOf(path: string, encoding: "gzip" | "br"): Promise<number> {
  const answer = await askFixture(path, { headers: { "accept-encoding": encoding } });
  assert.equal(answer.headers.get("content-encoding"), encoding, path);
  return (await answer.arrayBuffer()).byteLength;
}

Deno.test("the tab's scripts are under 250 KB compressed, with what is loaded later by brotli", async () => {
  const [page, peer, cipher] = await scriptAddresses();
  const gzip = await bytesOf(page, "gzip") + await bytesOf(peer, "gzip");
  assert.ok(gzip < bundleBytesMax, `${gzip} bytes`);
  const later = await bytesOf(cipher, "br");
  assert.ok(later < cipherBytesMax, `${later} bytes`);
});

Deno.test("scripts whose address names their content are kept for a year; brotli says the same", async () => {
  for (const path of await scriptAddresses()) {
    const [plain, packed] = await Promise.all([
      askFixture(path),
      askFixture(path, { headers: { "accept-encoding": "gzip, br" } }),
    ]);
    assert.match(packed.headers.get("cache-control") ?? "", /immutable/);
    const unpacked = brotliDecompressSync(new Uint8Array(await packed.arrayBuffer()));
    assert.deepEqual(new Uint8Array(unpacked), new Uint8Array(await plain.arrayBuffer()));
    const old = await askFixture(path.replace(/v=\w+/, "v=old"));
    assert.match(old.headers.get("cache-control") ?? "", /no-cache/);
  }
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
  const reach: unknown = JSON.parse(/"reach":(\[.*?\])/.exec(text)?.[1] ?? "");
  assert.ok(Array.isArray(reach) && reach.length > 0, "the fixture has nodes with sockets");
  assert.deepEqual(reach.filter((url) => !sources.includes(url)), []);
});

Deno.test("behind a proxy the worker reaches its origin alone", async () => {
  const policy = await policyOf({ "x-forwarded-for": "192.0.2.1" });
  assert.match(policy, /connect-src 'self' wss?:\/\/[^ ]+$/);
});

Deno.test("the worker's own lines are kept by nobody: they name the nodes of the moment", async () => {
  const answer = await askFixture(workerPath);
  assert.equal(answer.headers.get("cache-control"), "private, no-store");
  assert.ok((await answer.text()).length < 10_000);
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
