// Minutes of overlapping pulls of every temper through one node that holds little itself, each byte
// compared: the memory of blocks that have left is used again, and must never be so too early.

import assert from "node:assert/strict";
import { bytesOf } from "../e2e/content.ts";
import { mixedPulls } from "../e2e/mixed_pulls.ts";
import { filePath } from "../e2e/node_child.ts";
import { NodePool } from "../e2e/node_pool.ts";

const minutes = Number(Deno.env.get("SKYRING_SOAK_MINUTES") ?? 10);
const MiB = 2 ** 20;
const file = { name: "mixed.bin", seed: 4, size: 96 * MiB };

Deno.test(`${minutes} minutes of clients that read slowly, in parts, and break off`, async () => {
  await NodePool.with({ nodes: 3 }, async (pool) => {
    const pushed = await pool.node(0).request(`${filePath(file.name)}?replicas=1`, {
      method: "PUT",
      body: bytesOf(file.seed, file.size),
    });
    assert.equal(pushed.status, 201, await pushed.text());
    const forMs = minutes * 60_000;
    const { pulls, bytes } = await mixedPulls(pool.node(2), file, { clients: 16, forMs });
    console.log(`  ${pulls} pulls, ${(bytes / 2 ** 30).toFixed(1)} GiB compared`);
    assert.ok(pulls > minutes * 10);
  });
});
