// HTML documents under the strict policy: no script, no style, no frame, forms to this node only.
// Text from outside goes through escape() first.

import { textResponse } from "./responses.ts";

const policy = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
  "object-src 'none'";

/** A whole HTML document around `body`, which must be escaped already. @throws never */
export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escape(title)}` +
    `</title><meta name="viewport" content="width=device-width"></head><body>${body}</body></html>`;
}

/** HTML under the strict policy. @throws never */
export function htmlResponse(html: string, status: number): Response {
  const headers = { "content-security-policy": policy, "x-frame-options": "DENY" };
  return textResponse(html, { type: "text/html; charset=utf-8", status, headers });
}

/** Text for HTML content and quoted attributes. @throws never */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}
