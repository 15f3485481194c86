import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { ChannelLimits } from "../../../../server/net/network.ts";
import { addressOf, listenHttp, until, withHosts } from "./test_hosts.ts";

const limits: ChannelLimits = {
  messageBytesMax: 64 * 1024,
  concurrencyMax: 4,
  queueMax: 64,
  roles: ["member"],
};
const text = (value: string) => new TextEncoder().encode(value);

Deno.test("request() is answered by the peer's handler, over TCP and both ways", () =>
  withHosts(async (make) => {
    const [a, b] = [await make(), await make()];
    const [ca, cb] = [a.host.channel("echo", limits), b.host.channel("echo", limits)];
    ca.handle((from, message) => text(`${from} said ${new TextDecoder().decode(message)} to a`));
    cb.handle((from, message) => text(`${from} said ${new TextDecoder().decode(message)} to b`));
    await a.host.start();
    await b.host.start();
    const id = await a.host.dial(addressOf(b.host));
    assert.equal(id, b.host.self);
    const reply = await ca.request(id, text("hi"), { timeoutMs: 2_000 });
    assert.equal(new TextDecoder().decode(reply), `${a.host.self} said hi to b`);
    const back = await cb.request(a.host.self, text("ho"), { timeoutMs: 2_000 });
    assert.equal(new TextDecoder().decode(back), `${b.host.self} said ho to a`);
    assert.deepEqual(a.host.connected(), [b.host.self]);
    const [peer] = a.host.peers();
    assert.ok(peer !== undefined && peer.bytesOut > 0 && peer.bytesIn > 0);
  }));

Deno.test("dial() takes a node's http URL and talks over its HTTP port", () =>
  withHosts(async (make) => {
    const { server, port } = await listenHttp();
    try {
      const [a, b] = [
        await make(),
        await make({ listen: [], upgrade: { server, allows: () => true } }),
      ];
      const [ca, cb] = [a.host.channel("echo", limits), b.host.channel("echo", limits)];
      cb.handle((_, message) => message);
      await a.host.start();
      const addresses = await b.host.start();
      assert.ok(addresses.some((each) => each.includes(`/tcp/${port}/ws`)), addresses.join());
      const id = await a.host.dial(`http://127.0.0.1:${port}`);
      const reply = await ca.request(id, text("over ws"), { timeoutMs: 2_000 });
      assert.equal(new TextDecoder().decode(reply), "over ws");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }));

Deno.test("a WebSocket from an origin that is not allowed is refused", () =>
  withHosts(async (make) => {
    const { server, port } = await listenHttp();
    try {
      const seen: (string | undefined)[] = [];
      const { host } = await make({
        listen: [],
        upgrade: {
          server,
          allows: ({ origin }) => {
            seen.push(origin);
            return origin === undefined;
          },
        },
      });
      await host.start();
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
        headers: { origin: "http://evil.example" },
      } as unknown as string[]);
      await new Promise((resolve) => socket.onerror = resolve);
      assert.deepEqual(seen, ["http://evil.example"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }));

Deno.test("request() ends as timeout, unavailable, too_large or unreachable, each when due", () =>
  withHosts(async (make) => {
    const failures: [string, unknown][] = [];
    const [a, b] = [
      await make(),
      await make({ onChannelFailure: (channel, error) => void failures.push([channel, error]) }),
    ];
    const [ca, cb] = [a.host.channel("x", limits), b.host.channel("x", limits)];
    const broken = new Error("handler fails");
    cb.handle((_, message) => {
      if (message.length === 0) throw broken;
      return undefined;
    });
    await a.host.start();
    await b.host.start();
    const id = await a.host.dial(addressOf(b.host));
    const codeOf = async (promise: Promise<unknown>) => {
      const thrown = await promise.then(() => undefined, (error) => error);
      assert.ok(thrown instanceof SkyringError);
      return thrown.code;
    };
    const ask = (bytes: number, timeoutMs: number) =>
      codeOf(ca.request(id, new Uint8Array(bytes), { timeoutMs }));
    assert.equal(await ask(1, 100), "timeout");
    assert.equal(await ask(0, 1_000), "unavailable");
    assert.deepEqual(failures, [["x", broken]]);
    assert.equal(await ask(limits.messageBytesMax + 1, 1_000), "too_large");
    await b.host.stop();
    await until(() => a.events.some((event) => event.kind === "gone"), { what: "gone" });
    assert.equal(await ask(1, 1_000), "unreachable");
  }));

Deno.test("request() is busy when too many wait, and handles at most concurrencyMax at once", () =>
  withHosts(async (make) => {
    const [a, b] = [await make(), await make()];
    const [ca, cb] = [a.host.channel("x", limits), b.host.channel("x", limits)];
    let running = 0;
    let most = 0;
    const release = Promise.withResolvers<void>();
    cb.handle(async (_, message) => {
      most = Math.max(most, ++running);
      await release.promise;
      running -= 1;
      return message;
    });
    await a.host.start();
    await b.host.start();
    const id = await a.host.dial(addressOf(b.host));
    const asked = Array.from(
      { length: 200 },
      () => ca.request(id, text("x"), { timeoutMs: 5_000 }).then(() => "ok", (error) => error.code),
    );
    await until(() => most === limits.concurrencyMax, { what: "four handled at once" });
    release.resolve();
    const outcomes = await Promise.all(asked);
    assert.equal(most, limits.concurrencyMax);
    assert.equal(outcomes.filter((each) => each === "ok").length, limits.queueMax);
    assert.equal(outcomes.filter((each) => each === "busy").length, 200 - limits.queueMax);
  }));

Deno.test("keep() connects again when the peer has started anew, at another address", () =>
  withHosts(async (make) => {
    const privateKey = await generateKeyPair("Ed25519");
    const [a, b] = [await make(), await make({ privateKey })];
    await a.host.start();
    await b.host.start();
    a.host.keep(b.host.self, b.host.addresses());
    b.host.keep(a.host.self, a.host.addresses());
    await until(() => a.host.connected().includes(b.host.self), { what: "a sees b" });
    await until(() => b.host.connected().includes(a.host.self), { what: "b sees a" });
    await b.host.stop();
    await until(() => a.host.connected().length === 0, { what: "a lost b" });
    const again = await make({ privateKey });
    await again.host.start();
    a.host.keep(again.host.self, again.host.addresses());
    await until(() => a.host.connected().includes(b.host.self), { what: "a sees b again" });
    assert.ok(again.events.every((event) => event.kind === "admitted"));
  }));

Deno.test("keep() makes a full mesh of nodes that start together, however their dials cross", () =>
  withHosts(async (make) => {
    const nodes = await Promise.all(Array.from({ length: 8 }, () => make()));
    await Promise.all(nodes.map(({ host }) => host.start()));
    for (const { host } of nodes) {
      for (const other of nodes) host.keep(other.host.self, other.host.addresses());
    }
    const isWhole = () => nodes.every(({ host }) => host.connected().length === nodes.length - 1);
    await until(isWhole, { what: "a full mesh", withinMs: 15_000 });
    assert.ok(nodes.every(({ events }) => events.every((event) => event.kind === "admitted")));
  }));
