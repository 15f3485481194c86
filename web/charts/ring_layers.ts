// The layers of the ring's picture, from the back to the front; each is a pure function of
// placed arcs. The radii stand in LayerSizes, so that the small ring differs in numbers only.

import type { PlacedArc } from "./ring_layout.ts";
import { tickRadius } from "./ring_layout.ts";
import { arcPath, polar, short } from "./svg.ts";

export interface LayerSizes {
  /** Inner radius and thickness of the band, radius of the stars. */
  readonly inner: number;
  readonly band: number;
  readonly star: number;
  readonly mini: boolean;
}

/** Bytes that move from one node to another. Indexes are of the arcs; bytes a second. */
export interface Flow {
  readonly from: number;
  readonly to: number;
  readonly rate: number;
}

const silent = ({ sign }: PlacedArc) => sign === "dead" || sign === "suspect" || sign === "paused";
const away = ({ sign }: PlacedArc) => sign === "leaving" || sign === "stopped";
const at = (point: readonly [number, number]) => `${short(point[0])} ${short(point[1])}`;

/** Circles and rays of the star chart. @throws never */
export function graticule(): string {
  const circles = [60, 104, 250, 330, 420, 530, 660, 810, 980, 1180]
    .map((radius) => `<circle r="${radius}"/>`).join("");
  let rays = "";
  for (let hour = 0; hour < 24; hour++) {
    const angle = hour * Math.PI / 12;
    const [from, to] = hour % 6 === 0 ? [60, 120] : [250, 1300];
    rays += `M${at(polar(from, angle))}L${at(polar(to, angle))}`;
  }
  return `<g class="chart" aria-hidden="true">${circles}<path d="${rays}"/></g>`;
}

/** Capacity as a track, what is used as a fill from inside, what is to come on top of it. */
export function bands(arcs: readonly PlacedArc[], sizes: LayerSizes): string {
  const { inner, band } = sizes;
  const track = arcs.map(({ from, to }) => arcPath(inner + band / 2, from, to)).join("");
  const fills = arcs.map((arc) => {
    const thick = Math.max(1.5, band * Math.min(1, arc.full));
    const tone = arc.sign === "dead" ? " is-risk" : away(arc) ? " is-off" : "";
    const dashes = silent(arc) ? " fill-away" : "";
    const fill = `<path class="fill${dashes}${tone}" stroke-width="${short(thick)}" ` +
      `d="${arcPath(inner + thick / 2, arc.from, arc.to)}"/>`;
    if (arc.wanted <= 0) return fill;
    const more = Math.min(band, Math.max(2.4, band * arc.wanted));
    return `${fill}<path class="fill fill-wanted" stroke-width="${short(more)}" ` +
      `d="${arcPath(inner + thick + more / 2 + .8, arc.from, arc.to)}"/>`;
  });
  return `<g class="bands" aria-hidden="true"><path class="band" stroke-width="${band}" ` +
    `d="${track}"/>${fills.join("")}</g>`;
}

/** Slots, 32 to a tick: longer and warmer the fewer owners of the worst of them answer. */
export function ticks(arcs: readonly PlacedArc[], replicas: number): string {
  const lengths = [17, 13, 9, 5];
  let drawn = "";
  for (const arc of arcs) {
    const total = arc.ticks.reduce((sum, run) => sum + run.count, 0);
    const step = (arc.to - arc.from) / Math.max(1, total);
    let index = 0;
    for (const { copies, count } of arc.ticks) {
      const rank = copies >= replicas ? 3 : copies === 0 ? 0 : copies === 1 ? 1 : 2;
      const from = arc.from + index * step;
      drawn += `<path class="t t${rank}" pathLength="${count}" ` +
        `d="${arcPath(tickRadius + (lengths[rank] ?? 5) / 2, from, from + count * step)}"/>`;
      index += count;
    }
  }
  return `<g class="ticks" aria-hidden="true">${drawn}</g>`;
}

/** Each star to its successor; a dead one is bridged by a curve around it. */
export function edges(arcs: readonly PlacedArc[], sizes: LayerSizes): string {
  const { star, inner, mini } = sizes;
  const room = mini ? 18 : arcs.length > 16 ? 7 : 8.5;
  const paths = { whole: "", cut: "" };
  arcs.forEach((arc, index) => {
    const next = arcs[(index + 1) % arcs.length];
    if (arcs.length < 2 || next === undefined) return;
    const [x, y] = polar(star, arc.middle);
    const [endX, endY] = polar(star, next.middle);
    const off = Math.min(.4, room / Math.hypot(endX - x, endY - y));
    const [dx, dy] = [(endX - x) * off, (endY - y) * off];
    const line = `M${at([x + dx, y + dy])}L${at([endX - dx, endY - dy])}`;
    paths[silent(arc) || silent(next) ? "cut" : "whole"] += line;
    const after = arcs[(index + 2) % arcs.length];
    if (next.sign !== "dead" || arcs.length <= 3 || after === undefined) return;
    paths.whole += `M${at(polar(star - 9, arc.middle))}Q${at(polar(star * .86, next.middle))} ` +
      at(polar(star - 9, after.middle));
  });
  const stems = arcs.map(({ middle }) =>
    `M${at(polar(star + 8, middle))}L${at(polar(inner - 1, middle))}`
  ).join("");
  return `<g class="edges" aria-hidden="true"><path class="edge" d="${paths.whole}"/>` +
    (paths.cut === "" ? "" : `<path class="edge edge-cut" d="${paths.cut}"/>`) +
    (mini ? "" : `<path class="stem" d="${stems}"/>`) + "</g>";
}

/** The eight fastest flows, dotted, bent towards the centre, wider by rate. */
export function flowCurves(
  arcs: readonly PlacedArc[],
  flows: readonly Flow[],
  sizes: LayerSizes,
): string {
  const shown = [...flows].sort((left, right) => right.rate - left.rate).slice(0, 8);
  const most = Math.max(1, ...shown.map(({ rate }) => rate));
  const drawn = shown.map(({ from, to, rate }) => {
    const [giver, taker] = [arcs[from], arcs[to]];
    if (giver === undefined || taker === undefined || giver === taker) return "";
    const [endX, endY] = polar(sizes.star - 11, taker.middle);
    const [bendX, bendY] = polar(sizes.star * .62, between(giver.middle, taker.middle));
    const length = Math.hypot(endX - bendX, endY - bendY) || 1;
    const [ux, uy] = [(endX - bendX) / length, (endY - bendY) / length];
    const head = `M${at([endX + ux * 3, endY + uy * 3])}` +
      `L${at([endX - ux * 5 - uy * 3.4, endY - uy * 5 + ux * 3.4])}` +
      `L${at([endX - ux * 5 + uy * 3.4, endY - uy * 5 - ux * 3.4])}z`;
    return `<path class="flow" stroke-width="${short(1.2 + 1.2 * rate / most)}" ` +
      `d="M${at(polar(sizes.star - 9, giver.middle))}Q${at([bendX, bendY])} ${
        at([endX, endY])
      }"/>` +
      `<path class="flow-head" d="${head}"/>`;
  });
  return drawn.length === 0 ? "" : `<g class="flows" aria-hidden="true">${drawn.join("")}</g>`;
}

/** A slot looked up: a pin through the band, and numbered curves to its owners. */
export function lookupPin(
  arcs: readonly PlacedArc[],
  lookup: { readonly angle: number; readonly owners: readonly number[] },
  sizes: LayerSizes,
): string {
  const { inner, star } = sizes;
  const head = polar(tickRadius + 22, lookup.angle);
  const foot = at(polar(inner - 3, lookup.angle));
  const curves = lookup.owners.map((owner, index) => {
    const arc = arcs[owner];
    if (arc === undefined) return "";
    const apart = Math.abs(arc.middle - lookup.angle);
    const near = Math.min(apart, 2 * Math.PI - apart);
    const bend = polar(star * (near > 1 ? .78 : .95), between(arc.middle, lookup.angle));
    return `<path class="own" d="M${foot}Q${at(bend)} ${at(polar(star - 9, arc.middle))}"/>` +
      `<g transform="translate(${at(polar(star - 24, arc.middle))})">` +
      `<circle class="own-no" r="8.5"/><text class="own-n" y="3.8">${index + 1}</text></g>`;
  });
  return `<g class="lookup" aria-hidden="true"><path class="pin" d="M${foot}L${at(head)}"/>` +
    `<circle class="pin-head" r="4" cx="${short(head[0])}" cy="${short(head[1])}"/>` +
    `${curves.join("")}</g>`;
}

/** The angle halfway on the short side. */
function between(left: number, right: number): number {
  const middle = (left + right) / 2;
  return Math.abs(left - right) > Math.PI ? middle + Math.PI : middle;
}
