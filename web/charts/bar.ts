// The capacity bar: parts of a whole in thousandths, each with its own pattern, and a mark where
// a node counts as full.

import { escapeMarkup } from "./svg.ts";

export interface BarParts {
  /** Thousandths of the whole, 0 or more. */
  readonly held?: number;
  readonly surplus?: number;
  /** Held by a node that does not answer; by a dead one. */
  readonly away?: number;
  readonly dead?: number;
  readonly risk?: number;
  readonly wanted?: number;
  /** Held by a tab. */
  readonly tab?: number;
}

export interface BarOptions {
  /** What the bar says, in words. */
  readonly label: string;
  readonly thin?: boolean;
  /** Thousandths, or null for no mark. */
  readonly mark?: number | null;
}

const order = ["held", "surplus", "away", "dead", "risk", "tab", "wanted"] as const;

/** The bar as SVG. @throws never */
export function bar(parts: BarParts, options: BarOptions): string {
  const thin = options.thin === true;
  const mark = options.mark ?? null;
  let x = 0;
  let drawn = "";
  for (const kind of order) {
    const width = Math.min(1_000 - x, Math.round(parts[kind] ?? 0));
    if (width <= 0) continue;
    drawn += part(kind, { x, width, thin });
    x += width;
  }
  const line = mark === null ? "" : `<path class="p-mark" d="M${mark} 0v10"/>`;
  return `<svg class="bar${thin ? " bar-s" : ""}" viewBox="0 0 1000 10" ` +
    `preserveAspectRatio="none" role="img" aria-label="${escapeMarkup(options.label)}">` +
    `<path class="p-track" d="M0 0h1000v10h-1000z"/>${drawn}${line}</svg>`;
}

function part(
  kind: (typeof order)[number],
  { x, width, thin }: { readonly x: number; readonly width: number; readonly thin: boolean },
): string {
  const stripe = (y: number, height: number) => `M${x} ${y}h${width}v${height}h${-width}z`;
  switch (kind) {
    case "wanted":
      return thin
        ? `<path class="p-wanted" d="${stripe(2.5, 5)}"/>`
        : `<path class="p-wanted" d="${stripe(.6, 2)}${stripe(4, 2)}${stripe(7.4, 2)}"/>`;
    case "surplus":
      return `<path class="p-surplus" d="${stripe(0, 4)}${stripe(6, 4)}"/>`;
    case "away":
    case "dead": {
      const fill = kind === "dead" ? "risk" : "held";
      return `<path class="p-${fill}" d="${stripe(0, 1.6)}${stripe(8.4, 1.6)}"/>`;
    }
    case "held":
    case "risk":
    case "tab":
      return `<path class="p-${kind}" d="${stripe(0, 10)}"/>`;
    default:
      return kind satisfies never;
  }
}
