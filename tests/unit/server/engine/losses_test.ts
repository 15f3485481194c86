// What may be lost with nodes that do not come back: blocks that nobody else holds, and slots
// whose deciding majority is gone.

import assert from "node:assert/strict";
import { lossesOf, type LossesPorts } from "../../../../server/engine/losses.ts";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { sha256 } from "../../../../shared/base/hash.ts";
import { asLineage, type NodeId } from "../../../../shared/base/ids.ts";
import { slotCount } from "../../../../shared/base/limits.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import type { CatalogEntry } from "../../../../shared/record/catalog_entry.ts";
import { encodeFileRecord, fileKey } from "../../../../shared/record/file_record.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";
import { createTestPool, inVirtualTime, testBytes } from "./test_pool.ts";

const bytesOf = (seed: number) => testBytes(1_000, seed);
const cidOf = (seed: number) => cidOfDigest(sha256(bytesOf(seed)), "raw");

function entryOf(seed: number): CatalogEntry {
  const body = encodeFileRecord({
    ...{ cid: cidOf(seed), size: 1_000, blocks: 1, chunkBytes: 262_144, replicas: 2 },
    writer: "node-1",
  });
  const version = [1, 1, "12D3KooWA" as NodeId, 1] as const;
  return {
    key: fileKey(`file-${seed}`),
    value: { version, n: 1, stamp: [1, 0], deleted: false, recent: [version], body },
  };
}

Deno.test("lossesOf() names files that nobody else holds, and slots without a majority", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 4, clock });
    // File 1 lies on nodes 0 and 2, file 2 on 2 and 3 alone.
    for (const [seed, at] of [[1, 0], [1, 2], [2, 2], [2, 3]] as const) {
      await pool.node(at).store.put(cidOf(seed), bytesOf(seed), "leaf");
    }
    for (const at of [2, 3]) pool.node(at).manner = "dead";
    const entries = [entryOf(1), entryOf(2)];
    const ports: LossesPorts = {
      ...pool.ports(0),
      catalog: { names: () => entries } as unknown as LossesPorts["catalog"],
      loadInner: () => Promise.reject(new SkyringError("unavailable", "Cannot fetch block")),
    };
    const members = pool.ports(0).ring.placement().members;
    const [first] = members;
    assert.ok(first !== undefined);
    const roster: Roster = {
      ...{ lineage: asLineage("00".repeat(32)), epoch: 1, members, council: [first.id] },
      ...{ lost: [], foundedAt: 1, founder: first.id, salt: "00" },
    };
    const look = (gone: readonly number[], signal = new AbortController().signal) =>
      lossesOf(ports, { roster, gone: new Set(gone.map((at) => pool.node(at).id)), signal });
    const two = await look([2, 3]);
    assert.deepEqual([two.blocksChecked, two.blocksLost, two.filesLost], [2, 1, 1]);
    assert.deepEqual([two.files, two.complete], [["file-2"], true]);
    assert.ok(two.slotsUndecided > 0 && two.slotsUndecided < slotCount);
    assert.equal((await look([3])).slotsUndecided, 0, "two of three deciders are left");
    const broken = await look([2, 3], AbortSignal.abort());
    assert.deepEqual([broken.complete, broken.blocksLost], [false, 0], "in doubt nothing is lost");
  }));
