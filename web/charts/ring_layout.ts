// Where everything on the ring lies: the arc of each node by its share, and the labels, pushed
// apart so that none covers another. Numbers only; ring_layers.ts draws them.

import type { Sign } from "./glyph.ts";
import { allot, type TickRun, tickRuns } from "./allot.ts";
import { polar, short } from "./svg.ts";

/** One node of the ring, in ring order. */
export interface RingArc {
  readonly id: string;
  readonly name: string;
  /** Share of the circle, 0 or more. */
  readonly share: number;
  /** Used of capacity, 0 to 1; and what is still to come, of capacity. */
  readonly full: number;
  readonly wanted: number;
  readonly sign: Sign;
  /** A few words under the name, when it is not simply seeding. */
  readonly note: string;
  /** Slots owned first, by number of copies. */
  readonly slots: ReadonlyMap<number, number>;
}

/** A node with its place: angles from the top, clockwise. */
export interface PlacedArc extends RingArc {
  readonly from: number;
  readonly to: number;
  readonly middle: number;
  readonly ticks: readonly TickRun[];
}

export interface RingLabel {
  readonly name: string;
  readonly note: string | null;
  readonly leader: string | null;
}

/** Ticks on the circle: 16,384 slots are 32 a tick. */
export const ringTicks = 512;
export const tickRadius = 198;
/** Above this many nodes labels are radial and the stars smaller. */
export const uprightLabelsMax = 16;
const radialLabelsMax = 64;

/** Places the arcs; the circle is full whatever the shares add up to. @throws never */
export function placeArcs(arcs: readonly RingArc[], mini: boolean): PlacedArc[] {
  const count = arcs.length;
  const gap = mini ? .05 : Math.min(.035, .45 / count + .004);
  const turn = 2 * Math.PI - gap * count;
  const sum = arcs.reduce((total, arc) => total + arc.share, 0);
  const ticks = allot(arcs.map(({ share }) => sum > 0 ? share : 1), ringTicks);
  // One star alone stands at the top.
  let angle = gap / 2 - (count === 1 ? Math.PI : 0);
  return arcs.map((arc, index) => {
    const from = angle;
    const to = from + (sum > 0 ? arc.share / sum : 1 / count) * turn;
    angle = to + gap;
    const runs = tickRuns(arc.slots, ticks[index] ?? 1);
    return { ...arc, from, to, middle: (from + to) / 2, ticks: runs };
  });
}

/** Labels in the order of the nodes; null where there is no room for one. @throws never */
export function placeLabels(arcs: readonly PlacedArc[]): (RingLabel | null)[] {
  return arcs.length > uprightLabelsMax
    ? arcs.map((arc) => radial(arc, arcs.length))
    : upright(arcs);
}

function radial(arc: PlacedArc, count: number): RingLabel | null {
  if (count > radialLabelsMax && arc.sign === "seeding") return null;
  const degrees = arc.middle * 180 / Math.PI;
  const flip = degrees > 180;
  const turn = flip ? " rotate(180)" : "";
  const name =
    `transform="rotate(${short(degrees - 90)}) translate(${tickRadius + 23} 0)${turn}" ` +
    `text-anchor="${flip ? "end" : "start"}" dy=".35em"`;
  return { name, note: null, leader: null };
}

interface Spot {
  readonly arc: PlacedArc;
  readonly side: -1 | 0 | 1;
  readonly home: number;
  x: number;
  y: number;
}

const lineGap = 31;

function upright(arcs: readonly PlacedArc[]): RingLabel[] {
  const spots = arcs.map((arc): Spot => {
    const [x, y] = polar(tickRadius + 25, arc.middle);
    return { arc, x, y, home: y, side: Math.abs(x) < 30 ? 0 : x > 0 ? 1 : -1 };
  });
  for (const side of [1, -1]) pushApart(spots.filter((spot) => spot.side === side));
  return spots.map(labelAt);
}

function pushApart(spots: readonly Spot[]): void {
  const column = [...spots].sort((left, right) => left.y - right.y);
  for (let round = 0; round < 60; round++) {
    column.forEach((spot, index) => {
      const above = column[index - 1];
      if (above === undefined) return;
      const overlap = lineGap - (spot.y - above.y);
      if (overlap <= 0) return;
      spot.y += overlap / 2;
      above.y -= overlap / 2;
    });
  }
  const radius = tickRadius + 24;
  for (const spot of column) {
    spot.y = Math.max(-238, Math.min(234, spot.y));
    const edge = Math.abs(spot.y) < radius ? Math.sqrt(radius ** 2 - spot.y ** 2) : 0;
    spot.x = spot.side * Math.max(Math.abs(spot.x), edge);
  }
}

function labelAt(spot: Spot): RingLabel {
  const { side, arc } = spot;
  const anchor = side === 0 ? "middle" : side > 0 ? "start" : "end";
  const y = side === 0 ? spot.home + (spot.home < 0 ? -6 : 6) : spot.y;
  const x = short(spot.x + side * 3);
  const [nearX, nearY] = polar(tickRadius + 15, arc.middle);
  const moved = side !== 0 && Math.abs(spot.y - spot.home) > 9;
  return {
    name: `x="${x}" y="${short(y - 1)}" text-anchor="${anchor}"`,
    note: `x="${x}" y="${short(y + 12.5)}" text-anchor="${anchor}"`,
    leader: moved ? `M${short(nearX)} ${short(nearY)}L${short(spot.x)} ${short(spot.y - 5)}` : null,
  };
}
