// How stored bytes are presented to a browser: type by the name's ending, disposition, and the
// headers that keep foreign content from acting. Content is data here, whoever pushed it.
// Source: RFC 6266 and RFC 8187 (file names in headers), Fetch (nosniff), CSP 3 (sandbox)

const types: ReadonlyMap<string, string> = new Map([
  ["txt", "text/plain; charset=utf-8"],
  ["log", "text/plain; charset=utf-8"],
  ["md", "text/markdown; charset=utf-8"],
  ["csv", "text/csv; charset=utf-8"],
  ["html", "text/html; charset=utf-8"],
  ["htm", "text/html; charset=utf-8"],
  ["xhtml", "application/xhtml+xml"],
  ["css", "text/css; charset=utf-8"],
  ["js", "text/javascript; charset=utf-8"],
  ["mjs", "text/javascript; charset=utf-8"],
  ["ts", "text/plain; charset=utf-8"],
  ["json", "application/json"],
  ["xml", "application/xml"],
  ["yaml", "application/yaml"],
  ["yml", "application/yaml"],
  ["toml", "application/toml"],
  ["pdf", "application/pdf"],
  ["wasm", "application/wasm"],
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["avif", "image/avif"],
  ["bmp", "image/bmp"],
  ["ico", "image/x-icon"],
  ["svg", "image/svg+xml"],
  ["mp3", "audio/mpeg"],
  ["m4a", "audio/mp4"],
  ["ogg", "audio/ogg"],
  ["opus", "audio/ogg"],
  ["flac", "audio/flac"],
  ["wav", "audio/wav"],
  ["mp4", "video/mp4"],
  ["m4v", "video/mp4"],
  ["webm", "video/webm"],
  ["mkv", "video/x-matroska"],
  ["mov", "video/quicktime"],
  ["woff2", "font/woff2"],
  ["zip", "application/zip"],
  ["gz", "application/gzip"],
  ["tgz", "application/gzip"],
  ["tar", "application/x-tar"],
  ["zst", "application/zstd"],
  ["xz", "application/x-xz"],
  ["car", "application/vnd.ipld.car"],
]);

const sandbox = "sandbox; default-src 'none'; style-src 'unsafe-inline'; " +
  "img-src 'self' data:; media-src 'self'";

/** Content-Type by the ending of a name, else application/octet-stream. @throws never */
export function typeOfName(name: string): string {
  const base = name.slice(name.lastIndexOf("/") + 1);
  const dot = base.lastIndexOf(".");
  const ending = dot < 0 ? "" : base.slice(dot + 1).toLowerCase();
  return types.get(ending) ?? "application/octet-stream";
}

/** Types that may run something when opened: shown as a download, never in place. */
export function isActiveType(type: string): boolean {
  const essence = (type.split(";", 1)[0] ?? "").trim().toLowerCase();
  return /^(text\/html|text\/xml|text\/javascript|application\/pdf|application\/wasm)$/
    .test(essence) || /(\/|\+)xml$/.test(essence);
}

/** Content-Disposition of a file: its last segment, in both forms. @throws never */
export function dispositionOf(kind: "inline" | "attachment", name: string): string {
  const base = name.slice(name.lastIndexOf("/") + 1);
  const plain = base.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const simple = `${kind}; filename="${plain}"`;
  if (plain === base) return simple;
  const encoded = encodeURIComponent(base.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${simple}; filename*=UTF-8''${encoded}`;
}

/** Headers under which stored content is shown. @throws never */
export function contentHeaders(
  name: string,
  options: { readonly download?: boolean; readonly type?: string } = {},
): Record<string, string> {
  const type = options.type ?? typeOfName(name);
  const attach = options.download === true || isActiveType(type);
  return {
    "content-type": type,
    "content-disposition": dispositionOf(attach ? "attachment" : "inline", name),
    "content-security-policy": sandbox,
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
  };
}
