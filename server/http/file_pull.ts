// GET and HEAD of a file's bytes, by name or by CID: conditions, one range, headers that keep
// foreign content quiet, and a body that is read only as fast as the client takes it.
//
// Invariant: headers are made from the record alone, before the first block is fetched; a body
// that fails rejects its stream, which breaks the connection.

import { SkyringError } from "../../shared/base/errors.ts";
import type { FileInfo, OpenFile, Pool } from "../engine/pool.ts";
import { etagOf, judgeRead, rangeApplies } from "./conditions.ts";
import { knownDigest } from "./digests.ts";
import { contentHeaders } from "./media_types.ts";
import { problemResponse } from "./problems.ts";
import { chooseRange } from "./ranges.ts";
import { refuseServiceWorker } from "./requests.ts";

/** Answers with a named file. @throws {SkyringError} not_found and others of the pool */
export async function pullFile(
  name: string,
  options: { readonly request: Request; readonly pool: Pool },
): Promise<Response> {
  const { request, pool } = options;
  refuseServiceWorker(request.headers);
  const file = await pool.open(name, request.signal);
  const download = new URL(request.url).searchParams.has("download");
  return sendFile(file, {
    request,
    headers: {
      ...contentHeaders(file.info.name, { download }),
      "cache-control": "private, no-cache",
      "last-modified": new Date(file.info.modifiedAt).toUTCString(),
      ...(file.info.stale ? { "skyring-stale": "1" } : {}),
    },
  });
}

/** 200, 206, 304, 412 or 416 for an opened file. @throws {SkyringError} bad_request */
export function sendFile(
  file: OpenFile,
  options: { readonly request: Request; readonly headers: Readonly<Record<string, string>> },
): Response {
  const { request } = options;
  const { info } = file;
  const base = { ...options.headers, etag: etagOf(info.cid), "accept-ranges": "bytes" };
  const outcome = judgeRead(request.headers, info.cid);
  if (outcome === "failed") {
    const data = { cid: info.cid };
    throw new SkyringError("precondition_failed", "Cannot answer: it has another version", {
      data,
    });
  }
  if (outcome === "not_modified") return new Response(null, { status: 304, headers: plain(base) });
  const header = rangeApplies(request.headers, info.cid) ? request.headers.get("range") : null;
  const range = chooseRange(header, info.size);
  if (range.kind === "unsatisfiable") return unsatisfiable(info);
  const [start, end] = range.kind === "part" ? [range.start, range.end] : [0, info.size];
  const digest = knownDigest(info.cid);
  const headers: Record<string, string> = {
    ...base,
    "content-length": String(end - start),
    ...(digest === undefined ? {} : { "repr-digest": digest }),
    ...(range.kind === "part" ? { "content-range": `bytes ${start}-${end - 1}/${info.size}` } : {}),
  };
  const status = range.kind === "part" ? 206 : 200;
  if (request.method === "HEAD" || end === start) return new Response(null, { status, headers });
  return new Response(streamOf(file.read({ start, end }, request.signal)), { status, headers });
}

/** A byte stream that asks for nothing before it is read. @throws never */
export function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
}

function unsatisfiable(info: FileInfo): Response {
  const detail = `Cannot send that range: the file has ${info.size} bytes`;
  const error = new SkyringError("range_unsatisfiable", detail, { data: { size: info.size } });
  const response = problemResponse(error);
  response.headers.set("content-range", `bytes */${info.size}`);
  return response;
}

/** A 304 describes no content. */
function plain(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { "content-type": _type, "content-disposition": _disposition, ...rest } = headers;
  return rest;
}
