// One request to one node over node:http, which, other than fetch, announces the length of a
// stream and tells what became of it: whether the node was reached at all, and whether the whole
// body was sent. That decides what may be asked again elsewhere.
//
// A stream is begun only when the node consents (Expect: 100-continue): a node that refuses says
// so before any of it is read, so that the client still gets the reason.

import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { messageOf } from "../../shared/base/errors.ts";
import type { KnownNode } from "./node_set.ts";

/** A body that can be sent again, one that cannot, or none. */
export type UpstreamBody =
  | { readonly kind: "none" }
  | { readonly kind: "held"; readonly bytes: Uint8Array }
  | { readonly kind: "stream"; readonly stream: ReadableStream<Uint8Array> };

export interface UpstreamRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: UpstreamBody;
  /** How long it is waited for: a read that another node can do moves on sooner. */
  readonly until: {
    readonly headers: "quiet" | "gone";
    readonly bytes: (answer: UpstreamAnswer) => "quiet" | "gone";
  };
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly message: IncomingMessage;
}

/** What a broken request has surely not done. */
export type Broken = "not_reached" | "body_unsent" | "unanswered";

/** A request that a node did not answer; `broken` says how far it came. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  readonly broken: Broken;

  constructor(broken: Broken, cause: unknown) {
    super(messageOf(cause), { cause });
    this.broken = broken;
  }
}

/**
 * Sends a request. Resolves with its answer's headers, which are waited for as long as the node
 * answers polls, as `until` says. @throws {UpstreamFailure}
 */
export function ask(node: KnownNode, options: UpstreamRequest): Promise<UpstreamAnswer> {
  const send = node.base.startsWith("https:") ? tlsRequest : httpRequest;
  const { body } = options;
  const consent = body.kind === "stream" ? { expect: "100-continue" } : {};
  const request = send(node.base + options.path, {
    method: options.method,
    headers: { ...options.headers, ...consent },
    // A kept connection that the node has just closed would look like a request that it broke.
    agent: false,
  });
  const progress: { broken: Broken } = { broken: "not_reached" };
  const signal = AbortSignal.any([options.signal, node[options.until.headers]]);
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      finish();
      request.destroy();
      reject(new UpstreamFailure(progress.broken, cause));
    };
    const abort = () => fail(signal.reason);
    const finish = () => signal.removeEventListener("abort", abort);
    request.on("error", fail);
    request.on("close", () => fail(new Error("it closed the connection")));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    request.on("response", (message: IncomingMessage) => {
      finish();
      const status = message.statusCode ?? 502;
      const answer = { status, headers: headersOf(message), message };
      const until = node[options.until.bytes(answer)];
      follow(message, request, AbortSignal.any([options.signal, until]));
      resolve(answer);
    });
    sendBody(request, { body, progress }).catch(fail);
  });
}

/** Breaks the answer's body when its client leaves or its node is gone. */
function follow(message: IncomingMessage, request: ClientRequest, signal: AbortSignal): void {
  const abort = () => {
    message.destroy(new Error("Cannot go on: the node is gone"));
    request.destroy();
  };
  if (signal.aborted) return abort();
  signal.addEventListener("abort", abort);
  message.once("close", () => signal.removeEventListener("abort", abort));
  message.on("error", () => request.destroy()); // reported to who reads it
}

async function sendBody(
  request: ClientRequest,
  given: {
    readonly body: UpstreamBody;
    readonly progress: { broken: Broken };
  },
): Promise<void> {
  const { body, progress } = given;
  let answered = false;
  request.once("response", () => answered = true);
  const reached = connected(request);
  const consented = first(request, ["continue", "response", "close"]);
  if (body.kind === "none") request.end();
  else if (body.kind === "held") request.end(body.bytes);
  else request.flushHeaders();
  await reached;
  progress.broken = body.kind === "stream" ? "body_unsent" : "unanswered";
  if (body.kind !== "stream") return;
  await consented;
  const reader = body.stream.getReader();
  try {
    while (!answered && !request.destroyed) {
      const { done, value } = await reader.read();
      if (done) {
        progress.broken = "unanswered";
        request.end();
        return;
      }
      if (!request.write(value)) await first(request, ["drain", "response", "close"]);
    }
  } finally {
    reader.cancel().catch(() => undefined); // what broke it is known already
  }
}

function connected(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    request.once("close", resolve);
    request.once("socket", (socket) => {
      if (!socket.connecting) resolve();
      else socket.once("connect", () => resolve());
    });
  });
}

function first(request: ClientRequest, events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of events) request.off(event, done);
      resolve();
    };
    for (const event of events) request.on(event, done);
  });
}

function headersOf(message: IncomingMessage): Headers {
  const headers = new Headers();
  const { rawHeaders } = message;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  return headers;
}

/** A body's bytes as they are asked for. @throws when it ends before its end */
export async function* bytesOf(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  let length = 0;
  try {
    for await (const chunk of message) {
      const bytes = chunk as Uint8Array;
      length += bytes.length;
      yield bytes;
    }
  } finally {
    message.destroy();
  }
  const announced = message.headers["content-length"];
  if (!message.complete || (announced !== undefined && Number(announced) !== length)) {
    throw new Error("Cannot read body: the node broke off");
  }
}
