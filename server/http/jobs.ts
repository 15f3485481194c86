// Jobs of all nodes, and the two pieces of work that belong to no single node: collecting, as a
// job, and healing, as a stream of lines that ends with a report.

import type { HealLine } from "../engine/heal.ts";
import { jobAnswer } from "./node_actions.ts";
import { listOf } from "./nodes.ts";
import { jsonResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";

/** Adds the routes, as far as the node has what they need. @throws never */
export function routeJobs(app: App, services: Services): void {
  const { nodeActions: actions, heal } = services;
  if (actions !== undefined) {
    app.get("/api/jobs", ({ req }) => {
      const keyOf = (job: { readonly startedAt: number; readonly id: string }) =>
        `${String(job.startedAt).padStart(16, "0")} ${job.id}`;
      return listOf(actions.jobs(), { url: req.url, keyOf });
    });
    app.get("/api/jobs/:id", async ({ req }) => jsonResponse(await actions.job(req.param("id"))));
    app.delete("/api/jobs/:id", async ({ req }) => {
      return jsonResponse(await actions.cancel(req.param("id")));
    });
    app.post("/api/collect", async () => jobAnswer(await actions.collect()));
  }
  if (heal !== undefined) {
    app.post("/api/heal", ({ req }) => {
      const lines = heal(req.raw.signal);
      return new Response(lineStream(lines), {
        headers: { "content-type": "application/x-ndjson", "cache-control": "no-store" },
      });
    });
  }
}

/** One JSON document a line, as fast as they are read; a failure breaks the stream off. */
function lineStream(lines: AsyncIterable<HealLine>): ReadableStream<Uint8Array> {
  const iterator = lines[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    async cancel() {
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
}
