// Hostile DAGs from the public vectors (SKYRING_VECTORS): a read ends with a typed error or with
// the right bytes, soon, and never with wrong ones.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Cid } from "../../../../shared/base/ids.ts";
import { codecOf, parseCid, parseCidBytes } from "../../../../shared/block/cid.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { openDag } from "../../../../server/engine/pull.ts";
import { createTestPool, inVirtualTime } from "./test_pool.ts";
import { needing } from "../../../gate/needs.ts";

const vectors = Deno.env.get("SKYRING_VECTORS");

/** Reads a length; returns it and where it ended. */
function varintAt(bytes: Uint8Array, start: number): [number, number] {
  let value = 0;
  for (let at = start, scale = 1;; at++, scale *= 128) {
    const byte = bytes[at] ?? assert.fail("cut short");
    value += (byte & 127) * scale;
    if (byte < 128) return [value, at + 1];
  }
}

/** Sections of a well-formed CARv1 whose CIDs are of the kind that Skyring stores. */
function blocksOf(car: Uint8Array): [Cid, Uint8Array][] {
  const blocks: [Cid, Uint8Array][] = [];
  const [headerBytes, headerAt] = varintAt(car, 0);
  for (let at = headerAt + headerBytes; at < car.length;) {
    const [length, start] = varintAt(car, at);
    const parsed = parseCidBytes(car.slice(start, start + 36));
    if (parsed.ok) blocks.push([parsed.cid, car.slice(start + 36, start + length)]);
    at = start + length;
  }
  return blocks;
}

Deno.test({
  ...needing(
    ["vectors"],
    "openDag() meets hostile DAGs with an error, or reads them right, within a budget",
  ),
  fn: () =>
    inVirtualTime(async (clock) => {
      const folder = `${vectors}/hostile`;
      const { cars } = JSON.parse(await Deno.readTextFile(`${folder}/cars.json`));
      const ends: Record<string, string> = {};
      for (const { file, root } of cars) {
        if (typeof root !== "string" || !/bomb|deep|unixfs|dir-|ok-hello/.test(file)) continue;
        const store = createMemoryStore({ capacityBytes: 1e9, now: () => 0 });
        for (const [cid, bytes] of blocksOf(await Deno.readFile(`${folder}/${file}`))) {
          await store.put(cid, bytes, codecOf(cid) === "raw" ? "leaf" : "inner");
        }
        const pool = createTestPool({ nodes: 1, clock, storeOf: () => store });
        const parsed = parseCid(root);
        assert.ok(parsed.ok);
        const reading = async () => {
          const dag = await openDag(pool.ports(0), parsed.cid);
          let bytes = 0;
          for await (const part of dag.read({ start: 0, end: Math.min(dag.size, 1e6) })) {
            bytes += part.length;
          }
          return `${bytes} bytes`;
        };
        ends[file] = await reading().catch((cause: unknown) => {
          assert.ok(cause instanceof SkyringError, String(cause));
          return `${cause.code} ${cause.data["reason"]}`;
        });
      }
      assert.deepEqual(ends, {
        "car/ok-hello.car": "11 bytes",
        // Sizes beyond the safe integers are no sizes.
        "car/dag-bomb-174-pow-6.car": "corrupt not_unixfs",
        "car/dag-bomb-2-pow-40.car": "corrupt too_deep",
        "car/deep-chain-3000.car": "corrupt too_deep",
        "car/dir-active-content.car": "corrupt not_a_file",
        "car/dir-duplicate-names.car": "corrupt not_a_file",
        "car/dir-hostile-names.car": "corrupt not_a_file",
        "car/dir-symlinks-escape.car": "corrupt not_a_file",
        "car/unixfs-blocksizes-count.car": "corrupt sizes_disagree",
        "car/unixfs-blocksizes-swapped.car": "corrupt size_mismatch",
        "car/unixfs-filesize-lies-huge.car": "corrupt not_unixfs",
        "car/unixfs-filesize-lies-small.car": "corrupt sizes_disagree",
      });
    }),
});
