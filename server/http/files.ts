// /api/files: the routes, and the small changes. Uploads are in file_push.ts, downloads in
// file_pull.ts, lists and views in file_views.ts.

import * as v from "valibot";
import { replicasMax } from "../../shared/base/limits.ts";
import type { App } from "./routes.ts";
import { etagOf, writeCondition } from "./conditions.ts";
import { pullFile } from "./file_pull.ts";
import { pushFile } from "./file_push.ts";
import { copiesKnown } from "./copies_known.ts";
import { listFiles, viewFile } from "./file_views.ts";
import { nameFromPath, readJson } from "./requests.ts";
import { jsonResponse } from "./responses.ts";
import type { Services } from "./services.ts";

const patchBody = v.strictObject({
  replicas: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(replicasMax)),
});

/** Segments before the name: `api`, `files`. */
export const filePathSkip = 2;

/** Adds the routes. @throws never */
export function routeFiles(app: App, services: Services): void {
  const { pool } = services;
  app.get(
    "/api/files",
    (context) => listFiles(context.req.raw, { pool, known: copiesKnown(services) }),
  );
  app.put("/api/files/*", (context) => pushFile(context.req.raw, pool));
  // HEAD comes this way too: the framework routes it to GET.
  app.get("/api/files/*", (context) => {
    const request = context.req.raw;
    const name = nameFromPath(request.url, filePathSkip);
    const view = new URL(request.url).searchParams.get("view");
    return view === null
      ? pullFile(name, { request, pool })
      : viewFile(name, { request, pool, view, known: copiesKnown(services) });
  });
  app.delete("/api/files/*", async (context) => {
    const name = nameFromPath(context.req.url, filePathSkip);
    const condition = writeCondition(context.req.raw.headers);
    await pool.remove(name, { condition, moved: context.req.query("moved") === "1" });
    return new Response(null, { status: 204 });
  });
  app.patch("/api/files/*", async (context) => {
    const name = nameFromPath(context.req.url, filePathSkip);
    const { replicas } = await readJson(context.req.raw, patchBody);
    const info = await pool.setReplicas(name, replicas);
    return jsonResponse(info, { headers: { etag: etagOf(info.cid) } });
  });
}
