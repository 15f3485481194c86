// A request of a client, taken to a node that can answer it; to another one when the first dies
// and nothing can be done twice by it.
//
//   not reached            any request goes to another node
//   GET, HEAD, OPTIONS     go to another node until headers came, also from one that is only
//                          quiet; then see resumed_body.ts
//   PUT without condition  goes to another node while its body is held
//   all else               fails with what is known: nothing was stored, or nobody can tell
//
// A node's own refusal because it is starting or stopping counts as not reached.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { gatewayAnswerBytesMax } from "../../shared/base/limits.ts";
import { streamOf } from "../http/file_pull.ts";
import { gatewayHeader } from "../http/gateway_word.ts";
import type { HeldBodies } from "./held_body.ts";
import type { KnownNode, NodeSet } from "./node_set.ts";
import { answerHeaders, requestHeaders } from "./passed_headers.ts";
import { isRest, type Pin, pinOf, restHeaders, resumedBytes } from "./resumed_body.ts";
import {
  ask,
  bytesOf,
  type UpstreamAnswer,
  type UpstreamBody,
  UpstreamFailure,
} from "./upstream.ts";

export interface ForwardOptions {
  readonly nodes: NodeSet;
  readonly bodies: HeldBodies;
  /** Port of the gateway: the name of its session cookie. */
  readonly port: number;
  /** What the node is told of the visitor, sealed. */
  readonly word?: string;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** One request on its way. */
interface Passage extends ForwardOptions {
  readonly request: Request;
  readonly url: URL;
  readonly body: UpstreamBody;
  readonly safe: boolean;
}

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/**
 * Bytes are read anywhere. Changes and all else go to one node as long as it is well: what was
 * stored through it is in its list at once, while other nodes' lists are a moment behind; and
 * its jobs, events and pages are of one piece.
 */
const spreadPath = /^\/(api\/(files|blocks|kv|sets)|ipfs|s)\//;
const awayCodes: ReadonlySet<string> = new Set(["not_ready", "stopped", "read_only"]);
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** Answers by way of a node. @throws {SkyringError} not_ready, unreachable, outcome_unknown */
export async function forward(request: Request, options: ForwardOptions): Promise<Response> {
  const { body, release } = await options.bodies.take(request);
  try {
    const safe = safeMethods.has(request.method);
    return await carry({ ...options, request, url: new URL(request.url), body, safe });
  } finally {
    release();
  }
}

async function carry(passage: Passage): Promise<Response> {
  const { nodes, request, url, safe } = passage;
  const tried = new Set<KnownNode>();
  let refusal: Response | undefined;
  for (;;) {
    const node = nodes.choose({ spread: safe && spreadPath.test(url.pathname), except: tried });
    if (node === undefined) break;
    tried.add(node);
    const leave = nodes.occupy(node);
    try {
      const answer = await askNode(passage, node);
      if (answer.status !== 503 || passage.body.kind === "stream") {
        return respond(passage, { node, answer, leave });
      }
      refusal = await refusalOf(passage, node, answer);
      leave();
      if (!awayCodes.has(refusal.headers.get("skyring-refusal") ?? "")) break;
    } catch (error) {
      leave();
      if (request.signal.aborted) throw error;
      if (!(error instanceof UpstreamFailure)) throw error;
      // The client's own body failed, which is no fault of the node.
      if (error.cause instanceof SkyringError) throw error.cause;
      passage.log("gateway_node_failed", { node: node.base, error: messageOf(error) });
      nodes.failed(node);
      if (!mayGoElsewhere(passage, error)) throw brokenOff(passage, { node, error });
    }
  }
  refusal?.headers.delete("skyring-refusal");
  if (refusal !== undefined) return refusal;
  throw new SkyringError("not_ready", "Cannot answer: no node of the pool can be reached", {
    retriable: true,
  });
}

function askNode(passage: Passage, node: KnownNode): Promise<UpstreamAnswer> {
  const { request, url, body, word } = passage;
  const headers = requestHeaders(request.headers, portsOf(passage, node));
  return ask(node, {
    method: request.method,
    path: url.pathname + url.search,
    headers: { ...headers, ...(word === undefined ? {} : { [gatewayHeader]: word }) },
    body,
    until: {
      headers: passage.safe ? "quiet" : "gone",
      // What can go on elsewhere at the same byte does so soon; all else cannot.
      bytes: (answer) => pinnedBy(passage, answer) === undefined ? "gone" : "quiet",
    },
    signal: request.signal,
  });
}

function mayGoElsewhere({ request, body, safe }: Passage, failure: UpstreamFailure): boolean {
  if (body.kind === "stream") return failure.broken === "not_reached";
  if (safe || failure.broken === "not_reached") return true;
  const conditional = request.headers.has("if-match") || request.headers.has("if-none-match");
  return request.method === "PUT" && !conditional;
}

function brokenOff(
  { request, url }: Passage,
  { node, error }: { readonly node: KnownNode; readonly error: UpstreamFailure },
): SkyringError {
  const data = { node: node.base };
  const what = `${request.method} ${url.pathname}`;
  return error.broken === "body_unsent"
    ? new SkyringError(
      "unreachable",
      `Cannot finish ${what}: node ${node.base} broke off in the middle, nothing was stored`,
      { data, cause: error, retriable: true },
    )
    : new SkyringError(
      "outcome_unknown",
      `Cannot tell whether ${what} was done: node ${node.base} broke off before its answer`,
      { data, cause: error },
    );
}

/** A 503 as a whole answer, with its code where the loop finds it. */
async function refusalOf(
  passage: Passage,
  node: KnownNode,
  answer: UpstreamAnswer,
): Promise<Response> {
  const text = await textOf(answer).catch((error) => messageOf(error));
  const headers = answerHeaders(answer.headers, portsOf(passage, node));
  headers.delete("content-length");
  // A node whose app does not run yet answers without a problem.
  headers.set("skyring-refusal", /"code":"([a-z_]+)"/.exec(text)?.[1] ?? "not_ready");
  return new Response(passage.request.method === "HEAD" ? null : text, { status: 503, headers });
}

/** A whole small answer. @throws when it is cut or too long */
export async function textOf(answer: UpstreamAnswer): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of bytesOf(answer.message)) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > gatewayAnswerBytesMax) throw new Error("Cannot read answer: it is too long");
  }
  return text;
}

function respond(
  passage: Passage,
  from: { readonly node: KnownNode; readonly answer: UpstreamAnswer; readonly leave: () => void },
): Response {
  const { request } = passage;
  const { answer, node, leave } = from;
  const headers = answerHeaders(answer.headers, portsOf(passage, node));
  const { status } = answer;
  if (request.method === "HEAD" || bodiless.has(status)) {
    answer.message.destroy();
    leave();
    return new Response(null, { status, headers });
  }
  const pin = pinnedBy(passage, answer);
  const bytes = pin === undefined
    ? bytesOf(answer.message)
    : resumed(passage, { answer, node, pin });
  return new Response(streamOf(whileOccupied(bytes, leave)), { status, headers });
}

function pinnedBy({ request, url }: Passage, answer: UpstreamAnswer): Pin | undefined {
  return request.method === "GET" ? pinOf(url, answer) : undefined;
}

async function* whileOccupied(
  bytes: AsyncIterable<Uint8Array>,
  leave: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } finally {
    leave();
  }
}

function resumed(
  passage: Passage,
  first: { readonly answer: UpstreamAnswer; readonly node: KnownNode; readonly pin: Pin },
): AsyncGenerator<Uint8Array> {
  const { nodes, request } = passage;
  const { pin } = first;
  let current = first.node;
  let except = new Set<KnownNode>();
  return resumedBytes(first.answer, {
    pin,
    signal: request.signal,
    onResume: (at) => {
      passage.log("gateway_goes_on", { path: pin.path, at, left: current.base });
      except.add(current);
    },
    reopen: async (at) => {
      const node = nodes.choose({ spread: true, except });
      if (node === undefined) {
        // All have been tried: whoever answers now may be tried again.
        await nodes.poll();
        except = new Set();
        return undefined;
      }
      current = node;
      return await askRest(passage, { node, pin, at });
    },
  });
}

async function askRest(
  passage: Passage,
  of: { readonly node: KnownNode; readonly pin: Pin; readonly at: number },
): Promise<UpstreamAnswer | undefined> {
  const { node, pin, at } = of;
  const given = requestHeaders(passage.request.headers, portsOf(passage, node));
  const credentials = ["authorization", "cookie"].flatMap((name) => {
    const value = given[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  try {
    const answer = await ask(node, {
      method: "GET",
      path: pin.path,
      headers: { ...Object.fromEntries(credentials), ...restHeaders(pin, at) },
      body: { kind: "none" },
      until: { headers: "quiet", bytes: () => "quiet" },
      signal: passage.request.signal,
    });
    if (isRest(answer, pin, at)) return answer;
    passage.log("gateway_rest_refused", { node: node.base, status: answer.status });
    answer.message.destroy();
  } catch (error) {
    passage.log("gateway_node_failed", { node: node.base, error: messageOf(error) });
    passage.nodes.failed(node);
  }
  return undefined;
}

function portsOf({ port }: Passage, node: KnownNode) {
  const { port: given, protocol } = new URL(node.base);
  return { gateway: port, node: Number(given) || (protocol === "https:" ? 443 : 80) };
}
