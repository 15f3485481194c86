// Between node:http and a fetch-style handler. Written here and not taken from a library because
// three things must hold: a body that fails after the headers breaks the connection and never
// ends cleanly; an upload is read only as fast as the handler takes it (and "100 Continue" is
// sent only when the handler first reads); an answer in mid-upload reaches the client.
//
// Invariants: one IncomingMessage gives exactly one answer; when the client leaves, the request's
// signal aborts and the answer's body is cancelled; nothing is read ahead of the handler beyond
// what the socket has buffered.

import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { httpLingerBytesMax, httpLingerMs } from "../../shared/base/limits.ts";
import { bodyStream } from "./body_stream.ts";
import { problemResponse } from "./problems.ts";
import { parseTarget } from "./target.ts";

/** What the socket knows and the request does not. */
export interface Connection {
  readonly remoteAddress: string;
  readonly encrypted: boolean;
}

/** Answers one request; should not throw, what it throws is answered as `internal`. */
export type FetchHandler = (request: Request, connection: Connection) => Promise<Response>;

/** Event name and fields; the composition root gives the real log. */
export type HttpLog = (event: string, fields: Readonly<Record<string, unknown>>) => void;

export interface ListenerOptions {
  readonly log: HttpLog;
  readonly encrypted?: boolean;
  /** Sent as Skyring-Version with answers that have none. */
  readonly version?: string;
  /** Told of bytes of a body that have left: nothing here reads them any more. */
  readonly onWritten?: ((bytes: Uint8Array) => void) | undefined;
  /** See body_stream.ts; for tests. */
  readonly bodyWindowMs?: number;
}

/** The `request` (and `checkContinue`) listener that feeds `handler`. @throws never */
export function createListener(
  handler: FetchHandler,
  options: ListenerOptions,
): (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue?: boolean) => void {
  return (incoming, outgoing, expectsContinue = false) => {
    answer({ incoming, outgoing, expectsContinue }, { handler, ...options }).catch((error) => {
      options.log("http.answer_failed", { error: messageOf(error) });
      outgoing.destroy();
    });
  };
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly expectsContinue: boolean;
}

async function answer(
  exchange: Exchange,
  options: ListenerOptions & { readonly handler: FetchHandler },
): Promise<void> {
  const { incoming, outgoing } = exchange;
  const left = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) {
      left.abort(new SkyringError("stopped", "Cannot go on: the client closed the connection"));
    }
  });
  const made = makeRequest(exchange, { ...options, signal: left.signal });
  let response: Response;
  if (made instanceof Response) {
    response = made;
  } else {
    const connection = {
      remoteAddress: incoming.socket.remoteAddress ?? "",
      encrypted: options.encrypted ?? false,
    };
    try {
      response = await options.handler(made, connection);
    } catch (error) {
      options.log("http.handler_failed", { error: messageOf(error) });
      response = problemResponse(error);
    }
  }
  await send(response, exchange, options);
}

function makeRequest(
  exchange: Exchange,
  options: ListenerOptions & { readonly signal: AbortSignal },
): Request | Response {
  const { incoming, outgoing } = exchange;
  const target = parseTarget(incoming.url ?? "", {
    host: incoming.headers.host,
    encrypted: options.encrypted ?? false,
  });
  if (!target.ok) return problemResponse(new SkyringError(target.code, target.detail));
  const method = incoming.method ?? "GET";
  const onFirstRead = () => {
    if (exchange.expectsContinue && !outgoing.headersSent) outgoing.writeContinue();
  };
  try {
    const body = hasBody(incoming) && method !== "GET" && method !== "HEAD"
      ? { body: bodyStream(incoming, { ...options, onFirstRead }), duplex: "half" }
      : {};
    return new Request(target.url, {
      method,
      headers: headersOf(incoming),
      signal: options.signal,
      ...body,
    });
  } catch (error) {
    // Methods and header values that the platform refuses: CONNECT, TRACE, raw bytes.
    const detail = `Cannot read request: ${messageOf(error)}`;
    return problemResponse(new SkyringError("bad_request", detail));
  }
}

function hasBody(incoming: IncomingMessage): boolean {
  const { headers } = incoming;
  if (headers["transfer-encoding"] !== undefined) return true;
  return headers["content-length"] !== undefined && headers["content-length"] !== "0";
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  return headers;
}

async function send(
  response: Response,
  exchange: Exchange,
  { log, version, onWritten }: ListenerOptions,
): Promise<void> {
  const { incoming, outgoing } = exchange;
  if (outgoing.destroyed) {
    await response.body?.cancel();
    return;
  }
  const versioned = version === undefined ? {} : { "skyring-version": version };
  outgoing.writeHead(response.status, { ...versioned, ...nodeHeaders(response.headers) });
  const unread = !incoming.complete;
  if (unread) outgoing.once("finish", () => linger(incoming));
  if (response.body === null || incoming.method === "HEAD") {
    await response.body?.cancel();
    outgoing.end();
    return;
  }
  try {
    await pump(response.body, { outgoing, onWritten });
  } catch (error) {
    if (!outgoing.destroyed) log("http.body_failed", { error: messageOf(error) });
    outgoing.destroy();
    incoming.socket.destroy();
  }
}

function nodeHeaders(headers: Headers): Record<string, string | string[]> {
  const plain: Record<string, string | string[]> = {};
  for (const [name, value] of headers) if (name !== "set-cookie") plain[name] = value;
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) plain["set-cookie"] = cookies;
  return plain;
}

/** Writes with back-pressure; rejects when the source fails, cancels it when the client leaves. */
async function pump(
  body: ReadableStream<Uint8Array>,
  { outgoing, onWritten }: Pick<Exchange, "outgoing"> & Pick<ListenerOptions, "onWritten">,
): Promise<void> {
  const reader = body.getReader();
  const gone = () => {
    reader.cancel().catch(() => undefined); // a failed source is already reported by read()
  };
  outgoing.once("close", gone);
  // Headers do not wait for a first block that has to be fetched; a body at hand goes with them.
  const flush = setTimeout(() => outgoing.flushHeaders(), 0);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      clearTimeout(flush);
      if (outgoing.destroyed) return;
      if (done) break;
      const written = (error?: Error | null) => {
        if (!error) onWritten?.(value);
      };
      if (!outgoing.write(value, written)) await drained(outgoing);
      if (outgoing.destroyed) return;
    }
    outgoing.end();
  } finally {
    clearTimeout(flush);
    outgoing.off("close", gone);
    if (outgoing.destroyed) gone();
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("drain", done);
    outgoing.on("close", done);
  });
}

/**
 * Reads on for a moment after an answer in mid-upload: closing with unread bytes would reset the
 * connection and the client might never see the answer.
 */
function linger(incoming: IncomingMessage): void {
  if (incoming.complete || incoming.socket.destroyed) return;
  let bytes = 0;
  const stop = () => {
    clearTimeout(timer);
    incoming.off("data", count);
    if (!incoming.complete) incoming.socket.destroySoon();
  };
  const count = (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > httpLingerBytesMax) stop();
  };
  const timer = setTimeout(stop, httpLingerMs);
  incoming.on("data", count);
  incoming.once("end", stop);
  incoming.once("close", stop);
  incoming.resume();
}
