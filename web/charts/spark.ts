// The sparkline: what was taken as a line over a filled area, what was given dotted.

import { escapeMarkup, short } from "./svg.ts";

/**
 * One or two series of equal length over one scale from 0.
 * @param series values 0 or more, oldest first. @throws never
 */
export function spark(
  series: readonly (readonly number[])[],
  options: { readonly label: string; readonly large?: boolean },
): string {
  const points = Math.max(2, ...series.map((values) => values.length));
  const top = Math.max(1, ...series.flat());
  const lines = series.map((values, index) => {
    const padded = [...new Array(points - values.length).fill(0), ...values];
    const path = padded.map((value, at) => `${at ? "L" : "M"}${at} ${short(23 - 22 * value / top)}`)
      .join("");
    const area = index === 0 ? `<path class="spark-area" d="${path}V24H0z"/>` : "";
    return `${area}<path class="spark-${index === 0 ? "in" : "out"}" d="${path}"/>`;
  });
  return `<svg class="spark${options.large === true ? " spark-l" : ""}" ` +
    `viewBox="0 0 ${points - 1} 24" preserveAspectRatio="none" role="img" ` +
    `aria-label="${escapeMarkup(options.label)}">${lines.join("")}</svg>`;
}
