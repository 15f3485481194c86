// Leave, stop, forget and capacity of any node, from any node. With ?dry-run=1 the answer is the
// plan and nothing is done; ?force=1 goes on where it would be refused. Jobs answer 202 with where
// to follow them.

import * as v from "valibot";
import { SkyringError } from "../../shared/base/errors.ts";
import type { NodeActions, Ordered, OrderOptions } from "../engine/node_actions.ts";
import { decodeSegments, readJson } from "./requests.ts";
import { jsonResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";

const capacityBody = v.strictObject({
  bytes: v.pipe(v.number(), v.safeInteger("must be a whole number of bytes"), v.minValue(1)),
});

/** Adds the routes, when the node takes orders. @throws never */
export function routeNodeActions(app: App, { nodeActions: actions }: Services): void {
  if (actions === undefined) return;
  for (const verb of ["leave", "stop"] as const) {
    app.post(`/api/nodes/:id/${verb}`, async ({ req }) => {
      const given = optionsOf(req.url);
      return answerOf(await actions[verb](nodeOf(req.url), given));
    });
  }
  app.post("/api/nodes/:id/forget", async ({ req }) => {
    return jsonResponse(await actions.forget(nodeOf(req.url), optionsOf(req.url)));
  });
  app.put("/api/nodes/:id/capacity", async ({ req }) => {
    const given = optionsOf(req.url);
    const { bytes } = await readJson(req.raw, capacityBody);
    return answerOf(await actions.resize(nodeOf(req.url), bytes, given));
  });
}

/** A job as an accepted answer: its id, where to follow it, and how it is now. @throws never */
export function jobAnswer(job: Extract<Ordered, { kind: "job" }>["job"]): Response {
  const location = `/api/jobs/${job.id}`;
  return jsonResponse({ ...job, job: job.id }, { status: 202, headers: { location } });
}

function answerOf(ordered: Ordered): Response {
  switch (ordered.kind) {
    case "plan":
      return jsonResponse({ plan: ordered.plan });
    case "job":
      return jobAnswer(ordered.job);
    case "done":
      return jsonResponse({ stopping: true }, { status: 202 });
    default:
      return ordered satisfies never;
  }
}

function nodeOf(url: string): Parameters<NodeActions["leave"]>[0] {
  return decodeSegments(url, 2)[0] ?? "";
}

function optionsOf(url: string): OrderOptions {
  const query = new URL(url).searchParams;
  return { dryRun: flagOf(query, "dry-run"), force: flagOf(query, "force") };
}

/** A switch of the query; anything unclear is refused, since the deed may not be undone. */
function flagOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === "0" || text === "false") return false;
  if (text === "" || text === "1" || text === "true") return true;
  throw new SkyringError("bad_setting", `Cannot use ${name}: expected 1 or 0`);
}
