// PUT /api/files/{name}: the body as it comes, with back-pressure, into the pool; or, with
// ?from=, a name for content that the pool already has.

import { SkyringError } from "../../shared/base/errors.ts";
import { chunkBytesDefault, chunkBytesLarge, replicasMax } from "../../shared/base/limits.ts";
import { encodeName } from "../../shared/base/name.ts";
import type { Pool, PushOptions, PushResult } from "../engine/pool.ts";
import { etagOf, writeCondition } from "./conditions.ts";
import { requestDigests } from "./digests.ts";
import { nameFromPath, parseCid, queryInteger } from "./requests.ts";
import { jsonResponse } from "./responses.ts";

const chunkSizes: ReadonlyMap<string, number> = new Map([
  ["256KiB", chunkBytesDefault],
  [String(chunkBytesDefault), chunkBytesDefault],
  ["1MiB", chunkBytesLarge],
  [String(chunkBytesLarge), chunkBytesLarge],
]);
const pathSkip = 2;

/** Stores or links, and answers 201 or 200. @throws {SkyringError} of the request or the pool */
export async function pushFile(request: Request, pool: Pool): Promise<Response> {
  const query = new URL(request.url).searchParams;
  const options = pushOptions(request, query);
  const from = query.get("from");
  const length = contentLength(request.headers);
  if (from !== null) {
    if (request.body !== null) {
      throw new SkyringError("bad_request", "Cannot take a body together with from");
    }
    return answerOf(await pool.link(parseCid(from), options));
  }
  if (request.headers.has("content-range")) {
    throw new SkyringError("bad_request", "Cannot store a part of a file: Content-Range was given");
  }
  const result = await pool.push(request.body ?? nothing(), {
    ...options,
    ...(length === undefined ? {} : { contentLength: length }),
    digests: requestDigests(request.headers),
  });
  return answerOf(result);
}

function pushOptions(
  request: Request,
  query: URLSearchParams,
): Omit<PushOptions, "contentLength" | "digests"> {
  const replicas = query.get("replicas");
  const chunkSize = query.get("chunk-size");
  const chunkBytes = chunkSize === null ? undefined : chunkSizes.get(chunkSize);
  if (chunkSize !== null && chunkBytes === undefined) {
    throw new SkyringError("bad_setting", "Cannot use chunk-size: expected 256KiB or 1MiB");
  }
  const condition = writeCondition(request.headers);
  return {
    name: nameFromPath(request.url, pathSkip),
    signal: request.signal,
    ...(replicas === null
      ? {}
      : { replicas: queryInteger(replicas, { name: "replicas", min: 1, max: replicasMax }) }),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
    ...(condition === undefined ? {} : { condition }),
  };
}

function contentLength(headers: Headers): number | undefined {
  const header = headers.get("content-length");
  if (header === null) return undefined;
  const length = /^\d{1,16}$/.test(header) ? Number(header) : NaN;
  if (Number.isSafeInteger(length)) return length;
  throw new SkyringError("bad_request", "Cannot read Content-Length: not a number of bytes");
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function answerOf(result: PushResult): Response {
  const { info, created } = result;
  const headers: Record<string, string> = { etag: etagOf(info.cid) };
  if (created) headers["location"] = `/api/files/${encodeName(info.name)}`;
  return jsonResponse(info, { status: created ? 201 : 200, headers });
}
