// How pages and parts of pages go out: one strict policy, a weak tag of the content so that an
// unchanged part answers 304, and gzip, because a part is asked for every two seconds.
//
// The policy knows no inline script, style attribute or eval; user files are shown in frames
// whose own headers sandbox them.

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { bytesResponse } from "./responses.ts";

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "media-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; " +
  "frame-ancestors 'none'; object-src 'none'";
/** Below it compression saves less than it costs. */
const gzipBytesMin = 860;

/** HTML for this request: 304 when it has it already. @throws never */
export function uiResponse(
  html: string,
  options: { readonly request: Request; readonly status?: number },
): Response {
  const { request, status = 200 } = options;
  const bytes = new TextEncoder().encode(html);
  const tag = `W/"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  const headers: Record<string, string> = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy,
    "x-frame-options": "DENY",
    // Forms need their Origin header, which `no-referrer` would turn into `null`.
    "referrer-policy": "same-origin",
    "cache-control": status === 200 ? "private, no-cache" : "no-store",
    vary: "Accept-Encoding, Cookie, HX-Request",
    ...(status === 200 ? { etag: tag } : {}),
  };
  const cached = request.method === "GET" && status === 200 && hasTag(request.headers, tag);
  if (cached) return new Response(null, { status: 304, headers });
  return compressed(bytes, { request, status, headers });
}

/** A whole body, compressed when the client takes it. @throws never */
export function compressed(
  bytes: Uint8Array,
  options: {
    readonly request: Request;
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
  },
): Response {
  const { request, status, headers } = options;
  if (bytes.length < gzipBytesMin || !takes(request.headers, "gzip")) {
    return bytesResponse(bytes, { status, headers });
  }
  const packed = gzipSync(bytes, { level: 5 });
  return bytesResponse(packed, { status, headers: { ...headers, "content-encoding": "gzip" } });
}

/** Whether a client takes an encoding (RFC 9110, section 12.5.3). @throws never */
export function takes(headers: Headers, encoding: "gzip" | "br"): boolean {
  const named = new RegExp(`(^|,)\\s*${encoding}\\s*(;\\s*q=(?!0(\\.0*)?\\s*(,|$))|,|$)`, "i");
  return named.test(headers.get("accept-encoding") ?? "");
}

/** Whether If-None-Match holds the tag, compared weakly. @throws never */
export function hasTag(headers: Headers, tag: string): boolean {
  const bare = (text: string) => text.trim().replace(/^W\//, "");
  return (headers.get("if-none-match") ?? "").split(",").some((each) => bare(each) === bare(tag));
}

/** 303 to an address of this node, after a form. @throws never */
export function seeOther(location: string): Response {
  // Two slashes would lead to another host; browsers drop tabs and line ends between them.
  const local = /^\/(?![/\\])[\x21-\x7e]*$/.test(location) ? location : "/";
  return new Response(null, {
    status: 303,
    headers: { location: local, "cache-control": "no-store", "referrer-policy": "same-origin" },
  });
}
