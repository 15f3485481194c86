// /ui/tab, and the scripts that make a browser tab a peer. The page keeps to the policy of all
// pages. The worker has a policy of its own: it may compile wasm (hashes, the cipher), and open
// WebSockets to this origin and to the addresses of the nodes that are alive now. Its script is
// two lines, which carry that list and import the rest: that never changes under its address, so
// it is loaded once.

import { assert } from "../../shared/base/assert.ts";
import { socketUrl } from "../../web/peer/socket_address.ts";
import { TabPage } from "../../web/pages/tab.tsx";
import type { Served } from "../../web/tab/messages.ts";
import { isSecure } from "./auth.ts";
import { gatewayHeader, readWord } from "./gateway_word.ts";
import { bytesResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";
import { nodesFor } from "./tab_api.ts";
import {
  type BundleName,
  bundleNames,
  canSeed,
  readTabBundle,
  type TabScript,
} from "./tab_bundle.ts";
import { compressed, hasTag, takes } from "./ui_answer.ts";
import { page, type Ui } from "./ui_pages.ts";

const workerPath = "/static/tab-worker.js";
const paths: Readonly<Record<BundleName, string>> = {
  "page.js": "/static/tab.js",
  "worker.js": "/static/tab-peer.js",
  "cipher.js": "/static/tab-cipher.js",
};
/** Names offered to choose from; others are typed. */
const namesMax = 200;

/** Adds the page, when this node lets tabs in and the scripts were made. @throws never */
export function routeTabPage(app: App, ui: Ui): void {
  const { services } = ui;
  if (!canSeed(services)) return;
  app.get("/ui/tab", ({ req }) =>
    page(ui, req.raw, async (frame) => {
      const { items } = await services.pool.list({ prefix: "", after: undefined, limit: namesMax });
      const address = addressOf("page.js");
      const names = items.map(({ name }) => name);
      return TabPage({ view: { script: address, worker: workerPath, names }, frame });
    }));
  for (const name of bundleNames) {
    app.get(paths[name], ({ req }) => {
      const lasting = req.query("v") === scriptOf(name).hash;
      return scriptResponse(scriptOf(name), { request: req.raw, lasting });
    });
  }
  app.get(workerPath, ({ req }) => {
    const reach = reachOf(services, req.raw.headers);
    const served: Served = { reach, cipher: addressOf("cipher.js") };
    const text = `import{start}from"${addressOf("worker.js")}";\nstart(${
      JSON.stringify(served)
    });\n`;
    const policy = workerPolicy(req.raw, { services, reach });
    return workerResponse(text, policy);
  });
}

function scriptOf(name: BundleName): TabScript {
  const found = readTabBundle()?.get(name);
  assert(found !== undefined, "the scripts were there when the routes were added");
  return found;
}

function addressOf(name: BundleName): string {
  return `${paths[name]}?v=${scriptOf(name).hash}`;
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

const headersOf = (cacheControl: string) => ({
  "content-type": "text/javascript; charset=utf-8",
  "cache-control": cacheControl,
  "cross-origin-resource-policy": "same-origin",
});

/** The worker's own lines: small, and another policy as soon as nodes come or go. */
function workerResponse(text: string, policy: string): Response {
  const headers = { ...headersOf("private, no-store"), "content-security-policy": policy };
  return bytesResponse(new TextEncoder().encode(text), { status: 200, headers });
}

/** A script as the bundler left it, in brotli for browsers that take it (secure origins). */
function scriptResponse(
  { plain, brotli, hash }: TabScript,
  { request, lasting }: { readonly request: Request; readonly lasting: boolean },
): Response {
  const etag = `W/"${hash}"`;
  const cacheControl = lasting ? "public, max-age=31536000, immutable" : "private, no-cache";
  const headers = { ...headersOf(cacheControl), vary: "Accept-Encoding", etag };
  if (hasTag(request.headers, etag)) return new Response(null, { status: 304, headers });
  if (takes(request.headers, "br")) {
    return bytesResponse(brotli, {
      status: 200,
      headers: { ...headers, "content-encoding": "br" },
    });
  }
  return compressed(plain, { request, status: 200, headers });
}
