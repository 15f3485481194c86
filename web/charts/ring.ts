// The ring, the dashboard's signature picture. The circle is all slots, grouped by the node that
// owns them first; from outside in: label, ticks (slots), band (length is share, thickness is
// fullness, so the coloured area is bytes), star, edges to the successor.
//
// A poll morphs it: the same state gives the same text, and a small change changes few paths.

import { glyphShape, toneOf } from "./glyph.ts";
import { bands, edges, type Flow, flowCurves, graticule } from "./ring_layers.ts";
import { type LayerSizes, lookupPin, ticks } from "./ring_layers.ts";
import { placeArcs, type PlacedArc, placeLabels } from "./ring_layout.ts";
import { type RingArc, type RingLabel, uprightLabelsMax } from "./ring_layout.ts";
import { escapeMarkup, polar, short } from "./svg.ts";
import { tabStars } from "./tab_stars.ts";

export interface RingOptions {
  /** Copies that count as whole. */
  readonly replicas: number;
  /** What the picture says, in words. */
  readonly title: string;
  readonly mini?: boolean;
  readonly flows?: readonly Flow[];
  /** Big word and up to two small lines in the middle. */
  readonly centre?: readonly string[];
  /** Index of the node one is on. */
  readonly here?: number;
  /** A place on the circle as the n-th part of an arc, and the owners as indexes. */
  readonly lookup?: {
    readonly arc: number;
    readonly part: number;
    readonly owners: readonly number[];
  };
  /** Tabs that seed; as small stars inside the circle. */
  readonly tabs?: number;
  /** Where a star leads; no links without it. */
  readonly hrefOf?: (arc: RingArc) => string;
}

const usual: LayerSizes = { inner: 170, band: 22, star: 146, mini: false };
const crowded: LayerSizes = { inner: 170, band: 22, star: 156, mini: false };
const small: LayerSizes = { inner: 150, band: 44, star: 118, mini: true };

/** The ring as SVG; `arcs` in ring order, at least one. @throws never */
export function ring(arcs: readonly RingArc[], options: RingOptions): string {
  const mini = options.mini === true;
  const many = arcs.length > uprightLabelsMax;
  const sizes = mini ? small : many ? crowded : usual;
  const placed = placeArcs(arcs, mini);
  const box = mini ? "-206 -206 412 412" : many ? "-282 -282 564 564" : "-300 -252 600 504";
  const role = options.hrefOf === undefined ? "img" : "group";
  const arc = options.lookup === undefined ? undefined : placed[options.lookup.arc];
  return `<svg class="ring${mini ? " ring-mini" : ""}${many ? " ring-many" : ""}" ` +
    `viewBox="${box}" role="${role}" aria-label="${escapeMarkup(options.title)}">` +
    (mini ? "" : graticule()) + bands(placed, sizes) +
    (mini ? "" : ticks(placed, options.replicas)) + edges(placed, sizes) +
    (mini ? "" : tabStars(options.tabs ?? 0)) +
    (options.flows === undefined ? "" : flowCurves(placed, options.flows, sizes)) +
    (options.lookup === undefined || arc === undefined ? "" : lookupPin(placed, {
      angle: arc.from + (arc.to - arc.from) * options.lookup.part,
      owners: options.lookup.owners,
    }, sizes)) +
    stars(placed, { ...options, sizes, many }) + centre(options.centre ?? []) + "</svg>";
}

type StarOptions = RingOptions & { readonly sizes: LayerSizes; readonly many: boolean };

function stars(arcs: readonly PlacedArc[], options: StarOptions): string {
  const labels = options.sizes.mini ? [] : placeLabels(arcs);
  const drawn = arcs.map((arc, index) => {
    const inside = star(arc, { ...options, isHere: options.here === index }) +
      label(arc, labels[index] ?? null);
    if (options.hrefOf === undefined) return `<g>${inside}</g>`;
    return `<a href="${escapeMarkup(options.hrefOf(arc))}">${inside}</a>`;
  });
  return `<g class="stars">${drawn.join("")}</g>`;
}

function star(arc: PlacedArc, options: StarOptions & { readonly isHere: boolean }): string {
  const [x, y] = polar(options.sizes.star, arc.middle).map(short);
  const scale = options.sizes.mini ? " scale(2)" : options.many ? " scale(.82)" : "";
  const mark = options.isHere ? `<circle class="mark" r="9.4"/>` : "";
  const shape = `<g class="star is-${toneOf[arc.sign]}" transform="translate(${x} ${y})${scale}">` +
    `${mark}${glyphShape(arc.sign)}</g>`;
  if (options.sizes.mini) return shape;
  const words = `${arc.name}: ${arc.note === "" ? arc.sign : arc.note}, ` +
    `${Math.round(arc.full * 100)} % full`;
  return `<title>${escapeMarkup(words)}</title><circle class="hit" r="13" cx="${x}" cy="${y}"/>` +
    shape;
}

function label(arc: PlacedArc, place: RingLabel | null): string {
  if (place === null) return "";
  const loud = arc.sign !== "seeding";
  const leader = place.leader === null ? "" : `<path class="lead" d="${place.leader}"/>`;
  const name = `<text class="ring-name${loud ? " loud" : ""}" ${place.name}>` +
    `${escapeMarkup(clipped(arc.name))}</text>`;
  if (place.note === null) return leader + name;
  const tone = loud ? toneOf[arc.sign] : "quiet";
  const note = arc.note === "" ? `${Math.round(arc.full * 100)} %` : arc.note;
  return `${leader}${name}<text class="ring-note is-${tone}" ${place.note}>` +
    `${escapeMarkup(note)}</text>`;
}

/** A long name would leave the picture; the whole one is in the title. */
function clipped(name: string): string {
  const characters = [...name];
  return characters.length <= 18 ? name : `${characters.slice(0, 17).join("")}…`;
}

function centre(lines: readonly string[]): string {
  const [big, ...rest] = lines;
  if (big === undefined) return "";
  const below = rest.map((line, index) =>
    `<text class="centre-small" y="${22 + index * 15}">${escapeMarkup(line)}</text>`
  );
  return `<g class="centre"><text class="centre-big" y="2">${escapeMarkup(big)}</text>` +
    `${below.join("")}</g>`;
}
