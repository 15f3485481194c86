// /api/cluster/nodes on the gateway of a cluster: its processes, listed and changed. Access has
// been judged by the gateway already, as for every other request.

import { SkyringError } from "../../shared/base/errors.ts";
import type { OwnRoutes } from "../gateway/gateway.ts";
import { decodeSegments } from "../http/requests.ts";
import type { Operation } from "../http/operations.ts";
import { jsonResponse } from "../http/responses.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";

const root = "/api/cluster/nodes";
const rootSegments = 3;
const verbs = ["start", "stop", "pause", "resume"] as const;
type Verb = (typeof verbs)[number];

const json = "application/json";
const operations: readonly Operation[] = [
  operation("GET", "", { summary: "The processes of the cluster" }),
  operation("POST", "", { summary: "Adds a node and starts it", statuses: [201] }),
  operation("GET", "/:name", { summary: "One process" }),
  operation("DELETE", "/:name", {
    ...{ summary: "Stops a node and forgets it; its data stay", answers: "none", statuses: [204] },
  }),
  ...verbs.map((verb) =>
    operation("POST", `/:name/${verb}`, { summary: `Tells a process to ${verb}` })
  ),
];

function operation(
  method: Operation["method"],
  route: string,
  rest: Pick<Operation, "summary"> & Partial<Operation>,
): Operation {
  const path = `${root}${route.replace(":name", "{name}")}`;
  return { ...{ method, route: root + route, path, answers: json, statuses: [200] }, ...rest };
}

/** The routes over a cluster that may not be there yet. @throws never */
export function clusterRoutes(running: () => Cluster | undefined): OwnRoutes {
  return { answer: (request, url) => answer(request, { url, running }), operations };
}

async function answer(
  request: Request,
  { url, running }: { readonly url: URL; readonly running: () => Cluster | undefined },
): Promise<Response | undefined> {
  if (url.pathname !== root && !url.pathname.startsWith(`${root}/`)) return undefined;
  const cluster = running();
  if (cluster === undefined) {
    throw new SkyringError("not_ready", "Cannot answer: the cluster is starting");
  }
  const [name, verb, ...rest] = decodeSegments(request.url, rootSegments);
  const { method } = request;
  if (name === undefined) return await answerList(method, cluster);
  if (verb === undefined && method === "GET") return jsonResponse(rowOf(cluster, name));
  if (verb === undefined && method === "DELETE") {
    await cluster.remove(name);
    return new Response(null, { status: 204 });
  }
  if (isVerb(verb) && method === "POST" && rest.length === 0) {
    return jsonResponse(await cluster[verb](name));
  }
  throw new SkyringError("not_found", "Cannot find that path");
}

async function answerList(method: string, cluster: Cluster): Promise<Response> {
  if (method === "GET") return jsonResponse({ items: cluster.nodes(), next: null });
  if (method !== "POST") throw new SkyringError("not_found", "Cannot find that path");
  const added = await cluster.add();
  return jsonResponse(added, { status: 201, headers: { location: `${root}/${added.name}` } });
}

function rowOf(cluster: Cluster, name: string): ClusterNode {
  const row = cluster.nodes().find((node) => node.name === name);
  if (row !== undefined) return row;
  throw new SkyringError("not_found", `Cannot find node ${name} in this cluster`);
}

function isVerb(text: string | undefined): text is Verb {
  return verbs.some((verb) => verb === text);
}
