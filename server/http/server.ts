// The one public port: a node:http server with every limit set. Its `upgrade` event is left to
// the libp2p listener of server/net, which takes `Upgrade: websocket` on `/` from `node`.
//
// Why node:http: it closes half-open requests, which Deno.serve does not. requestTimeout stays
// off, because an upload may take hours: slow bodies are cut off by body_stream.ts, silent
// sockets by the inactivity timeout, slow headers by headersTimeout.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import {
  httpConnectionsMax,
  httpHeaderBytesMax,
  httpHeadersTimeoutMs,
  httpIdleTimeoutMs,
  httpKeepAliveMs,
  httpStopGraceMs,
} from "../../shared/base/limits.ts";
import { createListener, type FetchHandler, type HttpLog } from "./adapter.ts";

/** What the parser found wrong, for which HTTP has a status of its own. */
const clientErrors: ReadonlyMap<string, string> = new Map([
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
]);

/** A running or startable server; `node` is for whoever takes upgrades. */
export interface HttpServer {
  readonly node: Server;
  /** Listens; resolves with the port in use. @throws {SkyringError} conflict: port in use */
  start(): Promise<number>;
  /** Stops accepting, waits a moment for answers under way, then closes what is left. */
  stop(): Promise<void>;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly log: HttpLog;
  /** Sent as Skyring-Version where the handler did not answer. */
  readonly version?: string;
  /** Told of bytes of a body that have left. */
  readonly onWritten?: (bytes: Uint8Array) => void;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Shorter waits, for tests. */
  readonly waits?: { readonly idleMs: number; readonly bodyWindowMs: number };
}

/** A server for `handler`, not yet listening. @throws never */
export function createHttpServer(handler: FetchHandler, options: HttpServerOptions): HttpServer {
  const listener = createListener(handler, {
    log: options.log,
    encrypted: options.tls !== undefined,
    ...(options.onWritten === undefined ? {} : { onWritten: options.onWritten }),
    ...(options.version === undefined ? {} : { version: options.version }),
    ...(options.waits === undefined ? {} : { bodyWindowMs: options.waits.bodyWindowMs }),
  });
  const limits = {
    connectionsCheckingInterval: 500,
    headersTimeout: httpHeadersTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: httpKeepAliveMs,
    maxHeaderSize: httpHeaderBytesMax,
  };
  const node = options.tls === undefined
    ? createServer(limits)
    : createTlsServer({ ...limits, ...options.tls }) as unknown as Server;
  node.maxConnections = httpConnectionsMax;
  node.setTimeout(options.waits?.idleMs ?? httpIdleTimeoutMs, (socket) => socket.destroy());
  const answering = new Map<unknown, number>();
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse, expects: boolean) => {
    const { socket } = incoming;
    answering.set(socket, (answering.get(socket) ?? 0) + 1);
    outgoing.once("close", () => {
      const left = (answering.get(socket) ?? 1) - 1;
      if (left > 0) answering.set(socket, left);
      else answering.delete(socket);
    });
    listener(incoming, outgoing, expects);
  };
  node.on("request", (incoming, outgoing) => serve(incoming, outgoing, false));
  node.on("checkContinue", (incoming, outgoing) => serve(incoming, outgoing, true));
  node.on("clientError", (error, socket) => {
    const code = String(Reflect.get(error, "code"));
    options.log("http.client_error", { error: messageOf(error), code });
    // In the middle of an answer this text would be taken for a part of its body.
    if (!socket.writable || answering.has(socket)) return void socket.destroy();
    const status = clientErrors.get(code) ?? "400 Bad Request";
    // Destroyed after the write: a half-open client must not keep the socket.
    const known = options.version === undefined ? "" : `Skyring-Version: ${options.version}\r\n`;
    const answer = `HTTP/1.1 ${status}\r\nConnection: close\r\n${known}Content-Length: 0\r\n\r\n`;
    socket.end(answer, () => socket.destroy());
  });
  return { node, start: () => listen(node, options), stop: () => close(node) };
}

function listen(node: Server, options: HttpServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      const data = { host: options.host, port: options.port };
      const message = `Cannot listen on ${options.host}:${options.port}: ${error.message}`;
      reject(new SkyringError("conflict", message, { data, cause: error }));
    };
    node.once("error", failed);
    node.listen(options.port, options.host, () => {
      node.off("error", failed);
      node.on("error", (error) => options.log("http.server_error", { error: messageOf(error) }));
      resolve((node.address() as AddressInfo).port);
    });
  });
}

function close(node: Server): Promise<void> {
  if (!node.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => node.closeAllConnections(), httpStopGraceMs);
    node.close(() => {
      clearTimeout(timer);
      resolve();
    });
    node.closeIdleConnections();
  });
}
