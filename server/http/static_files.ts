// /static: style, scripts and the icon, from our own files and from the htmx package, held in
// memory with their hashes. An address with the right hash never changes; one without is asked
// for again. Nothing comes from outside.

import { createHash } from "node:crypto";
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" };
import eventStream from "htmx.org/dist/ext/hx-sse.min.js" with { type: "text" };
import icon from "../../web/static/icon.svg" with { type: "text" };
import live from "../../web/static/live.js" with { type: "text" };
import style from "../../web/static/style.css" with { type: "text" };
import upload from "../../web/static/upload.js" with { type: "text" };
import { SkyringError } from "../../shared/base/errors.ts";
import type { App } from "./routes.ts";
import { compressed, hasTag } from "./ui_answer.ts";

interface Asset {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly hash: string;
}

const script = "text/javascript; charset=utf-8";
// Comments about maps of sources would make browsers ask for files that are not here.
const withoutMap = (text: string) => text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");

const assets: ReadonlyMap<string, Asset> = new Map([
  ["style.css", asset(style, "text/css; charset=utf-8")],
  // One script: between two, htmx may wire the page before its extension is known to it.
  ["htmx.js", asset(`${withoutMap(htmx)}\n${withoutMap(eventStream)}`, script)],
  ["live.js", asset(live, script)],
  ["upload.js", asset(upload, script)],
  ["icon.svg", asset(icon, "image/svg+xml")],
]);

/** The style sheet as text, and as a policy names it where a page carries it inside. */
export const styleSheet = {
  text: style,
  source: `sha256-${createHash("sha256").update(style).digest("base64")}`,
} as const;

/** Addresses for a page's head, scripts in the order in which they run. */
export const assetAddresses = {
  style: addressOf("style.css"),
  scripts: ["htmx.js", "live.js", "upload.js"].map(addressOf),
} as const;

/** Adds the route. @throws never */
export function routeStatic(app: App): void {
  app.get("/static/:name", (context) => {
    const found = assets.get(context.req.param("name"));
    if (found === undefined) throw new SkyringError("not_found", "Cannot find that file");
    const request = context.req.raw;
    const known = context.req.query("v") === found.hash;
    const etag = `W/"${found.hash}"`;
    const headers = {
      "content-type": found.type,
      "cache-control": known ? "public, max-age=31536000, immutable" : "no-cache",
      "cross-origin-resource-policy": "same-origin",
      vary: "Accept-Encoding",
      etag,
    };
    if (hasTag(request.headers, etag)) return new Response(null, { status: 304, headers });
    return compressed(found.bytes, { request, status: 200, headers });
  });
}

function asset(text: string, type: string): Asset {
  const bytes = new TextEncoder().encode(text);
  return { bytes, type, hash: createHash("sha256").update(bytes).digest("hex").slice(0, 16) };
}

function addressOf(name: string): string {
  return `/static/${name}?v=${assets.get(name)?.hash ?? ""}`;
}
