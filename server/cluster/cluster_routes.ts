// /api/cluster/nodes on the gateway of a cluster: its processes, listed and changed; and the forms
// of the dashboard that do the same. Pages are made by the node behind the gateway, which is told
// of the processes (gateway_word.ts). Access has been judged by the gateway already, as for every
// other request.

import { SkyringError } from "../../shared/base/errors.ts";
import type { OwnRoutes } from "../gateway/gateway.ts";
import { decodeSegments } from "../http/requests.ts";
import type { Operation } from "../http/operations.ts";
import { jsonResponse } from "../http/responses.ts";
import type { ClusterWord } from "../http/gateway_word.ts";
import { seeOther } from "../http/ui_answer.ts";
import { readForm } from "../http/ui_form.ts";
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

const forms = "/ui/cluster/";
const pages = /^\/(ui\/(part\/)?(overview|nodes|ring|cluster))?$/;
/** A refusal is shown on the next look at the order, not days later. */
const refusalMs = 30_000;

/** Why an order of a form was refused, kept for the page that is seen next. */
interface Refusal {
  readonly page: string;
  readonly message: string;
  readonly at: number;
}

/** The routes over a cluster that may not be there yet. @throws never */
export function clusterRoutes(running: () => Cluster | undefined): OwnRoutes {
  let refusal: Refusal | undefined;
  return {
    operations,
    answer: (request, url) =>
      url.pathname.startsWith(forms) && request.method === "POST"
        ? answerForm(request, { url, running, refused: (told) => refusal = told })
        : answer(request, { url, running }),
    clusterAt(url): ClusterWord | null {
      const cluster = running();
      if (cluster === undefined || !pages.test(url.pathname)) return null;
      const fresh = refusal !== undefined && refusal.page === url.pathname + url.search &&
        Date.now() - refusal.at < refusalMs;
      const processes = cluster.nodes().map(({ name, state, port }) => ({ name, state, port }));
      return { processes, refusal: fresh ? refusal?.message ?? null : null };
    },
  };
}

/** Carries out the order of a form; one that is refused shows its page again, with the reason. */
async function answerForm(
  request: Request,
  { url, running, refused }: {
    readonly url: URL;
    readonly running: () => Cluster | undefined;
    readonly refused: (told: Refusal | undefined) => void;
  },
): Promise<Response> {
  const order = url.pathname.slice(forms.length);
  const name = (await readForm(request)).get("node") ?? "";
  refused(undefined);
  try {
    const node = await carryOut(started(running), { order, name });
    return seeOther(`/ui/nodes?${new URLSearchParams({ told: order, node })}`);
  } catch (error) {
    if (!(error instanceof SkyringError) || error.code === "internal") throw error;
    const page = `/ui/cluster?${new URLSearchParams({ order, node: name })}`;
    refused({ page, message: `${error.message}.`, at: Date.now() });
    return seeOther(page);
  }
}

/** Carries an order out. @returns the name of the node that it was about */
async function carryOut(
  cluster: Cluster,
  { order, name }: { readonly order: string; readonly name: string },
): Promise<string> {
  if (order === "add") return (await cluster.add()).name;
  if (order === "remove") await cluster.remove(name);
  else if (isVerb(order)) await cluster[order](name);
  else throw new SkyringError("not_found", "Cannot find that order");
  return name;
}

function started(running: () => Cluster | undefined): Cluster {
  const cluster = running();
  if (cluster !== undefined) return cluster;
  throw new SkyringError("not_ready", "Cannot answer: the cluster is starting");
}

async function answer(
  request: Request,
  { url, running }: { readonly url: URL; readonly running: () => Cluster | undefined },
): Promise<Response | undefined> {
  if (url.pathname !== root && !url.pathname.startsWith(`${root}/`)) return undefined;
  const cluster = started(running);
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
