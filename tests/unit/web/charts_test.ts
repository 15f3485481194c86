// The drawn pictures: counts that add up, nothing drawn as nothing, text that cannot break out.

import assert from "node:assert/strict";
import fc from "fast-check";
import { allot, tickRuns } from "../../../web/charts/allot.ts";
import { bar } from "../../../web/charts/bar.ts";
import { dag, dagLevels } from "../../../web/charts/dag.ts";
import { grid, gridCells } from "../../../web/charts/grid.ts";
import { type Piece, pieces } from "../../../web/charts/pieces.ts";
import { pips } from "../../../web/charts/pips.ts";
import { ring } from "../../../web/charts/ring.ts";
import { type RingArc, ringTicks } from "../../../web/charts/ring_layout.ts";
import { standalone } from "../../../web/charts/ring_style.ts";
import { row } from "../../../web/charts/row.ts";
import { spark } from "../../../web/charts/spark.ts";

const hostile = `"><script>alert('x')</script>&<b onload=1>`;

function arc(name: string, rest: Partial<RingArc> = {}): RingArc {
  return {
    id: name,
    name,
    share: 1,
    full: .4,
    wanted: 0,
    sign: "seeding",
    note: "",
    slots: new Map([[3, 100]]),
    ...rest,
  };
}

/** Sum of the widths of all boxes `h<width>v` in the paths of one fill. */
function widths(svg: string, fill: string): number {
  const paths = [...svg.matchAll(new RegExp(`class="p-${fill}" d="([^"]*)"`, "g"))];
  return paths.flatMap(([, path = ""]) => [...path.matchAll(/M[\d.]+ [\d.]+h([\d.]+)v/g)])
    .reduce((sum, [, width]) => sum + Number(width), 0);
}

Deno.test("allot() gives whole parts that add up, none of them nothing", () => {
  const shares = fc.array(fc.float({ min: 0, max: 1_000, noNaN: true }), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(fc.property(shares, (given) => {
    const counts = allot(given, ringTicks);
    assert.equal(counts.reduce((sum, count) => sum + count, 0), ringTicks);
    assert.ok(counts.every((count) => Number.isInteger(count) && count >= 1));
  }));
});

Deno.test("allot() keeps the order of shares", () => {
  assert.deepEqual(allot([3, 2, 1], 6), [3, 2, 1]);
  assert.deepEqual(allot([1, 1, 1], 4), [2, 1, 1]);
  assert.deepEqual(allot([1_000, 1], 10), [9, 1]);
});

Deno.test("tickRuns() shows every class that occurs, whole slots first", () => {
  const runs = tickRuns(new Map([[1, 1], [3, 16_000], [2, 200]]), 100);
  assert.deepEqual(runs.map(({ copies }) => copies), [3, 2, 1]);
  assert.equal(runs.reduce((sum, { count }) => sum + count, 0), 100);
  assert.ok(runs.every(({ count }) => count >= 1));
});

Deno.test("ring() draws 512 ticks in all, whatever the shares", () => {
  for (const count of [1, 2, 3, 5, 16, 17, 50, 100]) {
    const arcs = Array.from(
      { length: count },
      (_, index) =>
        arc(`n${index}`, { share: 1 + index % 7, slots: new Map([[3, 90], [2, 9], [0, 1]]) }),
    );
    const svg = ring(arcs, { replicas: 3, title: "t" });
    const ticks = [...svg.matchAll(/class="t t\d" pathLength="(\d+)"/g)];
    const sum = ticks.reduce((total, [, length]) => total + Number(length), 0);
    assert.equal(sum, ringTicks, `${count} nodes`);
    assert.ok(!/NaN|undefined|Infinity/.test(svg), `${count} nodes`);
  }
});

Deno.test("ring() draws an arc without a share, and a pool without any", () => {
  const arcs = [arc("a", { share: 0, slots: new Map() }), arc("b", { share: 0, slots: new Map() })];
  assert.ok(!/NaN|Infinity/.test(ring(arcs, { replicas: 1, title: "t" })));
});

Deno.test("ring() is the same text for the same state, so that a poll changes nothing", () => {
  const draw = () => ring([arc("a"), arc("b", { sign: "dead" })], { replicas: 2, title: "t" });
  assert.equal(draw(), draw());
});

Deno.test("pieces() draws each copy once in its lane", () => {
  const cell = fc.record({
    copies: fc.integer({ min: 0, max: 3 }),
    coming: fc.integer({ min: 0, max: 3 }),
    extra: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(cell, { minLength: 1, maxLength: 200 }), (cells) => {
    const svg = pieces(cells, { replicas: 3, label: "x" });
    const held = cells.reduce((sum, { copies }) => sum + (copies > 1 ? copies : 0), 0);
    assert.equal(widths(svg, "held"), held);
    const coming = cells.reduce(
      (sum, each) => sum + Math.min(3, each.copies + each.coming) - each.copies,
      0,
    );
    assert.equal(widths(svg, "wanted"), coming);
    // One left is drawn once; none left twice, at top and bottom.
    const last = cells.filter(({ copies }) => copies === 1).length;
    const lost = cells.filter(({ copies }) => copies === 0).length;
    assert.equal(widths(svg, "risk"), last + 2 * lost);
    assert.equal(widths(svg, "surplus"), cells.filter(({ extra }) => extra).length);
  }));
});

Deno.test("pieces() of a file with one wanted copy calls one copy held, not at risk", () => {
  const svg = pieces([{ copies: 1 }], { replicas: 1, label: "x" });
  assert.equal(widths(svg, "held"), 1);
  assert.equal(widths(svg, "risk"), 0);
});

Deno.test("pieces() of 2,000 equal blocks is as short as that of two", () => {
  const many: Piece[] = Array.from({ length: 2_000 }, () => ({ copies: 3 }));
  assert.ok(pieces(many, { replicas: 3, label: "x" }).length < 700);
});

Deno.test("row() draws what is held as one stroke with gaps, the rest as stripes", () => {
  const cells = ["off", "held", "held", "off", "wanted", "surplus", "held"] as const;
  const svg = row(cells, { label: "x" });
  assert.match(svg, /class="r-held" d="M1 5h2m3 0h1"/);
  assert.equal(widths(svg, "wanted"), 3); // three stripes
  assert.equal(widths(svg, "surplus"), 2);
  assert.equal(widths(svg, "off"), cells.length);
});

Deno.test("grid() has 512 cells, and drops what does not fit", () => {
  const svg = grid({ held: 400, wanted: 100, surplus: 100 }, { label: "x" });
  const cells = widths(svg, "held") / 10 + widths(svg, "wanted") / 30 + widths(svg, "surplus") / 20;
  assert.equal(cells, gridCells);
  assert.equal(widths(svg, "off"), 0);
});

Deno.test("bar() never grows beyond its whole", () => {
  const svg = bar({ held: 900, wanted: 900, surplus: 900 }, { label: "x" });
  assert.equal(widths(svg, "held") + widths(svg, "surplus") / 2, 1_000);
});

Deno.test("spark() of nothing, of zeros and of one point is drawn without a fault", () => {
  for (const series of [[[], []], [[0, 0, 0]], [[5]]]) {
    assert.ok(!/NaN|Infinity|undefined/.test(spark(series, { label: "x" })));
  }
});

Deno.test("pictures escape all text, and hold no style, id or script", () => {
  const pictures = [
    ring([arc(hostile, { id: hostile, note: hostile }), arc("b")], {
      replicas: 3,
      title: hostile,
      centre: [hostile, hostile],
      hrefOf: ({ id }) => `/x#${id}`,
    }),
    pieces([{ copies: 1 }], { replicas: 3, label: hostile }),
    row(["held"], { label: hostile }),
    grid({ held: 1, wanted: 0, surplus: 0 }, { label: hostile }),
    bar({ held: 1 }, { label: hostile }),
    spark([[1, 2]], { label: hostile }),
    pips(1, 3),
  ];
  for (const svg of pictures) {
    assert.ok(!svg.includes("<script") && !svg.includes("<b "), svg);
    assert.ok(!/ (style|id|on\w+)="/.test(svg), svg);
  }
});

Deno.test("standalone() carries its colours and its namespace", () => {
  const svg = standalone(ring([arc("a")], { replicas: 1, title: "t" }));
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.match(svg, /<style>[^<]*--held:#12836a/);
});

Deno.test("dagLevels() has one root and room for every block on the level below", () => {
  const shape = fc.record({
    leaves: fc.integer({ min: 1, max: 5_000_000 }),
    links: fc.constantFrom(174, 1_024),
  });
  fc.assert(fc.property(shape, ({ leaves, links }) => {
    const levels = dagLevels({ leaves, links });
    assert.equal(levels[0], 1);
    assert.equal(levels.at(-1), leaves);
    levels.slice(1).forEach((count, depth) => {
      const above = levels[depth] ?? 0;
      assert.ok(count <= above * links && count > (above - 1) * links);
    });
  }));
});

Deno.test("dag() stays small for any file, and shows a leaf without copies", () => {
  const options = { links: 174, replicas: 3, from: 0, label: hostile };
  const copies = Array.from({ length: 2_000 }, (_, index) => index === 700 ? 0 : 3);
  const large = dag({ ...options, leaves: 4_000_000, copies });
  assert.ok(large.length < 8_000, `${large.length} characters`);
  assert.ok(!large.includes("<script"));
  assert.match(large, /class="p-off"/);
  const whole = dag({ ...options, leaves: 2_000, copies });
  assert.match(whole, /class="p-risk"/);
  assert.match(whole, /class="p-held"/);
  assert.ok(!/p-risk/.test(dag({ ...options, leaves: 3, copies: [3, 3, 3] })));
  assert.ok(!/<circle/.test(dag({ ...options, leaves: 1, copies: [1] })), "a leaf has no parent");
});
