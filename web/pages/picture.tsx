// The small pieces that pages are set from: pictures as markup, times, commands to copy, legends
// and notices. Pictures come as text that escapes what it is given; all else is JSX.

import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { glyph, type Sign, type Tone, toneOf } from "../charts/glyph.ts";
import { type Key, keySample } from "../charts/key.ts";
import { exactTime, sinceText } from "./words.ts";

/** A drawn picture in a page. `svg` comes from web/charts/, which escapes. */
export function Picture({ svg }: { readonly svg: string }) {
  return <>{raw(svg)}</>;
}

/** A glyph; its meaning must stand beside it in words. */
export function Glyph(
  { sign, tone = toneOf[sign] }: { readonly sign: Sign; readonly tone?: Tone },
) {
  return <>{raw(glyph(sign, tone))}</>;
}

/** A legend of fills and glyphs. */
export function Legend(
  { items }: {
    readonly items: readonly (readonly [{ readonly key: Key } | { readonly sign: Sign }, string])[];
  },
) {
  return (
    <ul class="legend">
      {items.map(([what, text]) => (
        <li>
          {"key" in what ? raw(keySample(what.key)) : <Glyph sign={what.sign} />}
          {text}
        </li>
      ))}
    </ul>
  );
}

/** How long ago, with the exact time on hover. */
export function Ago(
  { at, now, suffix = " ago" }: {
    readonly at: number;
    readonly now: number;
    readonly suffix?: string;
  },
) {
  return (
    <time datetime={new Date(at).toISOString()} title={exactTime(at)}>
      {sinceText(now - at)}
      {suffix}
    </time>
  );
}

/** A command to copy. The button works with script only, so the script shows it. */
export function Command({ text }: { readonly text: string }) {
  return (
    <div class="cmd">
      <code>{text}</code>
      <button class="btn" type="button" data-copy={text} hidden>Copy</button>
    </div>
  );
}

/** Something to know: what happened, what was tried, what to do. */
export function Notice(
  { sign, tone, children }: {
    readonly sign: Sign;
    readonly tone?: Tone;
    readonly children?: Child;
  },
) {
  return (
    <div class={`notice${tone === undefined ? "" : ` is-${tone}`}`}>
      <Glyph sign={sign} tone={tone ?? "off"} />
      {children}
    </div>
  );
}
