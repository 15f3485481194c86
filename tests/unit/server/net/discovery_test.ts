import assert from "node:assert/strict";
import { asCid, type NodeId } from "../../../../shared/base/ids.ts";
import { addressOf, until, withHosts } from "./test_hosts.ts";

const root = asCid("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy");

Deno.test("publish() reaches the members that subscribed", () =>
  withHosts(async (make) => {
    const [a, b] = [await make({ secrets: ["s"] }), await make({ secrets: ["s"] })];
    const heard: { text: string; from: NodeId }[] = [];
    b.host.gossip.subscribe(
      "digests",
      (message, from) => heard.push({ text: new TextDecoder().decode(message), from }),
    );
    a.host.gossip.subscribe("digests", () => {});
    await a.host.start();
    await b.host.start();
    await a.host.dial(addressOf(b.host));
    // The first messages are lost until the mesh has formed: say it until it is heard.
    const endMs = performance.now() + 8_000;
    while (heard.length === 0 && performance.now() < endMs) {
      await a.host.gossip.publish("digests", new TextEncoder().encode(`n${endMs}`));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(heard[0], { text: `n${endMs}`, from: a.host.self });
  }));

Deno.test("a peer outside the netmap finds the provider of a root, and not without public", () =>
  withHosts(async (make) => {
    const node = { secrets: ["s"], public: true };
    const [a, b, outsider] = [
      await make(node),
      await make(node),
      await make({ group: "elsewhere", public: true }),
    ];
    for (const { host } of [a, b, outsider]) await host.start();
    await a.host.dial(addressOf(b.host));
    await outsider.host.dial(addressOf(b.host));
    const signal = AbortSignal.timeout(8_000);
    const found: NodeId[] = [];
    while (found.length === 0 && !signal.aborted) {
      await a.host.providers.provide(root, signal);
      for await (const each of outsider.host.providers.findProviders(root, { signal, limit: 1 })) {
        found.push(each.id);
        assert.ok(each.addresses.some((address) => address.includes("/tcp/")));
      }
    }
    assert.deepEqual(found, [a.host.self]);
    const closed = await make({ secrets: ["s"] });
    await assert.rejects(closed.host.providers.provide(root, signal), { code: "forbidden" });
  }));

for (const [what, secrets] of [["by mDNS", ["s"]], ["on loopback without a secret", []]] as const) {
  Deno.test(`nodes of one group find each other ${what}, and no others`, () =>
    withHosts(async (make) => {
      const group = `g${crypto.randomUUID()}`;
      const [a, b, other] = [
        await make({ group, mdns: true, secrets }),
        await make({ group, mdns: true, secrets }),
        await make({ mdns: true, secrets }),
      ];
      const found = new Map<NodeId, readonly string[]>();
      a.host.onDiscovered(({ id, addresses }) => found.set(id, addresses));
      for (const { host } of [a, b, other]) await host.start();
      await until(() => found.has(b.host.self), { what: "a found b", withinMs: 12_000 });
      assert.deepEqual([...found.keys()], [b.host.self]);
      assert.deepEqual(found.get(b.host.self), b.host.addresses());
    }));
}
