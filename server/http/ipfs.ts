// /ipfs/{cid}[/path]: the trustless gateway for raw blocks, and plain bytes of UnixFS files with
// ranges. CAR and other formats are refused with 406, so that nobody takes one for another.
// Source: specs.ipfs.tech/http-gateways (path and trustless gateway)

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { codecOf } from "../../shared/block/cid.ts";
import type { FileInfo, OpenFile } from "../engine/pool.ts";
import type { App } from "./routes.ts";
import { immutable, rawBlockType } from "./blocks.ts";
import { sendFile } from "./file_pull.ts";
import { type Entry, entryOf, resolvePath } from "./ipfs_path.ts";
import { contentHeaders, dispositionOf } from "./media_types.ts";
import { problemResponse } from "./problems.ts";
import { decodeSegments, parseCid, refuseServiceWorker } from "./requests.ts";
import type { Services } from "./services.ts";

type Format = "raw" | "file" | "refused";

/** Adds the route. @throws never */
export function routeIpfs(app: App, services: Services): void {
  app.get("/ipfs/*", async (context) => {
    const request = context.req.raw;
    refuseServiceWorker(request.headers);
    const [text = "", ...rest] = decodeSegments(request.url, 1);
    if (text === "") throw new SkyringError("bad_request", "Cannot read path: no CID given");
    const segments = rest.filter((segment) => segment !== "");
    const root = parseCid(text);
    const format = formatOf(request);
    if (format === "refused") {
      const error = new SkyringError("bad_request", "Cannot answer in that format: only raw");
      return problemResponse(error, 406);
    }
    refuseUncached(request, { root, services });
    const block = (cid: Cid) => services.pool.block(cid, request.signal);
    const { cid, roots } = await resolvePath(root, { segments, block });
    refuseUncached(request, { root: cid, services });
    const path = new URL(request.url).pathname;
    const headers = {
      "cache-control": immutable,
      "x-ipfs-path": path,
      "x-ipfs-roots": roots.join(","),
      // Pages of other origins are strangers: they read only what strangers may.
      ...(services.config.isPublic ? { "access-control-allow-origin": "*" } : {}),
    };
    if (format === "raw") return await sendRaw(cid, { request, headers, block });
    const entry = codecOf(cid) === "dag-pb" ? entryOf(await block(cid)) : undefined;
    if (entry?.kind === "directory" && !path.endsWith("/")) return redirectTo(`${path}/`, request);
    const name = segments.at(-1) ?? cid;
    return await sendContent({ cid, entry }, { request, headers, services, name });
  });
}

function formatOf(request: Request): Format {
  const format = new URL(request.url).searchParams.get("format");
  if (format !== null) return format === "raw" ? "raw" : "refused";
  const accept = request.headers.get("accept") ?? "";
  if (/application\/vnd\.ipld\.raw/i.test(accept)) return "raw";
  return /application\/vnd\.ipld\.car|application\/x-tar/i.test(accept) &&
      !/\*\/\*|text\/html/i.test(accept)
    ? "refused"
    : "file";
}

/** `only-if-cached`: 412 when answering would need the network. */
function refuseUncached(
  request: Request,
  options: { readonly root: Cid; readonly services: Services },
): void {
  const control = request.headers.get("cache-control") ?? "";
  if (!/(^|,)\s*only-if-cached\s*(,|$)/i.test(control)) return;
  if (options.services.holds?.(options.root) === true) return;
  throw new SkyringError("precondition_failed", "Cannot answer from this node alone");
}

interface SendOptions {
  readonly request: Request;
  readonly headers: Readonly<Record<string, string>>;
}

async function sendRaw(
  cid: Cid,
  options: SendOptions & { readonly block: (cid: Cid) => Promise<Uint8Array> },
): Promise<Response> {
  const bytes = await options.block(cid);
  return sendFile(blockAsFile(cid, bytes), {
    request: options.request,
    headers: {
      ...options.headers,
      "content-type": rawBlockType,
      "x-content-type-options": "nosniff",
      "content-disposition": dispositionOf(
        "attachment",
        fileNameOf(options.request) ?? `${cid}.bin`,
      ),
    },
  });
}

/** Relative links of a directory's page need the slash. */
function redirectTo(path: string, request: Request): Response {
  const location = path + new URL(request.url).search;
  return new Response(null, { status: 301, headers: { location } });
}

async function sendContent(
  content: { readonly cid: Cid; readonly entry: Entry | undefined },
  options: SendOptions & { readonly services: Services; readonly name: string },
): Promise<Response> {
  const { cid, entry } = content;
  const { request, services } = options;
  const name = fileNameOf(request) ?? options.name;
  const download = new URL(request.url).searchParams.get("download") === "true";
  if (entry?.kind === "symlink" && entry.data !== undefined) {
    const type = "inode/symlink";
    const headers = { ...options.headers, ...contentHeaders(name, { type, download: true }) };
    return sendFile(blockAsFile(cid, entry.data), { request, headers });
  }
  if (entry !== undefined && entry.kind !== "file") {
    throw new SkyringError("not_found", "Cannot show that CID: it is not a file");
  }
  const file = await services.pool.openCid(cid, request.signal);
  const headers = { ...options.headers, ...contentHeaders(name, { download }) };
  return sendFile(file, { request, headers });
}

function fileNameOf(request: Request): string | undefined {
  const name = new URL(request.url).searchParams.get("filename");
  return name === null || name === "" || name.length > 255 ? undefined : name;
}

/** Bytes at hand as an opened file, for the one code that answers ranges. */
function blockAsFile(cid: Cid, bytes: Uint8Array): OpenFile {
  const info: FileInfo = {
    name: cid,
    cid,
    size: bytes.length,
    blocks: 1,
    chunkBytes: bytes.length,
    replicas: { wanted: 1, least: 1, zones: 1 },
    modifiedAt: 0,
    writer: "",
    stale: false,
  };
  async function* read(range: { readonly start: number; readonly end: number }) {
    yield bytes.subarray(range.start, range.end);
  }
  return { info, read };
}
