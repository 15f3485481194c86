// The request target and Host, read before anything else sees them. The URL parser folds `..`
// and `%2e%2e` silently, so a PUT to `a/../b` would land on `b`: dot segments are refused here,
// on the raw text. An absolute-form target must agree with Host, else one of the two would be
// checked and the other one used.
// Source: RFC 9112, 3.2

/** A parsed target, or why it is refused. */
export type Target =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly code: "bad_request" | "bad_name"; readonly detail: string };

/** Parses `raw` (origin or absolute form) with its Host header. @throws never */
export function parseTarget(
  raw: string,
  options: { readonly host: string | undefined; readonly encrypted: boolean },
): Target {
  const { host } = options;
  if (host === undefined || !isHost(host)) return refused("Cannot read Host: not one host name");
  const scheme = options.encrypted ? "https" : "http";
  const base = `${scheme}://${host}`;
  if (!URL.canParse(base)) return refused("Cannot read Host: not a host name");
  const split = splitForm(raw);
  if (split === undefined) return refused("Cannot read request target: not a path or URL");
  if (split.authority !== undefined && split.authority.toLowerCase() !== host.toLowerCase()) {
    return refused("Cannot accept request target: its host differs from the Host header");
  }
  // Printable ASCII without the backslash: everything else must come percent-encoded.
  if (/[^\x21-\x5b\x5d-\x7e]/.test(split.path)) {
    return refused("Cannot read request target: it holds characters that must be encoded");
  }
  const path = split.path.split(/[?#]/, 1)[0] ?? "/";
  if (path.split("/").some(isDotSegment)) return dotRefused(path);
  const text = base + split.path;
  return URL.canParse(text)
    ? { ok: true, url: new URL(text) }
    : refused("Cannot read request target");
}

/** One host name or bracketed address with an optional port; no list, user or path. */
export function isHost(text: string): boolean {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?$/i.test(text);
}

function splitForm(raw: string): { authority: string | undefined; path: string } | undefined {
  if (raw.startsWith("/")) return { authority: undefined, path: raw };
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(raw);
  if (absolute === null) return undefined;
  const rest = absolute[2] ?? "";
  return { authority: absolute[1] ?? "", path: rest.startsWith("/") ? rest : `/${rest}` };
}

function isDotSegment(segment: string): boolean {
  const plain = segment.replace(/%2e/gi, ".");
  return plain === "." || plain === "..";
}

function dotRefused(path: string): Target {
  const detail = "Cannot accept path: it holds a `.` or `..` segment";
  const named = path.startsWith("/api/files/") || path.startsWith("/api/kv/");
  return { ok: false, code: named ? "bad_name" : "bad_request", detail };
}

function refused(detail: string): Target {
  return { ok: false, code: "bad_request", detail };
}
