// With --public a root is announced in the DHT: a peer of another group, which no netmap knows,
// finds who has it and reads its block; without --public it finds nothing.

import assert from "node:assert/strict";
import { asCid } from "../../shared/base/ids.ts";
import { createMemoryStore } from "../../shared/block/memory_store.ts";
import { createBlockDriver } from "../../server/net/block_driver.ts";
import { withHosts } from "../unit/server/net/test_hosts.ts";
import { bytesOf } from "./content.ts";
import { NodePool } from "./node_pool.ts";
import { waitFor } from "../../web/wait.ts";

Deno.test("a stranger finds a public root by CID and reads its block", () =>
  NodePool.with({ nodes: 3, flags: ["--public", "--secret=s3cret"] }, async (pool) => {
    const bytes = bytesOf(7, 100_000);
    const stored = await fetch(`${pool.node(0).url}/api/files/public.bin`, {
      method: "PUT",
      body: bytes,
    });
    assert.equal(stored.status, 201);
    const { cid } = await stored.json();
    const members = await pool.node(0).json("/api/nodes");
    await withHosts(async (make) => {
      const { host } = await make({ group: "elsewhere", public: true });
      const exchange = createBlockDriver({
        streams: host.streams,
        group: pool.group,
        public: false,
        store: createMemoryStore({ capacityBytes: 1_000_000, now: Date.now }),
      });
      await host.start();
      const [first] = members.items;
      await host.dial(first.addresses[0]);
      const signal = AbortSignal.timeout(30_000);
      const found: string[] = [];
      while (found.length === 0 && !signal.aborted) {
        const options = { signal, limit: 1 };
        for await (const one of host.providers.findProviders(asCid(cid), options)) {
          found.push(one.id);
        }
        // An empty answer comes at once: the root may not be announced yet.
        await waitFor(200);
      }
      const ids = members.items.map(({ id }: { id: string }) => id);
      assert.ok(ids.includes(found[0]), "a member provides the root");
      assert.ok(!ids.includes(host.self), "the asker is in no netmap");
      const got = await exchange.want(first.id, asCid(cid), { timeoutMs: 5_000 });
      exchange.stop();
      assert.ok(got.ok, `the block is given: ${JSON.stringify(got)}`);
      assert.deepEqual(got.bytes, bytes);
    });
  }));
