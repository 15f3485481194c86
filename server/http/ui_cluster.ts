// /ui/cluster: what an order to a process of a cluster would do. Only a gateway with processes
// carries such orders out (cluster_routes.ts); this page is there when one says that it asks.

import { SkyringError } from "../../shared/base/errors.ts";
import { replicasDefault } from "../../shared/base/limits.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import {
  ClusterOrderPage,
  clusterOrders,
  type ClusterOrderView,
} from "../../web/pages/cluster.tsx";
import { processOf } from "../../web/pages/node_sign.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";
import { page, type Ui } from "./ui_pages.ts";

/** Orders after which the node does not answer. */
const parting: ReadonlySet<string> = new Set(["stop", "pause", "remove"]);

/** Adds the route. @throws never */
export function routeCluster(app: App, ui: Ui): void {
  app.get("/ui/cluster", ({ req }) =>
    page(ui, req.raw, async (frame) => {
      const query = new URL(req.url).searchParams;
      const view = await viewOf(ui, req.raw, query);
      return ClusterOrderPage({ view, frame });
    }));
}

async function viewOf(ui: Ui, request: Request, query: URLSearchParams): Promise<ClusterOrderView> {
  const pool = ui.views.pool(request);
  if (pool.cluster === null) {
    const message = "Cannot show that order: this page did not come through a cluster's gateway";
    throw new SkyringError("not_found", message);
  }
  const order = clusterOrders.find((each) => each === query.get("order"));
  if (order === undefined) throw new SkyringError("bad_setting", "Cannot show that order");
  const name = query.get("node") ?? "";
  const process = pool.cluster.processes.find((each) => each.name === name) ?? null;
  if (process === null && order !== "add") {
    throw new SkyringError("not_found", "Cannot find that process in the cluster");
  }
  const node = pool.nodes.find((each) => processOf(each, pool) === process) ?? null;
  return {
    ...{ order, process: order === "add" ? null : process, node, pool },
    ...(parting.has(order) ? await planOf(ui.services, node) : { plan: null, unknown: null }),
    replicas: replicasDefault,
  };
}

type Told = Pick<ClusterOrderView, "plan" | "unknown">;

/** The plan of a stop: what would be made again; or why it is not known. */
async function planOf({ nodeActions }: Services, node: NodeSnapshot | null): Promise<Told> {
  if (node === null) return untold("it is not in the roster");
  if (node.state !== "alive") return untold("it does not answer");
  if (nodeActions === undefined) return untold("this node is not ready");
  try {
    const ordered = await nodeActions.stop(node.id, { dryRun: true, force: false });
    return ordered.kind === "plan" ? { plan: ordered.plan, unknown: null } : untold("no plan came");
  } catch (error) {
    // A node that cannot tell may be why it is stopped: the page is there all the same.
    if (!(error instanceof SkyringError) || error.code === "internal") throw error;
    return untold(error.message);
  }
}

const untold = (unknown: string): Told => ({ plan: null, unknown });
