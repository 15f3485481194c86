// A gateway: one stateless entry to the pool for HTTP, WebSocket upgrades and the line protocol.
// It judges Host, Origin and token as a node does, by the node's own code, then lets a node
// answer. Composition only: choosing is node_set.ts, passing on is forward.ts.
//
// With a token of its own it also logs in, since loopback nodes behind it have none to log in to.
// Started in order and stopped in reverse.

import * as v from "valibot";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Connection } from "../http/adapter.ts";
import { checkAccess, isSecure } from "../http/auth.ts";
import { type ClusterWord, sealWord } from "../http/gateway_word.ts";
import { createHttpServer } from "../http/server.ts";
import { logIn, loginPage, readLogin, wantsLogin } from "../http/login.ts";
import { pathsOf } from "../http/openapi.ts";
import type { Operation } from "../http/operations.ts";
import { problemResponse } from "../http/problems.ts";
import { jsonResponse } from "../http/responses.ts";
import type { HttpConfig } from "../http/services.ts";
import { lineAddress } from "../line/line_address.ts";
import { createLineServer } from "../line/line_server.ts";
import type { Log } from "../log.ts";
import { version } from "../../shared/base/version.ts";
import { isLoopback } from "../seat.ts";
import { forward, type ForwardOptions } from "./forward.ts";
import { createGatewayLine } from "./gateway_line.ts";
import { createHeldBodies } from "./held_body.ts";
import { NodeSet } from "./node_set.ts";
import { joinUpgrades } from "./upgrades.ts";

/** Routes that the gateway answers itself, and their description. */
export interface OwnRoutes {
  /** Undefined when the path is none of them. @throws {SkyringError} */
  answer(request: Request, url: URL): Promise<Response | undefined>;
  readonly operations: readonly Operation[];
  /** The processes that a page at `url` shows; null for other pages. */
  clusterAt(url: URL): ClusterWord | null;
}

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  readonly lineHost: string;
  readonly linePort: number;
  /** HTTP origins of nodes to begin with. */
  readonly nodes: readonly string[];
  /** Needed beyond loopback. */
  readonly token: string | null;
  readonly allowHosts: readonly string[];
  readonly isPublic: boolean;
  /** The group has a secret that its peers prove. */
  readonly hasSecret: boolean;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly log: Log;
  /** Routes beside those of the nodes, such as a cluster's. */
  readonly routes?: OwnRoutes;
}

/** A running gateway. */
export interface Gateway {
  /** HTTP base URL for this machine, and the address of the line protocol. */
  readonly http: string;
  readonly line: string;
  stop(): Promise<void>;
}

/** Starts a gateway. @throws {SkyringError} bad_setting, conflict: nothing is left open */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  requireToken(options);
  const { host, port, token } = options;
  const debug = (event: string, fields: Readonly<Record<string, unknown>>) =>
    options.log.debug(event, fields);
  const warn = (event: string, fields: Readonly<Record<string, unknown>>) =>
    options.log.warn(event, fields);
  const nodes = new NodeSet({ self: `${host}:${port}`, given: options.nodes, token, log: warn });
  const passing: ForwardOptions = { nodes, bodies: createHeldBodies(), port, log: warn };
  const config = accessOf(options);
  const http = createHttpServer((request, connection) => {
    return answer(request, { options, passing, config, connection });
  }, {
    ...{ host, port, log: debug },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  const line = createLineServer({
    service: createGatewayLine({
      forward: (request) => answered(() => forward(request, passing)),
      poll: () => nodes.poll(),
    }),
    host: options.lineHost,
    port: options.linePort,
    token: isLoopback(options.lineHost) ? null : token,
    log: debug,
  });
  const leaveUpgrades = joinUpgrades(http.node, {
    ...{ nodes, port, hasSecret: options.hasSecret },
    isOwnHost: (name) => isAllowed(name, config),
  });
  const stop = async () => {
    leaveUpgrades();
    await line.stop();
    await http.stop();
    await nodes.stop();
  };
  try {
    await nodes.start();
    await http.start();
    await line.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const scheme = options.tls === undefined ? "http" : "https";
  const name = ["0.0.0.0", "::"].includes(host) ? "127.0.0.1" : host;
  return {
    http: `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}`,
    line: lineAddress(options.lineHost, options.linePort, []),
    stop,
  };
}

function requireToken({ host, lineHost, token }: GatewayOptions): void {
  const beyond = [host, lineHost].find((each) => !isLoopback(each));
  if (beyond === undefined || token !== null) return;
  throw new SkyringError(
    "bad_setting",
    `Cannot listen on ${beyond}: a gateway beyond loopback needs the nodes' token, give --token`,
    { data: { setting: "token" } },
  );
}

function accessOf(options: GatewayOptions): HttpConfig {
  return {
    version,
    port: options.port,
    loopback: isLoopback(options.host),
    token: options.token,
    allowHosts: options.allowHosts.map((name) => name.toLowerCase()),
    tls: options.tls !== undefined,
    isPublic: options.isPublic,
  };
}

interface Desk {
  readonly options: GatewayOptions;
  readonly passing: ForwardOptions;
  readonly config: HttpConfig;
  readonly connection: Connection;
}

/** The request passed on; pages learn under which origin and by whom they are seen. */
function pass(request: Request, url: URL, desk: Desk): Promise<Response> {
  const { passing, options, config, connection } = desk;
  if (url.pathname !== "/" && !url.pathname.startsWith("/ui/")) return forward(request, passing);
  const scheme = isSecure(request.headers, config) ? "https" : "http";
  const word = sealWord({
    origin: `${scheme}://${request.headers.get("host") ?? url.host}`,
    client: connection.remoteAddress,
    cluster: options.routes?.clusterAt(url) ?? null,
  }, config.token);
  return forward(request, { ...passing, word });
}

async function answer(request: Request, desk: Desk): Promise<Response> {
  const url = new URL(request.url);
  const response = await answered(async () => {
    const { method, headers } = request;
    checkAccess({ method, path: url.pathname, url, headers }, desk.config);
    return await ownAnswer(request, url, desk) ?? await pass(request, url, desk);
  }, (error) => {
    const expected = error instanceof SkyringError || request.signal.aborted;
    if (!expected) desk.passing.log("gateway_failed", { error });
    return wantsLogin(error, request) ? loginPage(401, request) : undefined;
  });
  if (!response.headers.has("skyring-version")) response.headers.set("skyring-version", version);
  return response;
}

async function answered(
  make: () => Promise<Response>,
  instead: (error: unknown) => Response | undefined = () => undefined,
): Promise<Response> {
  try {
    return await make();
  } catch (error) {
    return instead(error) ?? problemResponse(error);
  }
}

async function ownAnswer(
  request: Request,
  url: URL,
  { options, passing, config }: Desk,
): Promise<Response | undefined> {
  const { pathname } = url;
  const { method, headers } = request;
  if (pathname === "/health") return jsonResponse({ ok: true });
  if (pathname === "/ready") {
    if (passing.nodes.ready) return jsonResponse({ ok: true });
    throw new SkyringError("not_ready", "Cannot write: no node behind this gateway is ready");
  }
  if (config.token !== null) {
    const services = { config };
    if (pathname === "/login" && method === "GET") return loginPage(200, request);
    if (pathname === "/login" && method === "POST") {
      return logIn(await readLogin(request), { headers, services });
    }
    const given = pathname === "/" && method === "GET" ? url.searchParams.get("token") : null;
    if (given !== null) return logIn(given, { headers, services });
  }
  if (options.routes === undefined) return undefined;
  if (pathname === "/api/openapi.json" && method === "GET") {
    return await describedWith(options.routes, await forward(request, passing));
  }
  return await options.routes.answer(request, url);
}

/** A node's description of the API, with the gateway's own routes. */
async function describedWith(routes: OwnRoutes, answer: Response): Promise<Response> {
  if (answer.status !== 200) return answer;
  const document = v.parse(documentSchema, await answer.json());
  return jsonResponse({ ...document, paths: { ...document.paths, ...pathsOf(routes.operations) } });
}

const documentSchema = v.looseObject({ paths: v.record(v.string(), v.unknown()) });

/** Whether the access rules take this Host for a read that needs no token. */
function isAllowed(host: string, config: HttpConfig): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const url = new URL(`http://${host}/health`);
  try {
    checkAccess({ method: "GET", path: "/health", url, headers: new Headers({ host }) }, config);
    return true;
  } catch (error) {
    if (error instanceof SkyringError) return false;
    throw error;
  }
}
