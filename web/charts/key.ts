// Small samples of the fills, for legends: each is drawn as it is drawn in the picture.

/** What a sample shows. */
export type Key =
  | "held"
  | "wanted"
  | "surplus"
  | "tab"
  | "off"
  | "whole"
  | "coming"
  | "risk"
  | "lost"
  | "extra"
  | "tick-whole"
  | "tick-short"
  | "tick-last"
  | "tick-none";

const samples: Readonly<Record<Key, string>> = {
  held: `<path class="p-held" d="M0 0h14v12h-14z"/>`,
  wanted: `<path class="p-track" d="M0 0h14v12h-14z"/>` +
    `<path class="p-wanted" d="M0 1h14v2h-14zM0 5h14v2h-14zM0 9h14v2h-14z"/>`,
  surplus: `<path class="p-surplus" d="M0 0h14v4.5h-14zM0 7h14v4.5h-14z"/>`,
  tab: `<path class="p-tab" d="M0 0h14v12h-14z"/>`,
  off: `<path class="p-off" d="M0 5h14v2h-14z"/>`,
  whole: `<path class="p-held" d="M0 0h14v3.4h-14zM0 4.3h14v3.4h-14zM0 8.6h14v3.4h-14z"/>`,
  coming: `<path class="p-track" d="M0 0h14v3.4h-14z"/>` +
    `<path class="p-wanted" d="M0 1h14v1.5h-14z"/>` +
    `<path class="p-held" d="M0 4.3h14v3.4h-14zM0 8.6h14v3.4h-14z"/>`,
  risk: `<path class="p-track" d="M0 0h14v12h-14z"/><path class="p-risk" d="M0 8h14v4h-14z"/>`,
  lost: `<path class="p-track" d="M0 0h14v12h-14z"/>` +
    `<path class="p-risk" d="M0 0h14v1.6h-14zM0 10.4h14v1.6h-14z"/>`,
  extra: `<path class="p-track" d="M0 3h14v9h-14z"/><path class="p-surplus" d="M0 0h14v2h-14z"/>`,
  "tick-whole": `<path class="p-held" d="M1 7h2v5h-2zM6 7h2v5h-2zM11 7h2v5h-2z"/>`,
  "tick-short": `<path class="p-wanted" d="M1 4h2v8h-2zM6 4h2v8h-2zM11 4h2v8h-2z"/>`,
  "tick-last": `<path class="p-risk" d="M1 1h2v11h-2zM6 1h2v11h-2zM11 1h2v11h-2z"/>`,
  "tick-none":
    `<path class="p-risk" d="M2 -2h1v14h-1zM4 -2h1v14h-1zM9 -2h1v14h-1zM11 -2h1v14h-1z"/>`,
};

/** One sample. @throws never */
export function keySample(key: Key): string {
  return `<svg class="key" viewBox="0 0 14 12" aria-hidden="true">${samples[key]}</svg>`;
}
