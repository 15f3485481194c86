// The DAG of a file: the root, inner blocks under it, leaves at the bottom in the order of the
// bytes. Bounded for any size: a level shows at most 24 marks, each then stands for several blocks,
// and the leaves are one strip, coloured by the copies of the worst leaf under each unit.
//
//          o            root
//        / | \
//       o  o  o         inner blocks, each with a fan over the leaves below it
//      /#\/#\/#\
//     ============      leaves

import { boxPath, escapeMarkup, fillPaths, fine, runsOf } from "./svg.ts";

export interface DagOptions {
  /** Leaves of the file, one or more; and links of a full inner block. */
  readonly leaves: number;
  readonly links: number;
  /** Copies a leaf should have. */
  readonly replicas: number;
  /** Copies of the leaves from index `from` on; others are not known now. */
  readonly from: number;
  readonly copies: readonly number[];
  readonly label: string;
}

const width = 720;
const inset = 8;
const levelHeight = 36;
const stripHeight = 10;
const marksMax = 24;
const cellsMax = 240;
const apartMax = 60;

/** Blocks on each level, the root first, the leaves last. @throws never */
export function dagLevels({ leaves, links }: Pick<DagOptions, "leaves" | "links">): number[] {
  const levels = [Math.max(1, leaves)];
  while ((levels[0] ?? 1) > 1) levels.unshift(Math.ceil((levels[0] ?? 1) / Math.max(2, links)));
  return levels;
}

/** The picture as SVG. @throws never */
export function dag(options: DagOptions): string {
  const levels = dagLevels(options);
  const inner = levels.slice(0, -1);
  const height = inset + inner.length * levelHeight + stripHeight + 2;
  const bottom = inset + inner.length * levelHeight;
  let edges = "";
  let fans = "";
  let marks = "";
  inner.forEach((count, depth) => {
    const y = inset + depth * levelHeight;
    const below = Math.min(marksMax, inner[depth + 1] ?? 0);
    const shown = Math.min(marksMax, count);
    for (let index = 0; index < shown; index++) {
      const x = middle(index, shown);
      marks += `<circle cx="${fine(x)}" cy="${y}" r="4.2"/>`;
      if (depth === inner.length - 1) {
        const [from, to] = [edge(index, shown), edge(index + 1, shown)];
        fans += `M${fine(x)} ${y}L${fine(to - .6)} ${bottom}H${fine(from + .6)}z`;
      }
    }
    for (let index = 0; index < below; index++) {
      const parent = Math.min(shown - 1, Math.floor(index * shown / below));
      edges += `M${fine(middle(parent, shown))} ${y}L${fine(middle(index, below))} ` +
        `${y + levelHeight}`;
    }
  });
  const label = escapeMarkup(options.label);
  return `<svg class="dag" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">` +
    `<path class="dag-fan" d="${fans}"/><path class="dag-edge" d="${edges}"/>` +
    `<g class="dag-inner">${marks}</g>${strip(options, bottom)}</svg>`;
}

/** The leaves as a strip: solid whole, lower when copies are missing, an outline without any. */
function strip({ leaves, from, copies, replicas }: DagOptions, y: number): string {
  const cells = Math.min(cellsMax, leaves);
  const unit = (width - 2 * inset) / cells;
  const worst = Array.from({ length: cells }, (_, index) => {
    const [first, end] = [index, index + 1].map((at) => Math.floor(at * leaves / cells) - from);
    const known = copies.slice(Math.max(0, first ?? 0), Math.max(0, end ?? 0));
    return known.length === 0 ? -1 : Math.min(replicas, ...known);
  });
  const fills: Record<"off" | "held" | "wanted" | "risk", string> = {
    ...{ off: "", held: "", wanted: "", risk: "" },
  };
  // Few leaves are told apart; of many, equal neighbours are one box.
  const apart = cells <= apartMax;
  const runs = apart ? worst.map((cell) => ({ cell, count: 1 })) : runsOf(worst);
  let x = inset;
  for (const { cell, count } of runs) {
    const size = unit * count - (apart ? 1.5 : 0);
    if (cell < 0) fills.off += boxPath(x, y + 4, [size, 2]);
    else if (cell >= replicas) fills.held += boxPath(x, y, [size, stripHeight]);
    else if (cell === 0) {
      fills.risk += boxPath(x, y, [size, 1.3]) + boxPath(x, y + stripHeight - 1.3, [size, 1.3]);
    } else {
      const high = stripHeight * cell / replicas;
      fills[cell === 1 ? "risk" : "wanted"] += boxPath(x, y + stripHeight - high, [size, high]);
    }
    x += unit * count;
  }
  return fillPaths(fills);
}

function edge(index: number, count: number): number {
  return inset + index * (width - 2 * inset) / count;
}

function middle(index: number, count: number): number {
  return (edge(index, count) + edge(index + 1, count)) / 2;
}
