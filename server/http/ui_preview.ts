// /ui/preview: stored bytes made fit for a frame of the dashboard. Text of any kind, source and
// markup too, goes out as plain text, cut to a first part, in a sandbox; PDF goes out as what it
// is and nothing else, because a browser's reader does not open inside a sandbox. Pictures, sound
// and film need no frame: elements show them without running anything.
//
// Invariant: nothing here is ever answered with a type that runs in the dashboard's origin.

import type { PreviewKind } from "../../web/pages/file_view.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import { sendFile, streamOf } from "./file_pull.ts";
import { dispositionOf, typeOfName } from "./media_types.ts";
import { nameFromPath, refuseServiceWorker } from "./requests.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";

const textBytesMax = 256 * 1_024;
/** A picture above this would hold the page up; it is downloaded instead. */
const imageBytesMax = 64 * 1_024 * 1_024;
/** Endings of names whose bytes are read as text. */
const textEndings: ReadonlySet<string> = new Set((
  "txt log md csv tsv json jsonl yaml yml toml ini conf xml html htm xhtml css js mjs " +
  "cjs jsx ts tsx mts cts py rb rs go c h cc cpp hpp java kt swift sh bash zsh fish ps1 " +
  "sql lua php pl r tex diff patch srt vtt dot lock env properties gitignore"
).split(" "));

/** How a file is previewed, by its name. @throws never */
export function previewKind(name: string, size: number): PreviewKind {
  if (size === 0) return "none";
  const type = typeOfName(name);
  if (textEndings.has(endingOf(name)) || type.startsWith("text/")) return "text";
  if (type === "application/pdf") return "pdf";
  if (type.startsWith("image/")) return size <= imageBytesMax ? "image" : "none";
  if (type.startsWith("audio/")) return "audio";
  return type.startsWith("video/") ? "video" : "none";
}

function endingOf(name: string): string {
  const base = name.slice(name.lastIndexOf("/") + 1);
  return base.slice(base.lastIndexOf(".") + 1).toLowerCase();
}

/** Adds the route. @throws never */
export function routePreview(app: App, services: Services): void {
  app.get("/ui/preview/*", async (context) => {
    const request = context.req.raw;
    refuseServiceWorker(request.headers);
    const name = nameFromPath(request.url, 2);
    const file = await services.pool.open(name, request.signal);
    const common = {
      "content-disposition": dispositionOf("inline", name),
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "private, no-cache",
      "x-content-type-options": "nosniff",
    };
    switch (previewKind(name, file.info.size)) {
      case "pdf":
        return sendFile(file, {
          request,
          headers: {
            ...common,
            "content-type": "application/pdf",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; " +
              "frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
          },
        });
      case "text": {
        const end = Math.min(file.info.size, textBytesMax);
        return new Response(streamOf(file.read({ start: 0, end }, request.signal)), {
          headers: {
            ...common,
            "content-type": "text/plain; charset=utf-8",
            "content-length": String(end),
            "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'self'",
          },
        });
      }
      default:
        throw new SkyringError("not_found", "Cannot preview that kind of file");
    }
  });
}
