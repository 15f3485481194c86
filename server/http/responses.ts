// Answers of known length. Every small body carries Content-Length, so that it is never sent
// chunked and a client can tell a whole answer from a broken one.

/** A whole body with its length. @throws never */
export function bytesResponse(
  bytes: Uint8Array,
  options: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
): Response {
  const headers = new Headers(options.headers);
  headers.set("content-length", String(bytes.length));
  // Copied into its own buffer, since a body may not alias memory that is used elsewhere.
  return new Response(new Uint8Array(bytes), { status: options.status, headers });
}

/** `value` as JSON. @throws TypeError on a value that JSON cannot hold */
export function jsonResponse(
  value: unknown,
  options: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  return bytesResponse(new TextEncoder().encode(JSON.stringify(value)), {
    status: options.status ?? 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      ...options.headers,
    },
  });
}

/** Text of any type. @throws never */
export function textResponse(
  text: string,
  options: {
    readonly type: string;
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Response {
  return bytesResponse(new TextEncoder().encode(text), {
    status: options.status ?? 200,
    headers: { "content-type": options.type, "cache-control": "no-store", ...options.headers },
  });
}
