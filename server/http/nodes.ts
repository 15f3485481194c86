// This node, the netmap, connections, background loops and invites, as JSON.

import { SkyringError } from "../../shared/base/errors.ts";
import { endsAs } from "../../shared/base/ids.ts";
import { jobEnded } from "../../shared/job.ts";
import type { App } from "./routes.ts";
import { decodeSegments, encodeCursor, pageOf } from "./requests.ts";
import { jsonResponse } from "./responses.ts";
import type { PeerInfo } from "../net/network.ts";
import type { Services, WorkerControl } from "./services.ts";
import { createTrafficLog } from "./traffic_log.ts";

/** Adds the routes. @throws never */
export function routeNodes(app: App, services: Services): void {
  const { peers, workers, invite } = services;
  app.get("/api/status", () => {
    const jobs = services.nodeActions?.jobs().filter((job) => !jobEnded(job));
    return jsonResponse({ ...services.status(), ...(jobs === undefined ? {} : { jobs }) });
  });
  app.get("/api/nodes", (context) => {
    return listOf(services.nodes(), { url: context.req.url, keyOf: (node) => node.id });
  });
  app.get("/api/nodes/:id", (context) => {
    const id = decodeSegments(context.req.url, 2).join("/");
    const rows = services.nodes();
    const node = rows.find((each) => each.id === id || each.name === id) ??
      rows.find((each) => endsAs(each.id, id));
    if (node === undefined) throw new SkyringError("not_found", "Cannot find that node");
    return jsonResponse(node);
  });
  if (peers !== undefined) {
    const traffic = createTrafficLog();
    app.get("/api/peers", (context) => {
      const open = peers();
      const { peers: rates } = traffic.sample(services.now(), { wanted: 0, peers: open });
      const rows = open.map((peer) => ({ ...peer, ...howFast(peer, rates.get(peer.id)) }));
      return listOf(rows, {
        url: context.req.url,
        keyOf: (peer) => `${peer.id} ${peer.address}`,
      });
    });
  }
  if (workers !== undefined) routeWorkers(app, workers);
  if (invite !== undefined) {
    app.post("/api/invites", async () => jsonResponse({ invite: await invite() }, { status: 201 }));
  }
}

/** What carries a connection, and bytes a second over all those of its peer; 0 at first. */
function howFast(
  { address }: PeerInfo,
  rates: { readonly taken: number; readonly given: number } | undefined,
) {
  return {
    protocol: /\/wss?(\/|$)/.test(address) ? "websocket" : "tcp",
    rates: { bytesIn: rates?.taken ?? 0, bytesOut: rates?.given ?? 0 },
  };
}

function routeWorkers(app: App, workers: WorkerControl): void {
  app.get("/api/workers", (context) => {
    return listOf(workers.list(), { url: context.req.url, keyOf: (worker) => worker.name });
  });
  app.post("/api/workers/:name/:verb{pause|resume}", (context) => {
    const name = context.req.param("name");
    const pausing = context.req.param("verb") === "pause";
    const known = pausing ? workers.pause(name) : workers.resume(name);
    if (!known) throw new SkyringError("not_found", "Cannot find that worker");
    return jsonResponse(workers.list().find((worker) => worker.name === name) ?? { name });
  });
}

/** A page of a list in memory, in key order: a cursor survives changes. @throws as pageOf() */
export function listOf<Item>(
  items: readonly Item[],
  options: { readonly url: string; readonly keyOf: (item: Item) => string },
): Response {
  const { limit, after } = pageOf(options.url);
  const keyed = items
    .map((item) => ({ item, key: options.keyOf(item) }))
    .filter(({ key }) => after === undefined || key > after)
    .sort((left, right) => left.key < right.key ? -1 : 1);
  const page = keyed.slice(0, limit);
  const next = keyed.length > limit ? page.at(-1)?.key ?? null : null;
  return jsonResponse({ items: page.map(({ item }) => item), next: encodeCursor(next) });
}
