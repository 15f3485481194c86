// Nodes that nobody introduced: two that were started apart find each other by mDNS on loopback,
// and become one group.

import assert from "node:assert/strict";
import { get, store } from "./content.ts";
import { NodeChild } from "./node_child.ts";
import { freePort } from "./node_pool.ts";
import { until } from "./until.ts";

Deno.test("two nodes started apart find each other by mDNS and become one pool", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skyring-mdns-" });
  const group = `mdns-${crypto.randomUUID().slice(0, 8)}`;
  const nodes = ["left", "right"].map((name) =>
    new NodeChild({
      ...{ name, folder, port: freePort(), p2pPort: freePort() },
      flags: [`--group=${group}`, "--capacity=1GiB"],
    })
  );
  try {
    const [left, right] = nodes;
    assert.ok(left && right);
    await left.start();
    await until("the left node to be writable", async () => (await left.request("/ready")).ok);
    await store(left, "from/left", "L");
    await right.start();
    await until("one roster of two", async () => {
      const statuses = await Promise.all(nodes.map((node) => node.json("/api/status")));
      return statuses.every(({ roster }) => roster.members === 2) &&
        statuses[0].roster.lineage === statuses[1].roster.lineage;
    }, { withinMs: 90_000, detail: () => left.output() + right.output() });
    await until("the left node's file at the right one", async () => {
      const { status, text } = await get(right, "from/left");
      return status === 200 && text === "L";
    }, { withinMs: 60_000 });
  } finally {
    await Promise.all(nodes.map((node) => node.end()));
    await Deno.remove(folder, { recursive: true });
  }
});
