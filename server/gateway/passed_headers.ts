// Headers on their way through a gateway: pure.
//
// A gateway adds no authority and takes none away. Authorization goes on as it is; the session
// cookie, whose name holds the port of who set it, is given the name that the other side knows,
// its value untouched. Host becomes the node's, and Origin and Sec-Fetch-Site are dropped, because
// the gateway has judged them by the node's own rules. X-Forwarded-* is dropped too: with it a
// loopback node would demand a token that it does not have; who stands before the gateway is the
// gateway's matter, which demands its token then. What a node must know of the visitor is in the
// gateway's own header (gateway_word.ts), which nobody else gets through.

import { cookieName } from "../http/auth.ts";
import { gatewayHeader } from "../http/gateway_word.ts";

/** Source: RFC 9110, 7.6.1 */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const judged: ReadonlySet<string> = new Set([
  "host",
  "origin",
  "sec-fetch-site",
  "expect",
  gatewayHeader,
]);

/** Ports whose cookies are one: the gateway's and the node's. */
export interface CookiePorts {
  readonly gateway: number;
  readonly node: number;
}

/** A request's headers as the node gets them, without Host. @throws never */
export function requestHeaders(headers: Headers, ports: CookiePorts): Record<string, string> {
  const passed: Record<string, string> = {};
  const dropped = namedIn(headers);
  for (const [name, value] of headers) {
    if (hopByHop.has(name) || judged.has(name) || dropped.has(name)) continue;
    if (name === "forwarded" || name.startsWith("x-forwarded-")) continue;
    passed[name] = name === "cookie" ? renamedCookies(value, ports) : value;
  }
  return passed;
}

/** An answer's headers as the client gets them. @throws never */
export function answerHeaders(headers: Headers, ports: CookiePorts): Headers {
  const passed = new Headers();
  const dropped = namedIn(headers);
  for (const [name, value] of headers) {
    if (hopByHop.has(name) || dropped.has(name) || name === "set-cookie") continue;
    passed.set(name, value);
  }
  for (const cookie of headers.getSetCookie()) {
    const own = `${cookieName(ports.node)}=`;
    passed.append(
      "set-cookie",
      cookie.startsWith(own) ? `${cookieName(ports.gateway)}=${cookie.slice(own.length)}` : cookie,
    );
  }
  return passed;
}

function renamedCookies(header: string, ports: CookiePorts): string {
  return header.split(";").flatMap((part) => {
    const split = part.indexOf("=");
    const name = part.slice(0, split).trim();
    // A cookie of the node's own port was not meant for the gateway.
    if (name === cookieName(ports.node) && ports.node !== ports.gateway) return [];
    const renamed = name === cookieName(ports.gateway) ? cookieName(ports.node) : name;
    return split === -1 ? [part.trim()] : [`${renamed}=${part.slice(split + 1).trim()}`];
  }).join("; ");
}

function namedIn(headers: Headers): ReadonlySet<string> {
  const names = (headers.get("connection") ?? "").split(",");
  return new Set(names.map((name) => name.trim().toLowerCase()));
}
