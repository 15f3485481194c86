// Copies are counted after their leases are durable: a block that went meanwhile is no copy.

import assert from "node:assert/strict";
import type { Cid } from "../../../../shared/base/ids.ts";
import { holdersOf } from "../../../../server/engine/copy_count.ts";
import { pushBytes } from "../../../../server/engine/push.ts";
import { createTestPool, inVirtualTime, pieces, testBytes } from "./test_pool.ts";

Deno.test("holdersOf() does not count a block that went while its lease was being renewed", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 1, clock });
    const ports = pool.ports(0);
    const { root } = await pushBytes(ports, pieces(testBytes(1_000)), { replicas: 1 });
    const store = {
      ...ports.store,
      // The collector's transaction was queued just before the lease's.
      touch: async (cids: readonly Cid[]) => {
        for (const cid of cids) await ports.store.remove(cid);
        await ports.store.touch(cids);
      },
    };
    assert.deepEqual(await holdersOf({ ...ports, store }, [root], { lease: true }), [[]]);
  }));
