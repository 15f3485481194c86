// /api/ring: who owns which slots, and the neighbours on the Chord ring; as JSON and Graphviz.

import type { App } from "./routes.ts";
import { jsonResponse, textResponse } from "./responses.ts";
import type { RingSnapshot, Services } from "./services.ts";

/** Adds the routes, when the node has a ring to show. @throws never */
export function routeRing(app: App, services: Services): void {
  const { ring } = services;
  if (ring === undefined) return;
  app.get("/api/ring", () => jsonResponse(ring()));
  app.get("/api/ring.dot", () => {
    return textResponse(ringDot(ring()), { type: "text/vnd.graphviz; charset=utf-8" });
  });
}

/** Nodes in ring order with an edge to each one's successor. @throws never */
export function ringDot(ring: RingSnapshot): string {
  const nodes = [...ring.nodes].sort((left, right) => left.position < right.position ? -1 : 1);
  const lines = nodes.map((node) => {
    const label = `${node.name}\\n${node.tokens} tokens`;
    return `  ${quoted(node.id)} [label=${quoted(label)}];`;
  });
  const edges = nodes.flatMap((node) =>
    node.successor === null ? [] : [`  ${quoted(node.id)} -> ${quoted(node.successor)};`]
  );
  return ["digraph skyring {", "  layout=circo;", ...lines, ...edges, "}", ""].join("\n");
}

/** A backslash stays only before `n`, the one escape used here. */
function quoted(text: string): string {
  return `"${text.replace(/\\(?!n)/g, "\\\\").replaceAll('"', '\\"')}"`;
}
