// /ui/tab, and the two scripts that make a browser tab a peer. The page keeps to the policy of all
// pages. The worker has a policy of its own: it may compile wasm (hashes on any origin), and open
// WebSockets to this origin and to the addresses of the nodes that are alive now; they are written
// before its first line too, so that it dials nothing that the policy would refuse.

import { createHash } from "node:crypto";
import { socketUrl } from "../../web/peer/socket_address.ts";
import { TabPage } from "../../web/pages/tab.tsx";
import { isSecure } from "./auth.ts";
import { gatewayHeader, readWord } from "./gateway_word.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";
import { nodesFor } from "./tab_api.ts";
import { canSeed, readTabBundle } from "./tab_bundle.ts";
import { compressed, hasTag } from "./ui_answer.ts";
import { page, type Ui } from "./ui_pages.ts";

const script = "text/javascript; charset=utf-8";
const pagePath = "/static/tab.js";
const workerPath = "/static/tab-worker.js";
/** Names offered to choose from; others are typed. */
const namesMax = 200;

/** Adds the page, when this node lets tabs in and the scripts were made. @throws never */
export function routeTabPage(app: App, ui: Ui): void {
  const { services } = ui;
  if (!canSeed(services)) return;
  app.get("/ui/tab", ({ req }) =>
    page(ui, req.raw, async (frame) => {
      const { items } = await services.pool.list({ prefix: "", after: undefined, limit: namesMax });
      const address = `${pagePath}?v=${hashOf(readTabBundle()?.page ?? "")}`;
      const names = items.map(({ name }) => name);
      return TabPage({ view: { script: address, worker: workerPath, names }, frame });
    }));
  app.get(pagePath, ({ req }) => {
    const text = readTabBundle()?.page ?? "";
    const known = req.query("v") === hashOf(text);
    return scriptResponse(text, { request: req.raw, lasting: known });
  });
  app.get(workerPath, ({ req }) => {
    const reach = reachOf(services, req.raw.headers);
    const text = `globalThis.skyringReach=${JSON.stringify(reach)};\n${
      readTabBundle()?.worker ?? ""
    }`;
    const policy = workerPolicy(req.raw, { services, reach });
    return scriptResponse(text, { request: req.raw, lasting: false, policy });
  });
}

/** WebSockets of other nodes that a page of this request may open: none through a proxy. */
function reachOf(services: Services, headers: Headers): string[] {
  const proxied = headers.has(gatewayHeader) || headers.has("forwarded") ||
    [...headers.keys()].some((name) => name.startsWith("x-forwarded-"));
  if (proxied || services.tabs === undefined) return [];
  const addresses = nodesFor(services, services.tabs).flatMap((node) => node.addresses);
  const urls = addresses.flatMap((address) => {
    const url = socketUrl(address);
    // A policy has no words for IPv6 in brackets.
    return url === undefined || url.includes("[") ? [] : [url];
  });
  // An encrypted page may open no plain WebSocket, whatever the policy says.
  const usable = urls.filter((url) => !isSecure(headers, services.config) || /^wss:/.test(url));
  return [...new Set(usable)];
}

function workerPolicy(
  request: Request,
  { services, reach }: { readonly services: Services; readonly reach: readonly string[] },
): string {
  const word = readWord(request.headers, services.config.token);
  const secure = isSecure(request.headers, services.config);
  const host = word === undefined ? new URL(request.url).host : new URL(word.origin).host;
  const encrypted = word === undefined ? secure : word.origin.startsWith("https:");
  // Some browsers do not count WebSockets of the same origin as 'self'.
  const sources = ["'self'", `${encrypted ? "wss" : "ws"}://${host}`, ...reach];
  return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; " +
    `connect-src ${[...new Set(sources)].join(" ")}`;
}

function scriptResponse(
  text: string,
  options: {
    readonly request: Request;
    readonly lasting: boolean;
    readonly policy?: string;
  },
): Response {
  const { request, lasting, policy } = options;
  const etag = `W/"${hashOf(text + (policy ?? ""))}"`;
  const headers = {
    "content-type": script,
    "cache-control": lasting ? "public, max-age=31536000, immutable" : "private, no-cache",
    "cross-origin-resource-policy": "same-origin",
    vary: "Accept-Encoding",
    etag,
    ...(policy === undefined ? {} : { "content-security-policy": policy }),
  };
  if (hasTag(request.headers, etag)) return new Response(null, { status: 304, headers });
  return compressed(new TextEncoder().encode(text), { request, status: 200, headers });
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
