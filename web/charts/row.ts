// One peer's side of a file, in the order of its blocks: held solid, wanted three stripes, held
// but not owned two, not its own a hairline; what a tab holds is solid in the tabs' colour. Under
// one another they answer "who holds it".

import { escapeMarkup, fillPaths, runsOf } from "./svg.ts";

/** State of one block on one node. */
export type RowCell = "held" | "wanted" | "surplus" | "off";
/** The same, and on a tab. */
export type PeerCell = RowCell | "tab";

/** The row as SVG; `cells` has at least one. @throws never */
export function row(
  cells: readonly PeerCell[],
  options: { readonly label: string; readonly large?: boolean },
): string {
  const fills: Record<"wanted" | "surplus" | "tab", string> = { wanted: "", surplus: "", tab: "" };
  // One stroke with gaps: of fifty rows of scattered blocks each number counts.
  let held = "";
  let x = 0;
  let end = 0;
  for (const { cell, count } of runsOf(cells)) {
    if (cell === "held") {
      held += `${held === "" ? `M${x} 5` : `m${x - end} 0`}h${count}`;
      end = x + count;
    } else if (cell !== "off") fills[cell] += stripes(cell, x, count);
    x += count;
  }
  const stroke = held === "" ? "" : `<path class="r-held" d="${held}"/>`;
  return `<svg class="row${options.large === true ? " row-l" : ""}" viewBox="0 0 ${x} 10" ` +
    `preserveAspectRatio="none" role="img" aria-label="${escapeMarkup(options.label)}">` +
    `<path class="p-off" d="M0 4.6h${x}v.8h-${x}z"/>${stroke}${fillPaths(fills)}</svg>`;
}

function stripes(cell: "wanted" | "surplus" | "tab", x: number, width: number): string {
  const stripe = (y: number, height: number) => `M${x} ${y}h${width}v${height}h-${width}z`;
  if (cell === "tab") return stripe(0, 10);
  return cell === "wanted"
    ? stripe(1, 2) + stripe(4, 2) + stripe(7, 2)
    : stripe(0, 4) + stripe(6, 4);
}
