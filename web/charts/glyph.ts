// One shape for each thing a node may be doing, so that colour is never alone; and the colour
// class (tone) that goes with it everywhere.

import type { Liveness } from "../../shared/status.ts";
import type { Phase } from "../../shared/phase.ts";

/** Colour by meaning: the class is-<tone> of the style sheet. */
export type Tone = "held" | "wanted" | "risk" | "surplus" | "tab" | "off";

/** What a glyph says. */
export type Sign =
  | "seeding"
  | "fetching"
  | "picking"
  | "metadata"
  | "joining"
  | "looking"
  | "full"
  | "leaving"
  | "readonly"
  | "stopped"
  | "paused"
  | "suspect"
  | "dead"
  | "tab";

const shapes: Readonly<Record<Sign, string>> = {
  seeding: `<circle r="5.2" class="gs"/>`,
  fetching: `<circle r="4.6" class="gl"/><path class="gs" d="M-4.6 0a4.6 4.6 0 0 0 9.2 0z"/>`,
  picking: `<circle r="4.6" class="gl"/><path class="gs" d="M0 0V-4.6A4.6 4.6 0 0 1 4.6 0z"/>`,
  metadata: `<circle r="4.6" class="gl"/><path class="gl" d="M-2.2 -1.4h4.4M-2.2 1.4h4.4"/>`,
  joining: `<circle r="4.6" class="gl"/><circle r="1.7" class="gs"/>`,
  looking: `<circle r="4.6" class="gl gdot"/>`,
  full: `<path class="gs" d="M-4.6 -4.6h9.2v9.2h-9.2z"/>`,
  leaving: `<circle r="4.6" class="gl"/><path class="gl" d="M-2 0h6.6M2.4 -2.2L4.8 0L2.4 2.2"/>`,
  readonly: `<path class="gl" d="M0 -5.4L5.4 0L0 5.4L-5.4 0zM-2.4 0h4.8"/>`,
  stopped: `<path class="gl" d="M-4.2 -4.2h8.4v8.4h-8.4z"/>`,
  paused: `<path class="gl gx" d="M-2.6 -4V4M2.6 -4V4"/>`,
  suspect: `<circle r="4.6" class="gl gdash"/><circle r="1.3" class="gs"/>`,
  dead: `<path class="gl gx" d="M-4 -4L4 4M4 -4L-4 4"/>`,
  tab: `<path class="gs" d="M0 -5.6L1.5 -1.5L5.6 0L1.5 1.5L0 5.6L-1.5 1.5L-5.6 0L-1.5 -1.5z"/>`,
};

/** The tone of each sign. */
export const toneOf: Readonly<Record<Sign, Tone>> = {
  seeding: "held",
  full: "held",
  fetching: "wanted",
  picking: "wanted",
  metadata: "wanted",
  joining: "wanted",
  looking: "wanted",
  leaving: "off",
  readonly: "off",
  stopped: "off",
  paused: "wanted",
  suspect: "wanted",
  dead: "risk",
  tab: "tab",
};

const signs: Readonly<Record<Phase, Sign>> = {
  "looking for peers": "looking",
  "joining": "joining",
  "fetching metadata": "metadata",
  "picking blocks": "picking",
  "fetching blocks": "fetching",
  "seeding": "seeding",
  "full": "full",
  "leaving": "leaving",
  "read-only": "readonly",
};

/** The sign of a phase by its word, as events carry it. @throws never */
export function signOfWord(word: unknown): Sign {
  return Object.entries(signs).find(([phase]) => phase === word)?.[1] ?? "looking";
}

/** What a node's row in the netmap comes down to: silence beats what it last said. */
export function signOf(state: Liveness, phase: Phase): Sign {
  if (state === "dead") return "dead";
  if (state === "suspect") return "suspect";
  if (state === "left") return "stopped";
  return signs[phase];
}

/** The shape alone, to stand inside another picture. @throws never */
export function glyphShape(sign: Sign): string {
  return shapes[sign];
}

/** A glyph of its own. @throws never */
export function glyph(sign: Sign, tone: Tone = toneOf[sign]): string {
  return `<svg class="glyph is-${tone}" viewBox="-7 -7 14 14" aria-hidden="true">` +
    `${shapes[sign]}</svg>`;
}
