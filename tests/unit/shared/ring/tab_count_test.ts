import assert from "node:assert/strict";
import fc from "fast-check";
import { countTabs, sketchTabs, tabMark, tabMarksMax } from "../../../../shared/ring/tab_count.ts";

const sketch = (ids: readonly number[]) => sketchTabs(ids.map((id) => tabMark(`tab ${id}`)));
const upTo = (max: number) =>
  fc.uniqueArray(fc.nat({ max: 2_000 }), { maxLength: max, minLength: 0 });

Deno.test("countTabs() is exact while each node has few tabs, wherever they are connected", () => {
  fc.assert(fc.property(fc.array(upTo(tabMarksMax), { maxLength: 12 }), (nodes) => {
    assert.equal(countTabs(nodes.map(sketch)), new Set(nodes.flat()).size);
  }));
});

Deno.test("countTabs() lies between the most of one node and the sum of all", () => {
  fc.assert(fc.property(fc.array(upTo(300), { maxLength: 8 }), (nodes) => {
    const count = countTabs(nodes.map(sketch));
    assert.ok(count >= Math.max(0, ...nodes.map((ids) => ids.length)));
    assert.ok(count <= nodes.reduce((sum, ids) => sum + ids.length, 0));
  }));
});

Deno.test("countTabs() counts a tab of several nodes about once, also of many", () => {
  const ids = Array.from({ length: 150 }, (_, id) => id);
  assert.equal(countTabs([ids, ids, ids].map(sketch)), 150);
  const apart = [0, 1, 2, 3].map((node) => ids.map((id) => id + node * 1_000));
  const count = countTabs(apart.map(sketch));
  assert.ok(count > 300 && count <= 600, `${count} of 600`);
});
