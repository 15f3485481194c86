// Orders to nodes from the dashboard: each shows its plan first (the dry run), then is given by a
// form and runs as a job; and the page of jobs.

import { SkyringError } from "../../shared/base/errors.ts";
import { asNodeId } from "../../shared/base/ids.ts";
import { replicasDefault } from "../../shared/base/limits.ts";
import { parseSize, sizeExamples } from "../../shared/base/units.ts";
import { placement } from "../../shared/ring/placement.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import { JobsPage, JobsPart, type JobsView } from "../../web/pages/jobs.tsx";
import {
  type OrderKind,
  OrderPage,
  type OrderView,
  type SharesAfter,
} from "../../web/pages/order.tsx";
import type { NodeActions } from "../engine/node_actions.ts";
import type { App } from "./routes.ts";
import { seeOther, uiResponse } from "./ui_answer.ts";
import { readForm } from "./ui_form.ts";
import { failure, page, part, type Ui } from "./ui_pages.ts";

const kinds = ["leave", "stop", "resize", "forget"] as const;

/** Adds the routes, when the node takes orders. @throws never */
export function routeOrders(app: App, ui: Ui): void {
  const { nodeActions: actions, now } = ui.services;
  if (actions === undefined) return;
  app.get("/ui/node", ({ req }) =>
    page(ui, req.raw, async (frame) => {
      const query = new URL(req.url).searchParams;
      const kind = kinds.find((each) => each === query.get("order"));
      if (kind === undefined) throw new SkyringError("bad_setting", "Cannot show that order");
      const size = query.get("size") ?? "";
      const node = nodeOf(ui, query.get("node") ?? "");
      return OrderPage({ view: await preview(ui, { actions, kind, node, size }), frame });
    }));
  for (const kind of kinds) {
    app.post(`/ui/node/${kind}`, async ({ req }) => {
      const fields = await readForm(req.raw);
      const size = fields.get("size") ?? "";
      const given = { dryRun: false, force: fields.get("force") === "1" };
      const id = fields.get("node") ?? "";
      try {
        return seeOther(await carryOut(actions, { kind, id, size, given }));
      } catch (error) {
        if (!(error instanceof SkyringError) || error.code === "internal") throw error;
        const refusal = `${error.message}.`;
        return await refused(ui, { request: req.raw, actions, kind, id, size, refusal });
      }
    });
  }
  const jobs = (): JobsView => ({ now: now(), jobs: actions.jobs().toReversed() });
  app.get("/ui/jobs", ({ req }) => page(ui, req.raw, (frame) => JobsPage({ view: jobs(), frame })));
  app.get("/ui/part/jobs", ({ req }) => part(req.raw, JobsPart({ view: jobs() })));
  app.post("/ui/jobs/cancel", async ({ req }) => {
    try {
      await actions.cancel((await readForm(req.raw)).get("id") ?? "");
      return seeOther("/ui/jobs");
    } catch (error) {
      if (!(error instanceof SkyringError) || error.code === "internal") throw error;
      return failure(ui, req.raw, error);
    }
  });
}

function nodeOf(ui: Ui, id: string): NodeSnapshot {
  const node = ui.services.nodes().find((each) => each.id === id);
  if (node === undefined) throw new SkyringError("not_found", "Cannot find that node");
  return node;
}

interface Asked {
  readonly actions: NodeActions;
  readonly kind: OrderKind;
  readonly node: NodeSnapshot;
  readonly size: string;
}

/** The plan of an order; one that cannot even be planned is shown with the reason. */
async function preview(ui: Ui, asked: Asked): Promise<OrderView> {
  const { actions, kind, node, size } = asked;
  const base: OrderView = {
    kind,
    node,
    ring: ui.views.pool().ring,
    replicas: replicasDefault,
    ...{ after: null, plan: null, mayBeLost: null, size, refusal: null },
  };
  if (kind === "resize" && size === "") return base;
  const dry = { dryRun: true, force: false };
  try {
    if (kind === "forget") {
      return { ...base, mayBeLost: (await actions.forget(node.id, dry)).mayBeLost };
    }
    const ordered = kind === "resize"
      ? await actions.resize(node.id, bytesOf(size), dry)
      : await actions[kind](node.id, dry);
    const plan = ordered.kind === "plan" ? ordered.plan : null;
    return { ...base, plan, after: sharesAfter(ui.services.nodes(), { kind, node, size }) };
  } catch (error) {
    if (!(error instanceof SkyringError) || error.code === "internal") throw error;
    return { ...base, refusal: `${error.message}.` };
  }
}

/** Who would own how much: the placement that follows from the members then. */
function sharesAfter(
  nodes: readonly NodeSnapshot[],
  { kind, node, size }: Pick<Asked, "kind" | "node" | "size">,
): SharesAfter | null {
  const rest = kind === "leave" ? nodes.filter(({ id }) => id !== node.id) : nodes;
  if (kind === "stop" || rest.length === 0) return null;
  const members = rest.map(({ id, capacity, zone }) => ({
    ...{ id: asNodeId(id), since: 0, zone },
    capacity: kind === "resize" && id === node.id ? bytesOf(size) : capacity,
  }));
  const placed = placement({ members });
  return { first: placed.shares(1), all: placed.shares(replicasDefault) };
}

/** Gives the order. @returns the page to see next */
async function carryOut(
  actions: NodeActions,
  order: {
    readonly kind: OrderKind;
    readonly id: string;
    readonly size: string;
    readonly given: Parameters<NodeActions["leave"]>[1];
  },
): Promise<string> {
  const { kind, id, size, given } = order;
  if (kind === "forget") {
    await actions.forget(id, given);
    return "/ui/nodes";
  }
  const ordered = kind === "resize"
    ? await actions.resize(id, bytesOf(size), given)
    : await actions[kind](id, given);
  return ordered.kind === "job" ? "/ui/jobs" : "/ui/nodes";
}

async function refused(
  ui: Ui,
  options: Omit<Asked, "node"> & {
    readonly request: Request;
    readonly id: string;
    readonly refusal: string;
  },
): Promise<Response> {
  const { request, id, refusal } = options;
  const frame = { ...ui.views.frame(request), here: "/ui/nodes" };
  const view = await preview(ui, { ...options, node: nodeOf(ui, id) });
  const html = OrderPage({ view: { ...view, refusal }, frame });
  return uiResponse(String(await html), { request, status: 409 });
}

function bytesOf(size: string): number {
  const bytes = parseSize(size);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new SkyringError("bad_setting", `Cannot use size: expected ${sizeExamples}`);
}
