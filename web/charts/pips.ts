// Copies of one thing as small bars, one a wanted copy, filled from the left.

/** `copies` of `wanted`, both whole; one left of several is in the colour of risk. */
export function pips(copies: number, wanted: number): string {
  const width = wanted * 5 - 1;
  const fill = copies < 2 && wanted > 1 ? "p-risk" : "p-held";
  const boxes = Array.from({ length: wanted }, (_, index) => {
    const x = index * 5;
    return index < copies
      ? `<path class="${fill}" d="M${x} 0h4v12h-4z"/>`
      : `<path class="p-open" d="M${x + .5} .5h3v11h-3z"/>`;
  });
  return `<svg class="pips" viewBox="0 0 ${width} 12" width="${width}" height="12" ` +
    `aria-hidden="true">${boxes.join("")}</svg>`;
}
