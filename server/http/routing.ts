// /routing/v1/providers/{cid}: Delegated Routing, peer schema, as JSON or NDJSON.
// Source: specs.ipfs.tech/routing/http-routing-v1

import type { App } from "./routes.ts";
import { parseCid } from "./requests.ts";
import { jsonResponse, textResponse } from "./responses.ts";
import type { Provider, Services } from "./services.ts";

/** Adds the route, when the node can look providers up. @throws never */
export function routeRouting(app: App, services: Services): void {
  const { providers } = services;
  if (providers === undefined) return;
  app.get("/routing/v1/providers/:cid", async (context) => {
    const request = context.req.raw;
    const cid = parseCid(context.req.param("cid"));
    const records = (await providers(cid, request.signal)).map(recordOf);
    const headers = { vary: "Accept", "cache-control": "public, max-age=15" };
    if (/application\/x-ndjson/i.test(request.headers.get("accept") ?? "")) {
      const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      return textResponse(lines, { type: "application/x-ndjson", headers });
    }
    return jsonResponse({ Providers: records }, { headers });
  });
}

function recordOf(provider: Provider): Record<string, unknown> {
  return { Schema: "peer", ID: provider.id, Addrs: provider.addresses, Protocols: [] };
}
