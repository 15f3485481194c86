// /api/blocks: one block's raw bytes by CID, and the list of what this node still wants.

import { SkyringError } from "../../shared/base/errors.ts";
import type { App } from "./routes.ts";
import { etagOf, judgeRead } from "./conditions.ts";
import { knownDigest } from "./digests.ts";
import { dispositionOf } from "./media_types.ts";
import { encodeCursor, pageOf, parseCid, refuseServiceWorker } from "./requests.ts";
import { jsonResponse } from "./responses.ts";
import type { Services } from "./services.ts";

/** Type of a block's bytes, as the IPFS trustless gateway names it. */
export const rawBlockType = "application/vnd.ipld.raw";
/** What a CID names never changes. */
export const immutable = "public, max-age=29030400, immutable";

/** Adds the routes. @throws never */
export function routeBlocks(app: App, services: Services): void {
  const { wanted } = services;
  if (wanted !== undefined) {
    app.get("/api/blocks", (context) => {
      const { url } = context.req.raw;
      if (new URL(url).searchParams.get("state") !== "wanted") {
        throw new SkyringError("bad_setting", "Cannot list blocks: expected state=wanted");
      }
      const { limit, after } = pageOf(url);
      const page = wanted(after, limit);
      return jsonResponse({ items: page.items, next: encodeCursor(page.next) });
    });
  }
  app.get("/api/blocks/:cid", async (context) => {
    const request = context.req.raw;
    refuseServiceWorker(request.headers);
    const cid = parseCid(context.req.param("cid"));
    const headers: Record<string, string> = {
      "content-type": rawBlockType,
      "content-disposition": dispositionOf("attachment", `${cid}.bin`),
      "cache-control": immutable,
      etag: etagOf(cid),
      "x-content-type-options": "nosniff",
    };
    if (judgeRead(request.headers, cid) === "not_modified") {
      return new Response(null, { status: 304, headers: { etag: etagOf(cid) } });
    }
    const bytes = await services.pool.block(cid, request.signal);
    const digest = knownDigest(cid);
    if (digest !== undefined) headers["repr-digest"] = digest;
    headers["content-length"] = String(bytes.length);
    return new Response(new Uint8Array(bytes), { headers });
  });
}
