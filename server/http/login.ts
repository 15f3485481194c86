// Logging in with the token: by form or JSON, or by a link with ?token=, which is answered by a
// redirect at once so that the token leaves the address bar. A wrong token tells nothing.

import { SkyringError } from "../../shared/base/errors.ts";
import type { App } from "./routes.ts";
import { isSecure, isToken, sessionCookie } from "./auth.ts";
import { readSmall } from "./requests.ts";
import { LoginPage } from "../../web/pages/login.tsx";
import { textResponse } from "./responses.ts";
import type { Services } from "./services.ts";
import { styleSheet } from "./static_files.ts";

const loginBytesMax = 4_096;

/** Adds the routes. @throws never */
export function routeLogin(app: App, services: Services): void {
  app.get("/login", ({ req }) => loginPage(200, req.raw));
  app.post("/login", async (context) => {
    const request = context.req.raw;
    return logIn(await readLogin(request), { headers: request.headers, services });
  });
}

/** The token in a login's body, "" when there is none. @throws {SkyringError} bad_request */
export async function readLogin(request: Request): Promise<string> {
  const body = new TextDecoder().decode(await readSmall(request, loginBytesMax));
  return tokenOf(request.headers, body);
}

/** 303 to `/` with the session cookie. @throws {SkyringError} unauthorized */
export function logIn(
  given: string,
  options: { readonly headers: Headers; readonly services: Pick<Services, "config"> },
): Response {
  const { config } = options.services;
  // Without a token there is nothing to log in to, and nothing to refuse.
  if (config.token !== null && !isToken(given, config.token)) {
    throw new SkyringError("unauthorized", "Cannot log in: wrong token");
  }
  const headers = new Headers({
    location: "/",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
  });
  if (config.token !== null) {
    const secure = isSecure(options.headers, config);
    headers.set("set-cookie", sessionCookie(config.token, { port: config.port, secure }));
  }
  return new Response(null, { status: 303, headers });
}

/**
 * Whether a refusal is shown as the form: a person who opens a page without a token gets it,
 * programs get the problem. @throws never
 */
export function wantsLogin(error: unknown, request: Request): boolean {
  const { pathname } = new URL(request.url);
  const asks = request.method === "GET"
    ? pathname === "/" || pathname.startsWith("/ui/")
    : isLogin(request);
  return error instanceof SkyringError && error.code === "unauthorized" && asks &&
    /text\/html/.test(request.headers.get("accept") ?? "");
}

/** The form that asks for the token, with the reason when one was refused. @throws never */
export function loginPage(status: number, request: Request): Response {
  const html = LoginPage({ style: styleSheet.text, wrong: isLogin(request) });
  return textResponse(String(html), {
    type: "text/html; charset=utf-8",
    status,
    headers: {
      "content-security-policy": `default-src 'none'; style-src '${styleSheet.source}'; ` +
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
      "x-frame-options": "DENY",
      "cache-control": "no-store",
      // The form needs its Origin header, which `no-referrer` would turn into `null`.
      "referrer-policy": "same-origin",
    },
  });
}

function isLogin(request: Request): boolean {
  return request.method === "POST" && new URL(request.url).pathname === "/login";
}

function tokenOf(headers: Headers, body: string): string {
  if ((headers.get("content-type") ?? "").startsWith("application/json")) {
    const value: unknown = parseJson(body);
    const token = typeof value === "object" && value !== null ? Reflect.get(value, "token") : "";
    return typeof token === "string" ? token : "";
  }
  return new URLSearchParams(body).get("token") ?? "";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SkyringError("bad_request", "Cannot read body: it is not JSON", { cause });
  }
}
