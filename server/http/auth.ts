// Who may do what, decided before any route runs.
//
// On a loopback listener no token is needed, but Host must be a loopback name or an allowed one
// (DNS rebinding). As soon as --allow-host is given, or a forwarding header shows that a proxy
// stands before it, the same listener needs the token. Any other listener always needs it. A
// request that changes anything must not come from another origin, token or not.
//
// Invariants: every refusal is 400, 401 or 403; secrets are compared in constant time and never
// logged; the path judged here is the path the router sees.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { SkyringError } from "../../shared/base/errors.ts";
import type { HttpConfig } from "./services.ts";
import { isHost } from "./target.ts";

/** What the rules look at. `path` is the router's path, `url` the absolute request URL. */
export interface AccessQuestion {
  readonly method: string;
  readonly path: string;
  readonly url: URL;
  readonly headers: Headers;
}

/**
 * Throws unless the request may go on.
 * @throws {SkyringError} bad_request, forbidden, unauthorized
 */
export function checkAccess(question: AccessQuestion, config: HttpConfig): void {
  checkHost(question, config);
  if (changes(question.method)) checkOrigin(question);
  if (isOpen(question, config)) return;
  if (!needsToken(question.headers, config)) return;
  if (config.token === null) {
    const detail =
      "Cannot serve through a proxy or other name: the node has no token, give --token";
    throw new SkyringError("forbidden", detail);
  }
  if (!hasToken(question.headers, config.token, config.port)) {
    throw new SkyringError("unauthorized", "Cannot answer: a valid token is needed");
  }
}

/** Name of the session cookie; the port is in it because cookies are shared between ports. */
export function cookieName(port: number): string {
  return `skyring-${port}`;
}

/** The Set-Cookie value that logs in. @throws never */
export function sessionCookie(token: string, options: { port: number; secure: boolean }): string {
  const secure = options.secure ? "; Secure" : "";
  const name = cookieName(options.port);
  return `${name}=${sessionValue(token)}; Path=/; HttpOnly; SameSite=Strict${secure}`;
}

/** Whether `given` is the token; the time taken tells nothing of where they differ. */
export function isToken(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** Whether the client reached us by TLS, here or at a proxy. */
export function isSecure(headers: Headers, config: HttpConfig): boolean {
  return config.tls || headers.get("x-forwarded-proto") === "https";
}

/** The cookie proves knowledge of the token without holding it. */
function sessionValue(token: string): string {
  return createHmac("sha256", token).update("skyring session").digest("hex");
}

function hasToken(headers: Headers, token: string, port: number): boolean {
  const bearer = /^bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (bearer !== undefined && isToken(bearer, token)) return true;
  const session = sessionValue(token);
  return cookies(headers.get("cookie") ?? "")
    .some(([name, value]) => name === cookieName(port) && isToken(value, session));
}

function cookies(header: string): readonly (readonly [string, string])[] {
  return header.split(";").slice(0, 50).map((part) => {
    const split = part.indexOf("=");
    return [part.slice(0, split).trim(), part.slice(split + 1).trim()] as const;
  });
}

function checkHost(question: AccessQuestion, config: HttpConfig): void {
  const host = question.headers.get("host") ?? question.url.host;
  if (!isHost(host)) throw new SkyringError("bad_request", "Cannot read Host: not one host name");
  if (!config.loopback) return;
  // Both the header and the parsed URL: whichever is used later has been checked.
  for (const name of [hostName(host), hostName(question.url.host)]) {
    if (isLoopbackName(name) || config.allowHosts.includes(name)) continue;
    throw new SkyringError("forbidden", `Cannot serve host ${name}: allow it with --allow-host`);
  }
}

function hostName(host: string): string {
  return host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1").toLowerCase();
}

function isLoopbackName(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return /^127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(name);
}

function checkOrigin(question: AccessQuestion): void {
  const { headers, url } = question;
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") {
    throw new SkyringError("forbidden", `Cannot change anything: the request is ${site}`);
  }
  const origin = headers.get("origin");
  if (origin === null) return;
  const forwarded = headers.get("x-forwarded-proto");
  const scheme = forwarded === "https" || forwarded === "http" ? `${forwarded}:` : url.protocol;
  const own = `${scheme}//${headers.get("host") ?? url.host}`;
  if (origin.toLowerCase() !== own.toLowerCase()) {
    throw new SkyringError("forbidden", "Cannot change anything: the request has another origin");
  }
}

function changes(method: string): boolean {
  return method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
}

function isOpen(question: AccessQuestion, config: HttpConfig): boolean {
  const { path, method } = question;
  if (path === "/health" || path === "/ready" || path.startsWith("/s/")) return true;
  if (path === "/login" && (method === "POST" || method === "GET")) return true;
  if (path === "/" && method === "GET" && question.url.searchParams.has("token")) return true;
  return config.isPublic && !changes(method) &&
    (path.startsWith("/ipfs/") || path.startsWith("/routing/"));
}

function needsToken(headers: Headers, config: HttpConfig): boolean {
  if (!config.loopback || config.allowHosts.length > 0) return true;
  if (headers.has("forwarded")) return true;
  return [...headers.keys()].some((name) => name.startsWith("x-forwarded-"));
}
