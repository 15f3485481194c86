// /health: the process answers. /ready: it has joined and takes writes. Both need no token, and
// say nothing that a stranger may not know.

import type { App } from "./routes.ts";
import { jsonResponse } from "./responses.ts";
import type { Services } from "./services.ts";

/** Adds the routes. @throws never */
export function routeHealth(app: App, services: Services): void {
  app.get("/health", () => jsonResponse({ ok: true }));
  app.get("/ready", () => {
    const ready = services.ready();
    if (ready.ready) return jsonResponse({ ok: true });
    const body = {
      type: "urn:skyring:problem:not-ready",
      title: "Not ready",
      status: 503,
      detail: ready.reason,
      code: "not_ready",
      ok: false,
    };
    return jsonResponse(body, {
      status: 503,
      headers: { "content-type": "application/problem+json", "retry-after": "2" },
    });
  });
}
