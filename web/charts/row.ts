// One node's side of a file, in the order of its blocks: held solid, wanted three stripes, held
// but not owned two, not its own a hairline. Under one another they answer "who holds it".

import { escapeMarkup, fillPaths, runsOf } from "./svg.ts";

/** State of one block on one node. */
export type RowCell = "held" | "wanted" | "surplus" | "off";

/** The row as SVG; `cells` has at least one. @throws never */
export function row(
  cells: readonly RowCell[],
  options: { readonly label: string; readonly large?: boolean },
): string {
  const fills: Record<RowCell, string> = { held: "", wanted: "", surplus: "", off: "" };
  let x = 0;
  for (const { cell, count } of runsOf(cells)) {
    fills[cell] += cellPath(cell, x, count);
    x += count;
  }
  return `<svg class="row${options.large === true ? " row-l" : ""}" viewBox="0 0 ${x} 10" ` +
    `preserveAspectRatio="none" role="img" aria-label="${escapeMarkup(options.label)}">` +
    `${fillPaths(fills)}</svg>`;
}

function cellPath(cell: RowCell, x: number, width: number): string {
  const stripe = (y: number, height: number) => `M${x} ${y}h${width}v${height}h-${width}z`;
  switch (cell) {
    case "held":
      return stripe(0, 10);
    case "wanted":
      return stripe(1, 2) + stripe(4, 2) + stripe(7, 2);
    case "surplus":
      return stripe(0, 4) + stripe(6, 4);
    case "off":
      return stripe(4.6, .8);
    default:
      return cell satisfies never;
  }
}
