// The walk over all files, where a file is replaced under it.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import type { CatalogEntry } from "../../../../shared/record/catalog_entry.ts";
import { encodeFileRecord, fileKey } from "../../../../shared/record/file_record.ts";
import { ReferenceSweep } from "../../../../server/engine/reference_sweep.ts";
import { References } from "../../../../server/engine/references.ts";
import type { StepReport, WorkerOptions } from "../../../../server/engine/workers.ts";
import { createTestPool, inVirtualTime } from "./test_pool.ts";

Deno.test("ReferenceSweep drops a version that was replaced while its inner block was sought", () =>
  inVirtualTime(async (clock) => {
    const pool = createTestPool({ nodes: 1, clock });
    const { store, ring, self } = pool.ports(0);
    const entryOf = (round: number): CatalogEntry => {
      const cid = cidOfDigest(new Uint8Array(32).fill(round), "dag-pb");
      const file = { cid, size: 600_000, blocks: 3, chunkBytes: 262_144, replicas: 1, writer: "t" };
      const version = [1, round, self, 1] as const;
      const body = encodeFileRecord(file);
      const stamp = [0, 0] as const;
      return {
        key: fileKey("a"),
        value: { version, n: round, stamp, deleted: false, recent: [version], body },
      };
    };
    let present = entryOf(1);
    let step: WorkerOptions["step"] = (): Promise<StepReport> => Promise.reject();
    const sweep = new ReferenceSweep({
      catalog: {
        names: () => [present],
        count: () => 1,
        get: () => present,
        onChange: () => undefined,
        rebuilding: false,
      },
      ...{ store, clock, ready: () => true, references: new References({ store, ring }) },
      workers: {
        start: (options) => {
          step = options.step;
          return { wake: () => undefined };
        },
      },
      fetchInner: (cid) => {
        // Replaced just now: what the first version was made of is gone for good.
        present = entryOf(2);
        return Promise.reject(new SkyringError("unavailable", `Cannot get ${cid}: nobody has it`));
      },
    });
    sweep.start();
    await step(AbortSignal.timeout(20_000));
    assert.equal(sweep.unknownFiles, 0);
    sweep.changed(present);
    await step(AbortSignal.timeout(20_000));
    assert.equal(sweep.unknownFiles, 1, "the version of now is one to wait for");
  }));
