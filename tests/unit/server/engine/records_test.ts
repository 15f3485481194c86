// Records over a real database: what was decided is answered as decided, whatever becomes of this
// node's own copy.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId } from "../../../../shared/base/ids.ts";
import type { Value } from "../../../../shared/record/value.ts";
import { openDatabase } from "../../../../server/disk/database.ts";
import type { Catalog } from "../../../../server/engine/catalog.ts";
import type { CatalogSync } from "../../../../server/engine/catalog_sync.ts";
import { clockMigrations, Records } from "../../../../server/engine/records.ts";

const key = { kind: "file", name: "a" } as const;

for (const code of ["busy", "metadata_full"] as const) {
  Deno.test(`Records answer what was decided when the catalog refuses it with ${code}`, async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/skyring.db`;
    const database = await openDatabase({ path, migrations: [clockMigrations] });
    let register: Value | undefined;
    let merges = 0;
    const catalog = {
      getAny: () => undefined,
      merge: () => {
        merges++;
        return Promise.reject(new SkyringError(code, "Cannot write: no room"));
      },
    } as unknown as Catalog;
    const records = new Records({
      ...{ catalog, sync: { announce: () => undefined } as unknown as CatalogSync, database },
      now: Date.now,
      operate: (_key, change) => {
        if (change.kind === "edit") {
          const next = change.edit(register);
          const version = [1, 1, asNodeId("n"), 1] as const;
          if (next !== undefined) register = { ...next, version, n: 1, recent: [version] };
        }
        return Promise.resolve({ kind: "ok", value: register, version: register?.version });
      },
    });
    try {
      const body = new TextEncoder().encode("v1");
      const written = await records.change(key, () => ({ deleted: false, body }));
      assert.ok(written.ok, "it was decided");
      assert.deepEqual((await records.read(key)).value?.body, body);
      assert.equal(merges, 2);
    } finally {
      await database.stop();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
