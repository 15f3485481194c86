// The frame of every page: head under the strict policy, navigation, the place for what is live,
// the footer with the theme. Pages in the navigation are those that this node can fill.

import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { cellGaps } from "../charts/grid.ts";
import { type Sign, toneOf } from "../charts/glyph.ts";
import { Glyph } from "./picture.tsx";

export type PageName =
  | "overview"
  | "nodes"
  | "files"
  | "ring"
  | "wanted"
  | "peers"
  | "workers"
  | "jobs"
  | "tab";
export type Theme = "auto" | "light" | "dark";

export interface FrameView {
  readonly version: string;
  readonly group: string;
  readonly node: { readonly name: string; readonly id: string; readonly sign: Sign };
  readonly epoch: number;
  readonly theme: Theme;
  readonly pages: readonly PageName[];
  /** Address of this page, to come back to after a form. */
  readonly here: string;
  /** Addresses of script and style, with their content's hash. */
  readonly assets: { readonly style: string; readonly scripts: readonly string[] };
}

export interface FrameProps {
  readonly view: FrameView;
  readonly title: string;
  /** Which of the navigation it is; null for none of them. */
  readonly page: PageName | null;
  /** Scripts of this page alone. */
  readonly scripts?: readonly string[];
  readonly children?: Child;
}

const names: Readonly<Record<PageName, readonly [string, string]>> = {
  overview: ["/", "Overview"],
  nodes: ["/ui/nodes", "Nodes"],
  files: ["/ui/files", "Files"],
  ring: ["/ui/ring", "Ring"],
  wanted: ["/ui/wanted", "Wanted"],
  peers: ["/ui/peers", "Peers"],
  workers: ["/ui/workers", "Workers"],
  jobs: ["/ui/jobs", "Jobs"],
  tab: ["/ui/tab", "This tab"],
};

/** htmx must neither guess nor evaluate: no inline style, only our own scripts. */
const htmxConfig = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  defaultTimeout: 15_000,
  noSwap: [204, 304, 400, 401, 403, 404, 409, 412, 422, 429, 500, 503, 504, 507],
});

/** The whole document. */
export function Frame({ view, title, page, scripts = [], children }: FrameProps) {
  const theme = view.theme === "auto" ? {} : { "data-theme": view.theme };
  return (
    <>
      {raw("<!doctype html>")}
      <html lang="en" {...theme}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <meta name="htmx-config" content={htmxConfig} />
          <title>{title} · Skyring</title>
          <link rel="icon" href="/static/icon.svg" type="image/svg+xml" />
          <link rel="stylesheet" href={view.assets.style} />
          {[...view.assets.scripts, ...scripts].map((source) => (
            <script src={source} defer>
            </script>
          ))}
        </head>
        <body>
          <a class="skip" href="#main">Skip to content</a>
          <svg class="sprite" aria-hidden="true">
            <defs>{raw(cellGaps())}</defs>
          </svg>
          <Top view={view} page={page} />
          <CutNotice name={view.node.name} />
          {children}
          <Foot view={view} />
          <div
            id="stream"
            hx-sse:connect="/ui/events"
            hx-trigger="skyring-watch"
            hx-swap="none"
            hidden
          >
          </div>
        </body>
      </html>
    </>
  );
}

function Top({ view, page }: Pick<FrameProps, "view" | "page">) {
  return (
    <header class="top">
      <a class="brand" href="/">
        {raw(logo)}Skyring <span class="quiet clip">{view.group}</span>
      </a>
      <nav class="nav" aria-label="Pages">
        <ul>
          {view.pages.map((name) => (
            <li>
              <a href={names[name][0]} {...(name === page ? { "aria-current": "page" } : {})}>
                {names[name][1]}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <span class="here hide-s">
        <Glyph sign={view.node.sign} tone={toneOf[view.node.sign]} />
        <span>
          you are on <a href={`/ui/nodes#${view.node.id}`}>{view.node.name}</a>
        </span>
      </span>
    </header>
  );
}

/** Shown by the script when polls fail; its words are in the page already. */
function CutNotice({ name }: { readonly name: string }) {
  return (
    <div id="cut" class="cut" role="alert" hidden>
      <div class="notice">
        <Glyph sign="looking" tone="off" />
        <p>
          <b>{name} does not answer this page.</b> What you see is{" "}
          <span data-cut-age>some seconds</span> old. It is asked again every 2 s.
        </p>
        <button class="btn" type="button" data-try>Try now</button>
      </div>
    </div>
  );
}

function Foot({ view }: { readonly view: FrameView }) {
  return (
    <footer class="foot">
      <div>
        <span>Skyring {view.version} · epoch {view.epoch}</span>
        <a href="/api/openapi.json">API</a>
        <a href="/metrics">Metrics</a>
        <form class="theme" method="post" action="/ui/theme" aria-label="Theme">
          <input type="hidden" name="back" value={view.here} />
          {(["auto", "light", "dark"] as const).map((theme) => (
            <button
              type="submit"
              name="theme"
              value={theme}
              aria-pressed={String(view.theme === theme)}
            >
              {theme.charAt(0).toUpperCase() + theme.slice(1)}
            </button>
          ))}
        </form>
      </div>
    </footer>
  );
}

const logo = `<svg viewBox="-12 -12 24 24" aria-hidden="true"><circle r="9.2" fill="none" ` +
  `stroke="currentColor" stroke-width="1.5"/><path d="M0 -9.2L8 4.6L-8 4.6z" fill="none" ` +
  `stroke="currentColor" stroke-width=".9" opacity=".6"/><g class="is-held">` +
  `<circle class="gs" r="3" cy="-9.2"/><circle class="gs" r="3" cx="8" cy="4.6"/>` +
  `<circle class="gs" r="3" cx="-8" cy="4.6"/></g></svg>`;

/** A part of a page that is asked for again every `seconds`, and at once when the pool changes. */
export function Live(
  { part, seconds = 2, children }: {
    readonly part: string;
    readonly seconds?: number;
    readonly children?: Child;
  },
) {
  return (
    <div
      id="live"
      hx-get={part}
      hx-trigger={`every ${seconds}s, pool-changed`}
      hx-swap="innerMorph"
      data-live
    >
      {children}
    </div>
  );
}
