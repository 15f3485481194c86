import assert from "node:assert/strict";
import { createRingReader } from "../../../../server/http/ui_ring.ts";
import type { RingSnapshot } from "../../../../server/http/services.ts";
import { node, now } from "../../../http/app_fixture.ts";

const slots = 16_384;
const ids = ["a", "b", "c"];
const ring: RingSnapshot = {
  epoch: 1,
  slotCount: slots,
  nodes: ids.map((id) => ({
    ...{ id, name: id, position: "00", tokens: 1, predecessor: null, successor: null },
  })),
  slots: ids.map((_, index) => ({
    from: Math.floor(index * slots / 3),
    to: Math.floor((index + 1) * slots / 3) - 1,
    owners: [...ids.slice(index), ...ids.slice(0, index)],
  })),
  zones: [],
};

function viewOf(states: Partial<Record<string, { wanted?: number; dead?: boolean }>>) {
  const nodes = ids.map((id) => ({
    ...{ ...node, id, name: id, state: states[id]?.dead === true ? "dead" as const : node.state },
    blocks: { held: 1_000, wanted: states[id]?.wanted ?? 0, surplus: 0 },
  }));
  const view = createRingReader(() => ring).view(nodes, {
    ...{ epoch: 1, now, settled: true, cluster: null },
  });
  assert.ok(view !== null);
  const total = view.arcs.flatMap((arc) => [...arc.slots.values()])
    .reduce((sum, count) => sum + count, 0);
  assert.equal(total, slots, "every slot is drawn once");
  const by = (copies: number) =>
    view.arcs.reduce((sum, arc) => sum + (arc.slots.get(copies) ?? 0), 0);
  return { view, by };
}

Deno.test("createRingReader() counts a slot's copies by the owners that answer", () => {
  assert.equal(viewOf({}).by(3), slots);
  const { view, by } = viewOf({ b: { dead: true } });
  assert.equal(by(2), slots);
  assert.deepEqual([...view.tally], [[2, slots]]);
});

Deno.test("createRingReader() counts copies that an owner lacks, though it answers", () => {
  const few = viewOf({ c: { wanted: 100 } });
  // A hundred blocks fall into a hundred slots, but for a pair or none.
  assert.ok(Math.abs(few.by(2) - 100) <= 2, String(few.by(2)));
  assert.equal(few.by(3) + few.by(2), slots);
  assert.deepEqual([...few.view.tally], [[3, slots]], "all owners answer");
  const many = viewOf({ c: { wanted: 1_000_000 } });
  assert.equal(many.by(2), slots, "a new node lacks something everywhere");
  const both = viewOf({ a: { dead: true }, c: { wanted: 100 } });
  assert.equal(both.by(1) + both.by(2), slots);
  assert.ok(both.by(1) >= 98);
});
