// The block grid of a node: 512 cells of 32 slots, its own first (held, then wanted), then what
// it holds beyond them, then the rest of the ring. The gaps are one shared path, so that fifty
// grids on one page cost little; the page's frame holds it (cellGaps).

import { escapeMarkup, fillPaths, runsOf } from "./svg.ts";
import type { RowCell } from "./row.ts";

/** Cells in a row, and rows. */
export const gridColumns = 64;
export const gridRows = 8;
export const gridCells = gridColumns * gridRows;

/** The grid as SVG; cells beyond the counts are off. @throws never */
export function grid(
  counts: Readonly<Record<Exclude<RowCell, "off">, number>>,
  options: { readonly label: string; readonly away?: boolean },
): string {
  const cells: RowCell[] = [];
  for (const kind of ["held", "wanted", "surplus"] as const) {
    for (let index = 0; index < counts[kind] && cells.length < gridCells; index++) cells.push(kind);
  }
  while (cells.length < gridCells) cells.push("off");
  const fills: Record<RowCell, string> = { held: "", wanted: "", surplus: "", off: "" };
  for (let line = 0; line < gridRows; line++) {
    let x = 0;
    for (
      const { cell, count } of runsOf(cells.slice(line * gridColumns, (line + 1) * gridColumns))
    ) {
      fills[cell] += cellPath(cell, { x: x * 10, y: line * 10, width: count * 10 });
      x += count;
    }
  }
  const label = escapeMarkup(options.label);
  return `<svg class="cells${options.away === true ? " cells-away" : ""}" ` +
    `viewBox="0 0 ${gridColumns * 10} ${gridRows * 10}" preserveAspectRatio="none" role="img" ` +
    `aria-label="${label}"><title>${label}</title>${fillPaths(fills)}` +
    `<use href="#cell-gaps"/></svg>`;
}

function cellPath(
  cell: RowCell,
  { x, y, width }: { readonly x: number; readonly y: number; readonly width: number },
): string {
  const stripe = (at: number, height: number) => `M${x} ${y + at}h${width}v${height}h-${width}z`;
  switch (cell) {
    case "held":
      return stripe(0, 10);
    case "wanted":
      return stripe(1, 2) + stripe(4, 2) + stripe(7, 2);
    case "surplus":
      return stripe(0, 3.5) + stripe(6, 3.5);
    case "off":
      return stripe(4.5, 1);
    default:
      return cell satisfies never;
  }
}

/** The shared gaps, to stand once in a page's `<defs>`. @throws never */
export function cellGaps(): string {
  let path = "";
  for (let x = 1; x < gridColumns; x++) path += `M${x * 10} 0V${gridRows * 10}`;
  for (let y = 1; y < gridRows; y++) path += `M0 ${y * 10}H${gridColumns * 10}`;
  return `<path id="cell-gaps" class="gaps" d="${path}"/>`;
}
