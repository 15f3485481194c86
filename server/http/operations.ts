// Every operation of the HTTP API, one line each: the router's route, the path as people write
// it, what it takes and what it answers. openapi.ts makes the description from it.

/** One operation; `answers` is a media type, or "none" for an answer without a body. */
export interface Operation {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  readonly route: string;
  readonly path: string;
  readonly summary: string;
  readonly query?: readonly string[];
  readonly takes?: string;
  readonly answers: string;
  /** Statuses other than problems. */
  readonly statuses: readonly number[];
  readonly head?: boolean;
}

const json = "application/json";
const bytes = "application/octet-stream";
const html = "text/html";
const page = ["limit", "cursor"];

/** All operations there are; a node shows those it serves. */
export const operations: readonly Operation[] = [
  get("/health", { summary: "Whether the process answers", answers: json }),
  get("/ready", { summary: "Whether the node has joined and takes writes", answers: json }),
  get("/metrics", { summary: "Metrics as Prometheus text", answers: "text/plain" }),
  get("/api/status", { summary: "This node", answers: json }),
  get("/api/nodes", { summary: "The netmap", query: page, answers: json }),
  get("/api/nodes/:id", { summary: "One node by id or name", answers: json }),
  get("/api/peers", { summary: "Connections", query: page, answers: json }),
  get("/api/tabs", { summary: "Connected tabs", query: page, answers: json }),
  get("/api/tab/rare", {
    summary: "Blocks held here with the fewest copies",
    query: ["limit", "seed"],
    answers: json,
  }),
  {
    method: "POST",
    route: "/api/tab/ticket",
    path: "/api/tab/ticket",
    summary: "Lets a tab's peer id in for a day",
    takes: json,
    answers: json,
    statuses: [200],
  },
  get("/api/workers", { summary: "Background loops", query: page, answers: json }),
  {
    method: "POST",
    route: "/api/workers/:name/:verb{pause|resume}",
    path: "/api/workers/{name}/{verb}",
    summary: "Pauses or resumes a background loop",
    answers: json,
    statuses: [200],
  },
  {
    method: "POST",
    route: "/api/invites",
    path: "/api/invites",
    summary: "Makes an invite token",
    answers: json,
    statuses: [201],
  },
  ...["leave", "stop", "forget"].map((verb): Operation => ({
    method: "POST",
    route: `/api/nodes/:id/${verb}`,
    path: `/api/nodes/{id}/${verb}`,
    summary: {
      leave: "Hands everything off, then ends the node for good",
      stop: "Ends the node, which stays in the roster",
      forget: "Takes a dead node from the roster",
    }[verb] ?? verb,
    query: ["dry-run", "force"],
    answers: json,
    statuses: verb === "forget" ? [200] : [200, 202],
  })),
  {
    method: "PUT",
    route: "/api/nodes/:id/capacity",
    path: "/api/nodes/{id}/capacity",
    summary: "Offers more or less space",
    query: ["dry-run", "force"],
    takes: json,
    answers: json,
    statuses: [200, 202],
  },
  get("/api/jobs", { summary: "Long work of all nodes", query: page, answers: json }),
  get("/api/jobs/:id", { summary: "One job", answers: json }),
  {
    method: "DELETE",
    route: "/api/jobs/:id",
    path: "/api/jobs/{id}",
    summary: "Cancels a job",
    answers: json,
    statuses: [200],
  },
  {
    method: "POST",
    route: "/api/collect",
    path: "/api/collect",
    summary: "Removes now what nothing references, on all nodes",
    answers: json,
    statuses: [202],
  },
  {
    method: "POST",
    route: "/api/heal",
    path: "/api/heal",
    summary: "Checks every node and block, repairs, and reports",
    answers: "application/x-ndjson",
    statuses: [200],
  },
  get("/api/ring/lookup", { summary: "Where a key belongs", query: ["key"], answers: json }),
  get("/api/ring", { summary: "Tokens, slots, owners and neighbours", answers: json }),
  get("/api/ring.dot", { summary: "The ring as Graphviz", answers: "text/vnd.graphviz" }),
  get("/api/ring.svg", { summary: "The ring as a picture", answers: "image/svg+xml" }),
  get("/api/files", { summary: "Names", query: ["prefix", "words", ...page], answers: json }),
  {
    ...get("/api/files/*", {
      summary: "A file's bytes, or with view its record or block map",
      query: ["view", "download", ...page],
      answers: bytes,
    }),
    statuses: [200, 206, 304],
    head: true,
  },
  {
    method: "PUT",
    route: "/api/files/*",
    path: "/api/files/{name}",
    summary: "Stores a file, or names content that the pool has",
    query: ["replicas", "chunk-size", "from"],
    takes: bytes,
    answers: json,
    statuses: [200, 201],
  },
  {
    method: "PATCH",
    route: "/api/files/*",
    path: "/api/files/{name}",
    summary: "Changes the wanted copies",
    takes: json,
    answers: json,
    statuses: [200],
  },
  {
    method: "DELETE",
    route: "/api/files/*",
    path: "/api/files/{name}",
    summary: "Removes a name; one that moved cannot be brought back",
    query: ["moved"],
    answers: "none",
    statuses: [204],
  },
  {
    method: "POST",
    route: "/api/shares",
    path: "/api/shares",
    summary: "Makes a link that needs no token",
    takes: json,
    answers: json,
    statuses: [201],
  },
  {
    ...get("/s/*", { summary: "What a link shows", query: ["download"], answers: bytes }),
    path: "/s/{grant}/{name}",
    statuses: [200, 206, 304],
    head: true,
  },
  get("/api/blocks", { summary: "Blocks wanted here", query: ["state", ...page], answers: json }),
  {
    ...get("/api/blocks/:cid", {
      summary: "One block's bytes",
      answers: "application/vnd.ipld.raw",
    }),
    statuses: [200, 304],
    head: true,
  },
  get("/api/events", { summary: "Server-Sent Events", answers: "text/event-stream" }),
  {
    ...get("/ipfs/*", {
      summary: "IPFS gateway: raw blocks, and files with ranges",
      query: ["format", "filename", "download"],
      answers: bytes,
    }),
    path: "/ipfs/{path}",
    statuses: [200, 206, 304],
    head: true,
  },
  get("/routing/v1/providers/:cid", { summary: "Delegated Routing V1", answers: json }),
  get("/login", { summary: "The form that asks for the token", answers: html }),
  {
    method: "POST",
    route: "/login",
    path: "/login",
    summary: "Logs in with the token",
    takes: "application/x-www-form-urlencoded",
    answers: "none",
    statuses: [303],
  },
  {
    ...get("/", { summary: "The dashboard", query: ["token"], answers: html }),
    statuses: [200, 303],
  },
  get("/api/openapi.json", { summary: "This description", answers: json }),
];

function get(
  route: string,
  rest: Pick<Operation, "summary" | "answers" | "query">,
): Operation {
  const path = route.replace(/:(\w+)/g, "{$1}").replace("*", "{name}");
  return { method: "GET", route, path, statuses: [200], ...rest };
}
