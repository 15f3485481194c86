// Lists and views of files as JSON: names, one file's record, its block map.

import { SkyringError } from "../../shared/base/errors.ts";
import { nameBytesMax } from "../../shared/base/limits.ts";
import type { FileInfo, Pool } from "../engine/pool.ts";
import { etagOf } from "./conditions.ts";
import { encodeCursor, pageOf } from "./requests.ts";
import { jsonResponse } from "./responses.ts";

/** What one search looks for at most. */
const wordsMax = 8;
export const wordsCharactersMax = 256;

/** GET /api/files. @throws {SkyringError} bad_setting, bad_request */
export async function listFiles(
  request: Request,
  { pool, known }: { readonly pool: Pool; readonly known: boolean },
): Promise<Response> {
  const { limit, after } = pageOf(request.url);
  const prefix = (new URL(request.url).searchParams.get("prefix") ?? "").normalize("NFC");
  if (new TextEncoder().encode(prefix).length > nameBytesMax) {
    const data = { limit: nameBytesMax };
    throw new SkyringError("bad_name", `Cannot use prefix: over ${nameBytesMax} bytes`, { data });
  }
  const words = wordsOf(request.url);
  // A later page goes on in the same list: only its beginning has to wait for the others.
  const page = await pool.list({ prefix, words, after, limit, fresh: after === undefined });
  const body = { items: page.items, next: encodeCursor(page.next) };
  return jsonResponse(body, { headers: doubtHeaders({ stale: page.stale, known }) });
}

/** Words that names must hold: those of `words`, the first eight. @throws never */
export function wordsOf(url: string, parameter = "words"): string[] {
  const text = (new URL(url).searchParams.get(parameter) ?? "").slice(0, wordsCharactersMax);
  return text.split(/\s+/).filter((word) => word !== "").slice(0, wordsMax);
}

/** GET /api/files/{name}?view=info or blocks. @throws {SkyringError} bad_setting, not_found */
export async function viewFile(
  name: string,
  options: {
    readonly request: Request;
    readonly pool: Pool;
    readonly view: string;
    readonly known: boolean;
  },
): Promise<Response> {
  const { request, pool, view } = options;
  if (view === "info") return infoResponse(await pool.stat(name), options.known);
  if (view !== "blocks") {
    throw new SkyringError("bad_setting", "Cannot use view: expected info or blocks");
  }
  const { limit, after } = pageOf(request.url);
  const start = after === undefined ? -1 : Number(after);
  if (after !== undefined && !/^\d{1,15}$/.test(after)) {
    throw new SkyringError("bad_request", "Cannot read cursor: it is not one of this list");
  }
  const page = await pool.blocks(name, { after: start, limit });
  const next = page.next === null ? null : encodeCursor(String(page.next));
  return jsonResponse({ items: page.items, next });
}

function infoResponse(info: FileInfo, known: boolean): Response {
  const doubts = doubtHeaders({ stale: info.stale, known });
  return jsonResponse(info, { headers: { etag: etagOf(info.cid), ...doubts } });
}

/** What may be missing, and that copies were counted before the others were heard. */
function doubtHeaders(
  { stale, known }: { readonly stale: boolean | undefined; readonly known: boolean },
): Record<string, string> {
  return {
    ...(stale ? { "skyring-stale": "1" } : {}),
    ...(known ? {} : { "skyring-copies": "unknown" }),
  };
}
