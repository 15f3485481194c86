// The dashboard's place in the app: pages, their parts, forms, previews, events, static files; and
// what a person sees who asks for a page that there is not.

import { SkyringError } from "../../shared/base/errors.ts";
import { FailurePage } from "../../web/pages/failure.tsx";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";
import { routeStatic } from "./static_files.ts";
import { routeTabPage } from "./tab_page.ts";
import { routeActions } from "./ui_actions.ts";
import { uiResponse } from "./ui_answer.ts";
import { routeCluster } from "./ui_cluster.ts";
import { routeUiEvents } from "./ui_events.ts";
import { createFileViews } from "./ui_files.ts";
import { routeOrders } from "./ui_orders.ts";
import { routePages, type Ui } from "./ui_pages.ts";
import { routePreview } from "./ui_preview.ts";
import { routeRingPicture } from "./ui_ring_picture.ts";
import { createViews } from "./ui_views.ts";

/** Adds all routes of the dashboard that the services can fill. @throws never */
export function routeUi(app: App, services: Services): void {
  const views = createViews(services);
  const ui = { services, views, files: createFileViews(services, views) };
  // Before the others under /static: its scripts are not known when this file is loaded.
  routeTabPage(app, ui);
  routeStatic(app);
  routePages(app, ui);
  routeRingPicture(app, ui);
  routeActions(app, ui);
  routeOrders(app, ui);
  routeCluster(app, ui);
  routePreview(app, services);
  routeUiEvents(app, services);
  routeNoPage(app, ui);
}

/** Comes last: every page that there is has been found by then. */
function routeNoPage(app: App, ui: Ui): void {
  app.get("/ui/*", async ({ req }) => {
    const isPage = !req.path.startsWith("/ui/part/") &&
      /text\/html/.test(req.header("accept") ?? "");
    if (!isPage) throw new SkyringError("not_found", "Cannot find that path");
    const html = await FailurePage({
      frame: ui.views.frame(req.raw),
      message: "There is no such page",
      advice:
        "The address may be mistyped, or of another version. The pages there are stand above.",
    });
    return uiResponse(String(html), { request: req.raw, status: 404 });
  });
}
