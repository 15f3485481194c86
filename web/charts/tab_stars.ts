// Tabs in the ring's picture: small stars inside the circle, since they belong to no place on it.
// They stand a golden angle apart, so that any number looks scattered, and each keeps its place
// while others come and go.

import { polar, short } from "./svg.ts";

/** More would be a fog; the number stands beside the picture. */
const shownMax = 40;
const goldenAngle = Math.PI * (3 - Math.sqrt(5));
const radii = [72, 118] as const;
const tips = [2.6, 3.5, 4.4] as const;

/** Stars for so many tabs; nothing for none. @throws never */
export function tabStars(count: number): string {
  const shown = Math.min(count, shownMax);
  if (shown === 0) return "";
  const stars = Array.from({ length: shown }, (_, index) => {
    const radius = radii[0] + (radii[1] - radii[0]) * (index * 0.382 % 1);
    const [x, y] = polar(radius, 0.7 + index * goldenAngle);
    const tip = tips[index % tips.length] ?? tips[0];
    return `<path class="gs" transform="translate(${short(x)} ${short(y)})" ` +
      `d="M0 -${tip}L.8 -.8L${tip} 0L.8 .8L0 ${tip}L-.8 .8L-${tip} 0L-.8 -.8z"/>`;
  });
  return `<g class="tabs is-tab" aria-hidden="true">${stars.join("")}</g>`;
}
