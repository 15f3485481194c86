// The pieces bar: a file's blocks from left to right, one lane a copy, the first at the bottom.
//
//   y 0     cap: more copies than wanted
//   y 3..18 lanes: solid held, thin line on its way, bare track missing; one left in risk
//
// One user unit is a block, stretched to the width of the page, so that a poll that changed one
// block changes one number in one path.

import { boxPath, escapeMarkup, fillPaths, fine, runsOf } from "./svg.ts";

/** What is known of one block, or of the worst of a few. */
export interface Piece {
  readonly copies: number;
  /** Copies on their way. */
  readonly coming?: number;
  /** More copies than wanted. */
  readonly extra?: boolean;
}

export interface PiecesOptions {
  /** Copies wanted, 1 to 9. */
  readonly replicas: number;
  readonly label: string;
  readonly size?: "small" | "large";
  /** Part of the width that is used, 0 to 1: shows how large a file is beside others. */
  readonly part?: number;
  /** Blocks between the seams that show where an inner block begins; 0 for none. */
  readonly seams?: number;
}

const top = 3;
const height = 15;

type Fill = "held" | "wanted" | "risk" | "surplus";

/** The bar as SVG; `pieces` has at least one. @throws never */
export function pieces(cells: readonly Piece[], options: PiecesOptions): string {
  const { replicas, seams = 0 } = options;
  const count = cells.length;
  const gap = replicas > 1 ? Math.min(1, 2 / replicas) : 0;
  const lane = (height - gap * (replicas - 1)) / replicas;
  const fills: Record<Fill, string> = { held: "", wanted: "", risk: "", surplus: "" };
  let track = "";
  for (let index = 0; index < replicas; index++) {
    const y = top + height - (index + 1) * lane - index * gap;
    track += boxPath(0, y, [count, lane]);
    paint(cells.map((cell) => laneFill(cell, { index, replicas })), (fill, x, width) => {
      if (fill === "wanted") fills.wanted += boxPath(x, y + lane * .3, [width, lane * .4]);
      else fills[fill] += boxPath(x, y, [width, lane]);
    });
  }
  paint(cells.map(({ copies }) => copies === 0 ? "risk" : ""), (_, x, width) => {
    fills.risk += boxPath(x, top, [width, 1.3]) + boxPath(x, top + height - 1.3, [width, 1.3]);
  });
  paint(cells.map(({ extra }) => extra === true ? "surplus" : ""), (_, x, width) => {
    fills.surplus += boxPath(x, 0, [width, 1.9]);
  });
  const label = escapeMarkup(options.label);
  const size = options.size === undefined ? "" : ` pieces-${options.size === "large" ? "l" : "s"}`;
  const width = options.part === undefined ? "" : ` width="${fine(options.part * 100)}%"`;
  const box = `viewBox="0 0 ${count} 21.5" preserveAspectRatio="none"`;
  return `<svg class="pieces${size}"${width} ${box} ` +
    `role="img" aria-label="${label}"><title>${label}</title>` +
    `<path class="p-track" d="${track}"/>${fillPaths(fills)}${seamPath(count, seams)}</svg>`;
}

function laneFill(
  cell: Piece,
  lane: { readonly index: number; readonly replicas: number },
): Fill | "" {
  if (lane.index < cell.copies) return cell.copies === 1 && lane.replicas > 1 ? "risk" : "held";
  return lane.index < cell.copies + (cell.coming ?? 0) ? "wanted" : "";
}

function paint(
  cells: readonly (Fill | "")[],
  draw: (fill: Fill, x: number, width: number) => void,
): void {
  let x = 0;
  for (const { cell, count } of runsOf(cells)) {
    if (cell !== "") draw(cell, x, count);
    x += count;
  }
}

function seamPath(count: number, seams: number): string {
  if (seams <= 0) return "";
  let path = "";
  for (let x = seams; x < count; x += seams) path += `M${fine(x)} ${top}v${height}`;
  return path === "" ? "" : `<path class="seams" d="${path}"/>`;
}
