// Bare names and tombstones of a catalog on a real database.

import assert from "node:assert/strict";
import { findNames } from "../../../../server/engine/name_search.ts";
import { entry, openNode, Wire } from "./catalog_nodes.ts";

Deno.test("a catalog gives bare names in order, and what was deleted lately, last first", async () => {
  const node = await openNode("a", { wire: new Wire(), peers: [], start: false });
  try {
    const names = ["b/Zug.txt", "b/anker.txt", "c.txt", "ä.txt"];
    await node.catalog.merge(names.map((name) => entry(name, 1)));
    const page = { prefix: "b/", after: undefined, limit: 10 };
    assert.deepEqual(node.catalog.namesOnly("file", page), ["b/Zug.txt", "b/anker.txt"]);
    const then = Date.now() - 60_000;
    const stamped = (name: string, at: number) => {
      const { key, value } = entry(name, 2, true);
      return {
        key,
        value: { ...value, stamp: [then + at, 0] as const, body: new Uint8Array([7]) },
      };
    };
    await node.catalog.merge([stamped("c.txt", 2_000), stamped("b/Zug.txt", 3_000)]);
    const all = { prefix: "", after: undefined, limit: 10 };
    assert.deepEqual(node.catalog.namesOnly("file", all), ["b/anker.txt", "ä.txt"]);
    const deleted = (afterMs: number, limit: number) =>
      node.catalog.deleted("file", { afterMs: then + afterMs, limit }).map(({ key }) => key.name);
    assert.deepEqual(deleted(0, 9), ["b/Zug.txt", "c.txt"]);
    assert.deepEqual(deleted(0, 1), ["b/Zug.txt"]);
    assert.deepEqual(deleted(2_000, 9), ["b/Zug.txt"]);
    assert.deepEqual(
      node.catalog.deleted("file", { afterMs: 0, limit: 1 })[0]?.value.body,
      new Uint8Array([7]),
    );
    // A name that is used again is not among the deleted.
    await node.catalog.merge([entry("c.txt", 3)]);
    assert.deepEqual(deleted(0, 9), ["b/Zug.txt"]);
    const query = { prefix: "", words: ["TXT", "a"], after: undefined, limit: 10 };
    const { entries, next } = await findNames(node.catalog, query);
    assert.deepEqual(entries.map(({ key }) => key.name), ["b/anker.txt", "ä.txt"]);
    assert.equal(next, null);
  } finally {
    await node.stop();
  }
});
