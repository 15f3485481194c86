// The pool over its engines: what a list says of its freshness.

import assert from "node:assert/strict";
import { createPool, type PoolPorts } from "../../../../server/engine/pool_service.ts";
import { entry, openNode, Wire } from "./catalog_nodes.ts";
import { createTestPool, inVirtualTime } from "./test_pool.ts";

Deno.test("list() is stale when the catalog could not be made fresh, and asks only when told to", () =>
  inVirtualTime(async (clock) => {
    const node = await openNode("a", { wire: new Wire(), peers: [], start: false });
    try {
      const answers = [true, false];
      const ports: Partial<PoolPorts> = {
        ...createTestPool({ nodes: 1, clock }).ports(0),
        catalog: node.catalog,
        assertReadable: () => undefined,
        freshCatalog: async () => {
          // What comes by then is in the list that waited for it.
          await node.catalog.merge([entry("gone before", 1, true)]);
          return answers.shift() ?? assert.fail("asked once more");
        },
      };
      const pool = createPool(ports as PoolPorts);
      const list = async (fresh: boolean) => {
        const query = { prefix: "", after: undefined, limit: 10, fresh };
        return (await pool.list(query)).stale;
      };
      assert.equal(await list(true), false);
      assert.equal(await list(true), true);
      assert.equal(await list(false), false);
      assert.deepEqual(answers, []);
    } finally {
      await node.stop();
    }
  }));
