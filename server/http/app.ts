// The HTTP app: access rules, headers of every answer, the last resort for errors, and the
// resources, each in its own file. It knows fetch requests only, so that tests call it directly;
// sockets are the adapter's matter.

import { Hono } from "hono";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Connection } from "./adapter.ts";
import { checkAccess } from "./auth.ts";
import { routeBlocks } from "./blocks.ts";
import { routeEvents } from "./events.ts";
import { routeFiles } from "./files.ts";
import { routeHealth } from "./health.ts";
import { routeIpfs } from "./ipfs.ts";
import { loginPage, routeLogin, wantsLogin } from "./login.ts";
import { routeJobs } from "./jobs.ts";
import { createRequestCounter, routeMetrics } from "./metrics.ts";
import { routeNodeActions } from "./node_actions.ts";
import { routeNodes } from "./nodes.ts";
import { routeOpenapi } from "./openapi.ts";
import { problemResponse } from "./problems.ts";
import { routeRing } from "./ring.ts";
import type { App } from "./routes.ts";
import { routeRouting } from "./routing.ts";
import { routeShares } from "./shares.ts";
import type { Services } from "./services.ts";
import { routeTabs } from "./tab_api.ts";
import { routeUi } from "./ui.ts";

/** The whole app over `services`; call `app.fetch(request, connection)`. @throws never */
export function createApp(services: Services): App {
  const app: App = new Hono<{ Bindings: Connection }>();
  const counter = createRequestCounter();
  app.use(async (context, next) => {
    const request = context.req.raw;
    checkAccess({
      method: request.method,
      path: context.req.path,
      url: new URL(request.url),
      headers: request.headers,
    }, services.config);
    await next();
  });
  routeHealth(app, services);
  routeMetrics(app, { services, counter });
  routeNodes(app, services);
  routeNodeActions(app, services);
  routeJobs(app, services);
  routeRing(app, services);
  routeFiles(app, services);
  routeBlocks(app, services);
  routeShares(app, services);
  routeTabs(app, services);
  routeEvents(app, services);
  routeIpfs(app, services);
  routeRouting(app, services);
  routeLogin(app, services);
  routeUi(app, services);
  routeOpenapi(app, services);
  app.notFound(() => problemResponse(new SkyringError("not_found", "Cannot find that path")));
  app.onError((error, context) => {
    return wantsLogin(error, context.req.raw)
      ? loginPage(401, context.req.raw)
      : lastResort(error, services);
  });
  return finished(app, { services, counter });
}

/** Every error ends here: known ones speak, others are logged and say nothing of themselves. */
function lastResort(error: unknown, services: Services): Response {
  if (error instanceof SkyringError) {
    if (error.code === "internal") services.log("http.internal", { error: messageOf(error) });
    return problemResponse(error);
  }
  const stack = error instanceof Error ? error.stack : undefined;
  services.log("http.bug", { error: messageOf(error), stack });
  return problemResponse(error);
}

/** Wraps `fetch` so that every answer, those of errors too, has the common headers. */
function finished(
  app: App,
  options: { services: Services; counter: ReturnType<typeof createRequestCounter> },
): App {
  const answer = app.fetch;
  app.fetch = async (request, connection, execution) => {
    const response = await answer(request, connection, execution);
    options.counter.count(request.method, response.status);
    const headers = new Headers(response.headers);
    headers.set("skyring-version", options.services.config.version);
    if (!headers.has("x-content-type-options")) headers.set("x-content-type-options", "nosniff");
    if (!headers.has("referrer-policy")) headers.set("referrer-policy", "no-referrer");
    return new Response(response.body, { status: response.status, headers });
  };
  return app;
}
