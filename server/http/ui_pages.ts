// The pages, and the part of each that is asked for again while it is open. A page that cannot be
// made says what happened; a part that cannot is a problem, and the page keeps its last picture.

import { SkyringError } from "../../shared/base/errors.ts";
import { clusterOrders } from "../../web/pages/cluster.tsx";
import { DeletedPage, DeletedPart } from "../../web/pages/deleted.tsx";
import { FailurePage } from "../../web/pages/failure.tsx";
import { FileGone, FilePage, FilePart } from "../../web/pages/file.tsx";
import { FilesPage, FilesPart } from "../../web/pages/files.tsx";
import { NodesPage, NodesPart } from "../../web/pages/nodes.tsx";
import { OverviewPage, OverviewPart } from "../../web/pages/overview.tsx";
import { PeersPage, PeersPart, type PeersView } from "../../web/pages/peers.tsx";
import type { PoolView } from "../../web/pages/pool_view.ts";
import { RingPage, type RingPageView, RingPart } from "../../web/pages/ring_page.tsx";
import { ShareState } from "../../web/pages/share_box.tsx";
import { WantedPage, WantedPart } from "../../web/pages/wanted.tsx";
import { WorkersPage, WorkersPart, type WorkersView } from "../../web/pages/workers.tsx";
import { logIn } from "./login.ts";
import { statusOf } from "./problems.ts";
import { queryInteger } from "./requests.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";
import type { FileViews } from "./ui_files.ts";
import { uiResponse } from "./ui_answer.ts";
import { createWantedReader } from "./ui_wanted.ts";
import type { Views } from "./ui_views.ts";

export interface Ui {
  readonly services: Services;
  readonly views: Views;
  readonly files: FileViews;
}

/** What JSX makes: text, at once or later. */
type Markup = { toString(): string } | Promise<{ toString(): string }>;

/** Adds the pages that this node can fill. @throws never */
export function routePages(app: App, ui: Ui): void {
  const { services, views, files } = ui;
  app.get("/", (context) => {
    const token = context.req.query("token");
    const request = context.req.raw;
    if (token !== undefined) return logIn(token, { headers: request.headers, services });
    return page(ui, request, (frame) => OverviewPage({ view: views.pool(request), frame }));
  });
  app.get("/ui/part/overview", ({ req }) => {
    return part(req.raw, OverviewPart({ view: views.pool(req.raw) }));
  });
  app.get("/ui/nodes", ({ req }) =>
    page(ui, req.raw, (frame) => {
      const view = views.pool(req.raw);
      const told = toldOf(view, new URL(req.url).searchParams);
      return NodesPage({ view, frame, canInvite: services.invite !== undefined, told });
    }));
  app.get("/ui/part/nodes", ({ req }) => part(req.raw, NodesPart({ view: views.pool(req.raw) })));
  app.get("/ui/files", ({ req }) =>
    page(ui, req.raw, async (frame) => (
      FilesPage({ view: await files.list(req.raw), frame })
    )));
  app.get("/ui/part/files", async ({ req }) => {
    return part(req.raw, FilesPart({ view: await files.list(req.raw) }));
  });
  app.get(
    "/ui/deleted",
    ({ req }) =>
      page(ui, req.raw, async (frame) => DeletedPage({ view: await files.deleted(), frame })),
  );
  app.get("/ui/part/deleted", async ({ req }) => {
    return part(req.raw, DeletedPart({ view: await files.deleted() }));
  });
  app.get("/ui/file", ({ req }) =>
    page(ui, req.raw, async (frame) => (
      FilePage({ view: await files.one(nameOf(req.raw), windowOf(req.raw)), frame })
    )));
  app.get("/ui/part/file", async ({ req }) => {
    const name = nameOf(req.raw);
    try {
      const view = await files.one(name, windowOf(req.raw));
      return part(req.raw, FilePart({ view }));
    } catch (error) {
      if (!(error instanceof SkyringError) || error.code !== "not_found") throw error;
      return part(req.raw, FileGone({ name }));
    }
  });
  app.get("/ui/part/share", async ({ req }) => {
    const file = await services.pool.stat(nameOf(req.raw));
    const copiesKnown = views.copiesKnown();
    return part(req.raw, ShareState({ file, nodes: views.members().size, copiesKnown }));
  });
  routeRingPage(app, ui);
  routeListPages(app, ui);
}

function routeRingPage(app: App, ui: Ui): void {
  if (ui.services.ring === undefined) return;
  app.get("/ui/ring", ({ req }) =>
    page(ui, req.raw, async (frame) => (
      RingPage({ view: await ringView(ui, req.raw), frame })
    )));
  app.get("/ui/part/ring", async ({ req }) => {
    return part(req.raw, RingPart({ view: await ringView(ui, req.raw) }));
  });
}

function routeListPages(app: App, ui: Ui): void {
  const { services, views } = ui;
  const { peers, workers, wanted } = services;
  if (peers !== undefined) {
    const view = (): PeersView => ({ pool: views.pool(), peers: peers() });
    app.get(
      "/ui/peers",
      ({ req }) => page(ui, req.raw, (frame) => PeersPage({ view: view(), frame })),
    );
    app.get("/ui/part/peers", ({ req }) => part(req.raw, PeersPart({ view: view() })));
  }
  if (workers !== undefined) {
    const view = (): WorkersView => ({
      now: services.now(),
      node: services.status().name,
      workers: workers.list(),
    });
    app.get(
      "/ui/workers",
      ({ req }) => page(ui, req.raw, (frame) => WorkersPage({ view: view(), frame })),
    );
    app.get("/ui/part/workers", ({ req }) => part(req.raw, WorkersPart({ view: view() })));
  }
  if (wanted !== undefined) {
    const view = createWantedReader(services, views, wanted);
    app.get(
      "/ui/wanted",
      ({ req }) => page(ui, req.raw, async (frame) => WantedPage({ view: await view(), frame })),
    );
    app.get("/ui/part/wanted", async ({ req }) => {
      return part(req.raw, WantedPart({ view: await view() }));
    });
  }
}

/** A whole page, or the page that says why it cannot be. */
export async function page(
  ui: Ui,
  request: Request,
  make: (frame: ReturnType<Views["frame"]>) => Markup,
): Promise<Response> {
  const frame = ui.views.frame(request);
  try {
    return uiResponse(String(await make(frame)), { request });
  } catch (error) {
    if (!(error instanceof SkyringError) || error.code === "internal") throw error;
    return failure(ui, request, error);
  }
}

/** The page that says what happened, with the error's own status. */
export function failure(ui: Ui, request: Request, error: SkyringError): Response {
  const status = statusOf(error.code);
  const advice = status === 404
    ? "It may have been renamed or removed; the list of files has what is there now."
    : error.retriable || status === 429 || status >= 503
    ? "Try again in some seconds: the pool may be electing, repairing or full."
    : "Go back, change what was asked for, and try again.";
  const html = FailurePage({ frame: ui.views.frame(request), message: error.message, advice });
  return uiResponse(String(html), { request, status });
}

/** A part of a page. */
export async function part(request: Request, markup: Markup): Promise<Response> {
  return uiResponse(String(await markup), { request });
}

/** The order that led here, when it is one to a process of the cluster; a link may claim others. */
function toldOf({ cluster }: PoolView, query: URLSearchParams) {
  const order = clusterOrders.find((each) => each === query.get("told"));
  const name = query.get("node") ?? "";
  if (cluster === null || order === undefined || !/^[\w.-]{1,64}$/.test(name)) return null;
  const runs = cluster.processes.some((process) => process.name === name);
  return runs === (order !== "remove") ? { order, name } : null;
}

function nameOf(request: Request): string {
  return (new URL(request.url).searchParams.get("name") ?? "").normalize("NFC");
}

function windowOf(request: Request): { readonly from: number } {
  const text = new URL(request.url).searchParams.get("from") ?? "0";
  return { from: queryInteger(text, { name: "from", min: 0, max: 1e9 }) };
}

async function ringView(ui: Ui, request: Request): Promise<RingPageView> {
  const { services, views } = ui;
  const pool = views.pool(request);
  if (views.ring === undefined || pool.ring === null) {
    throw new SkyringError("not_ready", "Cannot show the ring: there is no roster yet");
  }
  const key = (new URL(request.url).searchParams.get("key") ?? "").trim().normalize("NFC");
  const base = { pool, ring: pool.ring, rows: views.ring.rows(), key };
  const answer = key === "" ? undefined : views.ring.lookup(key);
  if (answer === undefined) return { ...base, lookup: null };
  if (answer.what === "block") {
    return { ...base, lookup: { key, answer, first: null, missing: false } };
  }
  try {
    const { items: [block] } = await services.pool.blocks(key, { after: -1, limit: 1 });
    const lies = block === undefined ? undefined : views.ring.lookup(block.cid);
    const first = block === undefined || lies === undefined
      ? null
      : { answer: { ...lies, owners: block.owners }, holders: block.holders };
    return { ...base, lookup: { key, answer, first, missing: false } };
  } catch (error) {
    if (!(error instanceof SkyringError) || error.code !== "not_found") throw error;
    return { ...base, lookup: { key, answer, first: null, missing: true } };
  }
}
