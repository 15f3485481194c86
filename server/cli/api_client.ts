// The HTTP API of one node as the client uses it. Errors come back as CliFailures that people can
// read; bodies stream both ways. Uploads go through node:http, which, other than fetch, announces
// their length and waits for the node's consent (Expect: 100-continue) before it sends them: a
// full node refuses 5 GiB before they travel.

import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { once } from "node:events";
import { waitFor } from "../../web/wait.ts";
import { CliFailure, exitCodes, failureOf } from "./cli_failure.ts";

/** Uploads at least this large ask for consent first. */
const consentBytesMin = 1 << 20;
/** A busy node is asked again this often, as long after as it says, before giving up. */
const busyTriesMax = 5;
const retryAfterSecondsMax = 10;

/** One node, reached over HTTP. */
export interface ApiClient {
  readonly base: string;
  /** Sends a request without a body, or with a JSON one. @throws {CliFailure} for error statuses */
  call(method: string, path: string, options?: CallOptions): Promise<Response>;
  /** The same, parsed. @throws {CliFailure} */
  callJson(method: string, path: string, options?: CallOptions): Promise<Record<string, unknown>>;
  /** GETs a JSON object with its headers. @throws {CliFailure} */
  readJson(path: string): Promise<{
    readonly value: Record<string, unknown>;
    readonly headers: Headers;
  }>;
  /** PUTs a stream. @throws {CliFailure} */
  upload(path: string, body: UploadBody): Promise<Record<string, unknown>>;
  close(): void;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

export interface UploadBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Undefined: sent chunked. */
  readonly length: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ClientOptions {
  readonly base: string;
  readonly token: string | undefined;
  /** Said instead of the reason when the node cannot be reached. */
  readonly advice?: string;
  readonly signal: AbortSignal;
}

/** A client of the node at `base`. @throws never */
export function createApiClient(options: ClientOptions): ApiClient {
  const secure = options.base.startsWith("https:");
  const agent = secure ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  const call = (method: string, path: string, callOptions: CallOptions = {}) =>
    sendCall(options, { method, path, ...callOptions });
  return {
    base: options.base,
    call,
    callJson: async (method, path, callOptions) => {
      const text = await (await call(method, path, callOptions)).text();
      return parseJson(text, options.base);
    },
    readJson: async (path) => {
      const answer = await call("GET", path);
      return { value: parseJson(await answer.text(), options.base), headers: answer.headers };
    },
    upload: (path, body) => sendUpload({ ...options, agent, secure }, path, body),
    close: () => agent.destroy(),
  };
}

async function sendCall(
  client: ClientOptions,
  call: CallOptions & { readonly method: string; readonly path: string },
): Promise<Response> {
  const body = call.json === undefined ? undefined : JSON.stringify(call.json);
  const headers = {
    ...authorization(client.token),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...call.headers,
  };
  for (let tries = 1;; tries++) {
    let response: Response;
    try {
      response = await fetch(client.base + call.path, {
        method: call.method,
        headers,
        signal: client.signal,
        redirect: "error",
        ...(body === undefined ? {} : { body }),
      });
    } catch (cause) {
      throw unreachable(client, cause);
    }
    if (response.ok) return response;
    const text = await response.text();
    if (response.status !== 429 || tries === busyTriesMax) throw failureOf(response.status, text);
    await pause(response.headers.get("retry-after"), client.signal);
  }
}

async function sendUpload(
  client: ClientOptions & { readonly agent: Agent; readonly secure: boolean },
  path: string,
  body: UploadBody,
): Promise<Record<string, unknown>> {
  const asksFirst = body.length === undefined || body.length >= consentBytesMin;
  const send = client.secure ? tlsRequest : httpRequest;
  const request = send(client.base + path, {
    method: "PUT",
    agent: client.agent,
    signal: client.signal,
    headers: {
      ...authorization(client.token),
      ...body.headers,
      ...(body.length === undefined ? {} : { "content-length": String(body.length) }),
      ...(asksFirst ? { expect: "100-continue" } : {}),
    },
  });
  const answered = answerOf(request);
  // The body below rejects first, or waits for this: a failure is never lost.
  answered.catch(() => undefined);
  try {
    if (asksFirst) {
      request.flushHeaders();
      await Promise.race([once(request, "continue"), answered]);
    }
    await sendBody(request, body, answered);
    const { status, text } = await answered;
    if (status >= 200 && status < 300) return parseJson(text, client.base);
    throw failureOf(status, text);
  } catch (error) {
    request.destroy();
    if (error instanceof CliFailure) throw error;
    throw unreachable(client, error);
  }
}

/** Writes the body with back-pressure; stops at once when the node answers before its end. */
async function sendBody(
  request: ClientRequest,
  body: UploadBody,
  answered: Promise<Answer>,
): Promise<void> {
  let answer: Answer | undefined;
  const early = answered.then((value) => {
    answer = value;
  });
  for await (const chunk of body.chunks) {
    if (answer) break;
    if (!request.write(chunk)) await Promise.race([once(request, "drain"), early]);
  }
  if (!answer) request.end();
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function answerOf(request: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response: IncomingMessage) => {
      const decoder = new TextDecoder();
      let text = "";
      response.on("data", (bytes: Uint8Array) => {
        text += decoder.decode(bytes, { stream: true });
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
  });
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function unreachable(client: ClientOptions, cause: unknown): CliFailure {
  if (client.signal.aborted) {
    return new CliFailure(exitCodes.interrupted, "Interrupted", { cause });
  }
  const details: string[] = [];
  for (let error = cause; error instanceof Error; error = error.cause) details.push(error.message);
  const detail = details.at(-1) ?? String(cause);
  const isRefused = details.some((text) => /refused/i.test(text));
  const why = client.advice ?? (isRefused ? "no node listens there" : detail);
  return new CliFailure(exitCodes.failed, `Cannot reach ${client.base}: ${why}`, { cause });
}

function parseJson(text: string, base: string): Record<string, unknown> {
  try {
    const value: unknown = text === "" ? {} : JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new CliFailure(exitCodes.failed, `Cannot read the answer of ${base}: no JSON`, { cause });
  }
  throw new CliFailure(exitCodes.failed, `Cannot read the answer of ${base}: no JSON object`);
}

async function pause(retryAfter: string | null, signal: AbortSignal): Promise<void> {
  const asked = Number(retryAfter ?? "1");
  const seconds = Math.min(retryAfterSecondsMax, Number.isFinite(asked) ? Math.max(0, asked) : 1);
  await waitFor(seconds * 1_000, signal);
}
