// /api/ring: who owns which slots, and the neighbours on the Chord ring; as JSON and Graphviz.

import { SkyringError } from "../../shared/base/errors.ts";
import { keyBytesMax } from "../../shared/base/limits.ts";
import { checkName } from "../../shared/base/name.ts";
import { parseCid } from "./requests.ts";
import type { App } from "./routes.ts";
import { jsonResponse, textResponse } from "./responses.ts";
import type { RingSnapshot, Services } from "./services.ts";

/** Adds the routes, when the node has a ring to show. @throws never */
export function routeRing(app: App, services: Services): void {
  const { ring, lookup } = services;
  if (lookup !== undefined) {
    app.get("/api/ring/lookup", async (context) => {
      const key = context.req.query("key") ?? "";
      if (key === "" || new TextEncoder().encode(key).length > keyBytesMax) {
        const text = `Cannot look up key: expected key= with 1 to ${keyBytesMax} bytes`;
        throw new SkyringError("bad_setting", text, { data: { limit: keyBytesMax } });
      }
      return jsonResponse(await lookup(key, cidOf(key)));
    });
  }
  if (ring === undefined) return;
  app.get("/api/ring", () => jsonResponse(ring()));
  app.get("/api/ring.dot", () => {
    return textResponse(ringDot(ring()), { type: "text/vnd.graphviz; charset=utf-8" });
  });
}

/** The key as a CID; else it must be a name. @throws {SkyringError} bad_name */
function cidOf(key: string) {
  try {
    return parseCid(key);
  } catch (error) {
    if (!(error instanceof SkyringError)) throw error;
    const check = checkName(key);
    if (check.ok) return undefined;
    throw new SkyringError("bad_name", check.message, { data: { fault: check.fault } });
  }
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
