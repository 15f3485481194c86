// /api/ring.svg: the ring as a picture that stands on its own, with its colours inside, light or
// dark as the viewer is. Served under a policy of its own, since it carries a style element.

import { ring } from "../../web/charts/ring.ts";
import { standalone } from "../../web/charts/ring_style.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import { textResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Ui } from "./ui_pages.ts";

/** Adds the route, when the node has a ring. @throws never */
export function routeRingPicture(app: App, { services, views }: Ui): void {
  if (services.ring === undefined) return;
  app.get("/api/ring.svg", () => {
    const pool = views.pool();
    if (pool.ring === null) {
      throw new SkyringError("not_ready", "Cannot draw the ring: there is no roster yet");
    }
    const { arcs, replicas, slotCount, epoch } = pool.ring;
    const title = `The ring of ${pool.status.group} at epoch ${epoch}`;
    const centre = [String(slotCount), "slots", `epoch ${epoch}`];
    return textResponse(standalone(ring(arcs, { replicas, title, centre })), {
      type: "image/svg+xml",
      headers: {
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      },
    });
  });
}
