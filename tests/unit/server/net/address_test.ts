import assert from "node:assert/strict";
import { multiaddr } from "@multiformats/multiaddr";
import {
  dialableAddress,
  dialOrder,
  isLoopbackAddress,
  isStrangersAddress,
  parseDialTarget,
  websocketUrl,
} from "../../../../server/net/address.ts";

Deno.test("parseDialTarget() takes multiaddrs and node URLs, and says bad_request of others", () => {
  const targets = [
    ["/ip4/10.0.0.1/tcp/4001", "/ip4/10.0.0.1/tcp/4001"],
    ["http://10.0.0.1:8080", "/ip4/10.0.0.1/tcp/8080/ws"],
    ["http://node.example/", "/dns/node.example/tcp/80/ws"],
    ["https://node.example", "/dns/node.example/tcp/443/tls/ws"],
    ["http://[::1]:99", "/ip6/::1/tcp/99/ws"],
  ] as const;
  for (const [written, address] of targets) {
    assert.equal(parseDialTarget(written).toString(), address);
  }
  for (const wrong of ["", "nonsense", "ftp://a", "/ip4/1.2.3.4/udp/1", "http://", "/"]) {
    assert.throws(() => parseDialTarget(wrong), { code: "bad_request" }, wrong);
  }
});

Deno.test("dialableAddress() refuses all but TCP and WebSockets over a plain host", () => {
  const refused = [
    "/ip4/0.0.0.0/tcp/80",
    "/ip4/224.0.0.1/tcp/80",
    "/ip4/8.8.8.8/tcp/0",
    "/ip4/8.8.8.8/ip4/127.0.0.1/tcp/80",
    "/ip6/::/tcp/80",
    "/ip6/ff02::1/tcp/80",
    "/unix/%2Fvar%2Frun%2Fdocker.sock",
    "/dnsaddr/loop.example.com",
    "/memory/1",
    "/ip4/8.8.8.8/tcp/80/http-path/..%2F..%2Fapi%2Fkill",
  ];
  for (const address of refused) assert.equal(dialableAddress(address), undefined, address);
});

Deno.test("isLoopbackAddress() is this machine only", () => {
  const isLoopback = (text: string) => isLoopbackAddress(multiaddr(text));
  for (const host of ["/ip4/127.0.0.1", "/ip4/127.9.9.9", "/ip6/::1", "/dns4/localhost"]) {
    assert.equal(isLoopback(`${host}/tcp/1`), true, host);
  }
  for (const host of ["/ip4/10.0.0.1", "/ip6/fe80::1", "/dns4/127.0.0.1.nip.io", "/dns/local"]) {
    assert.equal(isLoopback(`${host}/tcp/1`), false, host);
  }
});

Deno.test("dialOrder() puts TCP before WebSockets and loopback before the rest", () => {
  const addresses = ["/ip4/8.8.8.8/tcp/1/ws", "/ip4/127.0.0.1/tcp/1/ws", "/ip4/8.8.8.8/tcp/1"];
  const sorted = addresses.map((text) => multiaddr(text)).toSorted(dialOrder).map(String);
  assert.deepEqual(sorted, addresses.toReversed());
});

Deno.test("websocketUrl() names the scheme, host and port", () => {
  assert.equal(websocketUrl(multiaddr("/ip6/::1/tcp/5/ws")), "ws://[::1]:5/");
  assert.equal(websocketUrl(multiaddr("/dns4/a.b/tcp/443/tls/ws")), "wss://a.b:443/");
  assert.equal(websocketUrl(multiaddr("/ip4/1.2.3.4/tcp/5")), undefined);
});

Deno.test("isStrangersAddress() refuses every hostile address of the public vectors", () => {
  const { refuse }: { refuse: { addr: string }[] } = JSON.parse(
    Deno.readTextFileSync(new URL("../../../golden/hostile_multiaddrs.json", import.meta.url)),
  );
  for (const { addr } of refuse) {
    const address = dialableAddress(addr);
    assert.ok(address === undefined || !isStrangersAddress(address), addr);
  }
  for (const good of ["/ip4/8.8.8.8/tcp/4001", "/ip6/2606:4700:4700::1111/tcp/4001"]) {
    assert.equal(isStrangersAddress(multiaddr(good)), true, good);
  }
});
