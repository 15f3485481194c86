// What all pictures are made of: SVG as text, with classes and attributes only, never an inline
// style or an id, so that the strict policy holds and repeated pictures do not collide.
// Angles are radians, clockwise from the top; the ring's centre is the origin.

/** Text for markup and quoted attributes. @throws never */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A coordinate with one decimal, as short as SVG reads it. @throws never */
export function short(value: number): string {
  return (Math.round(value * 10) / 10).toString().replace(/^-0\./, "-.").replace(/^0\./, ".");
}

/** A coordinate with two decimals, for lanes thinner than a unit. @throws never */
export function fine(value: number): string {
  return (Math.round(value * 100) / 100).toString();
}

/** The point at `radius` and `angle`. @throws never */
export function polar(radius: number, angle: number): readonly [number, number] {
  return [radius * Math.sin(angle), -radius * Math.cos(angle)];
}

/** Path of an arc at `radius` from angle `from` to `to`, clockwise. @throws never */
export function arcPath(radius: number, from: number, to: number): string {
  const [x, y] = polar(radius, from);
  const [endX, endY] = polar(radius, to);
  const large = to - from > Math.PI ? 1 : 0;
  const r = short(radius);
  return `M${short(x)} ${short(y)}A${r} ${r} 0 ${large} 1 ${short(endX)} ${short(endY)}`;
}

/** A box as a closed path. @throws never */
export function boxPath(x: number, y: number, size: readonly [number, number]): string {
  const [width, height] = size;
  return `M${fine(x)} ${fine(y)}h${fine(width)}v${fine(height)}h${fine(-width)}z`;
}

/** Equal neighbours as runs, in order. @throws never */
export function runsOf<Cell>(cells: readonly Cell[]): { cell: Cell; count: number }[] {
  const runs: { cell: Cell; count: number }[] = [];
  for (const cell of cells) {
    const last = runs.at(-1);
    if (last !== undefined && last.cell === cell) last.count++;
    else runs.push({ cell, count: 1 });
  }
  return runs;
}

/** One path for each fill that has any, in the order of the record. @throws never */
export function fillPaths(fills: Readonly<Record<string, string>>): string {
  return Object.entries(fills).filter(([, path]) => path !== "")
    .map(([fill, path]) => `<path class="p-${fill}" d="${path}"/>`).join("");
}
