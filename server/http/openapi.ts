// /api/openapi.json: the API described (OpenAPI 3.1). The list of operations is kept by hand in
// operations.ts; only those whose routes exist on this node are shown, and a test holds that no
// route lacks its entry and no entry its route.

import { type Operation, operations } from "./operations.ts";
import { jsonResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";

/** Adds the route; call last, when all others are there. @throws never */
export function routeOpenapi(app: App, services: Services): void {
  app.get("/api/openapi.json", () => {
    return jsonResponse(describe(registered(app), services.config.version));
  });
}

/**
 * `METHOD /path` of every route of the API, in the router's own spelling. What only the pages of
 * the dashboard ask for is no part of it. @throws never
 */
export function registered(app: App): ReadonlySet<string> {
  return new Set(
    app.routes.filter(({ method, path }) => method !== "ALL" && !/^\/(ui|static)\//.test(path))
      .map((route) => `${route.method} ${route.path}`),
  );
}

/** The document for the routes in `present`. @throws never */
export function describe(present: ReadonlySet<string>, version: string): Record<string, unknown> {
  const paths = pathsOf(
    operations.filter(({ method, route }) => present.has(`${method} ${route}`)),
  );
  return {
    openapi: "3.1.0",
    info: { title: "Skyring", version, description: "A peer-to-peer storage pool" },
    paths,
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    security: [{}, { token: [] }],
  };
}

/** The `paths` of a document for these operations. @throws never */
export function pathsOf(
  shown: readonly Operation[],
): Record<string, Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of shown) {
    const path = paths[operation.path] ??= {};
    path[operation.method.toLowerCase()] = operationObject(operation);
    if (operation.head === true) path["head"] = operationObject({ ...operation, answers: "none" });
  }
  return paths;
}

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string" },
  },
};

const problem = {
  description: "A problem (RFC 9457)",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

function operationObject(operation: Operation): Record<string, unknown> {
  const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1],
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = (operation.query ?? []).map((name) => ({
    name,
    in: "query",
    required: false,
    schema: { type: "string" },
  }));
  const content = operation.answers === "none"
    ? {}
    : { content: { [operation.answers]: { schema: {} } } };
  const success = operation.statuses.map((status) => [
    String(status),
    { description: operation.summary, ...(status === 304 || status === 204 ? {} : content) },
  ]);
  return {
    summary: operation.summary,
    parameters: [...inPath, ...inQuery],
    ...(operation.takes === undefined
      ? {}
      : { requestBody: { content: { [operation.takes]: { schema: {} } } } }),
    responses: { ...Object.fromEntries(success), default: problem },
  };
}
