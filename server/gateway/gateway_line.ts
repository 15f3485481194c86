// The line protocol of a gateway: over HTTP from any node, by the same way as every request, so
// that a push finds another node and a pull outlives its own. What a client gave with AUTH goes
// on as its token; the gateway adds none.

import * as v from "valibot";
import { type ErrorCode, SkyringError } from "../../shared/base/errors.ts";
import { asCid, asSlot, type Cid } from "../../shared/base/ids.ts";
import { gatewayAnswerBytesMax, linePageFiles } from "../../shared/base/limits.ts";
import { encodeName } from "../../shared/base/name.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import { streamOf } from "../http/file_pull.ts";
import { firstLeafOf } from "../line/first_leaf.ts";
import type { LineCall, LineFile, LineService, LineView } from "../line/line_service.ts";
import { lossOf } from "../line/node_line.ts";

export interface GatewayLineOptions {
  /** Takes a request to a node, as the gateway's HTTP does. */
  readonly forward: (request: Request) => Promise<Response>;
  /** Asks every node afresh. */
  readonly poll: () => Promise<void>;
}

const states = v.picklist(["alive", "suspect", "dead", "left"]);
const statusSchema = v.object({ id: v.string() });
const nodesSchema = v.object({
  items: v.array(v.object({ id: v.string(), line: v.nullish(v.string(), null), state: states })),
});
const ringSchema = v.object({
  nodes: v.array(v.object({ id: v.string() })),
  slots: v.array(v.object({ from: v.number(), to: v.number(), owners: v.array(v.string()) })),
});
const infoSchema = v.object({
  name: v.string(),
  cid: v.pipe(v.string(), v.transform(asCid)),
  size: v.number(),
  blocks: v.number(),
  replicas: v.object({ wanted: v.number(), least: v.number() }),
});
const listSchema = v.object({ items: v.array(infoSchema), next: v.nullable(v.string()) });
const problemSchema = v.looseObject({ code: v.string(), detail: v.optional(v.string()) });
const reportSchema = v.object({ kind: v.literal("report"), blocksLost: v.number() });

type Ring = v.InferOutput<typeof ringSchema>;

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly signal?: AbortSignal;
  readonly body?: ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The service of a gateway. @throws never */
export function createGatewayLine(options: GatewayLineOptions): LineService {
  const { forward } = options;
  const json = async <Schema extends v.GenericSchema>(schema: Schema, of: Call) =>
    v.parse(schema, JSON.parse(await textOf(await call(forward, of))));
  const stat = (name: string, token: string | undefined) =>
    json(infoSchema, { path: `${fileUrl(name)}?view=info`, token });
  return {
    view: async (token): Promise<LineView> => {
      const [{ id }, { items }, ring] = await Promise.all([
        json(statusSchema, { path: "/api/status", token }),
        json(nodesSchema, { path: "/api/nodes?limit=1000", token }),
        json(ringSchema, { path: "/api/ring", token }),
      ]);
      return { self: id, members: items, ring: ring.nodes.map((node) => node.id) };
    },
    discover: () => options.poll(),
    heal: async ({ token, signal }) => {
      const answer = await call(forward, { method: "POST", path: "/api/heal", token, signal });
      const report = v.safeParse(reportSchema, parseJson(await lastLineOf(answer)));
      if (!report.success) throw new SkyringError("unavailable", "Cannot heal network: no report");
      if (report.output.blocksLost > 0) throw lossOf(report.output.blocksLost);
    },
    push: async (body, { name, size, token, signal }) => {
      const answer = await call(forward, {
        ...{ method: "PUT", path: fileUrl(name), token, signal },
        body: streamOf(body),
        headers: { "content-length": String(size) },
      });
      return v.parse(infoSchema, JSON.parse(await textOf(answer)));
    },
    pull: async (name, { token, signal }) => {
      const answer = await call(forward, { path: fileUrl(name), token, signal });
      const size = Number(answer.headers.get("content-length"));
      return { size, bytes: answer.body ?? streamOf(nothing()) };
    },
    list: (of) => listFiles(forward, { ...of, json }),
    remove: async (name, token) => {
      await call(forward, { method: "DELETE", path: fileUrl(name), token });
    },
    stat: async (name, token) => {
      const { cid, size, replicas } = await stat(name, token);
      return { cid, size, ...replicas };
    },
  };
}

async function call(forward: GatewayLineOptions["forward"], of: Call): Promise<Response> {
  const headers = new Headers(of.headers);
  if (of.token !== undefined) headers.set("authorization", `Bearer ${of.token}`);
  const init: RequestInit & { duplex?: string } = {
    method: of.method ?? "GET",
    headers,
    ...(of.signal === undefined ? {} : { signal: of.signal }),
    ...(of.body === undefined ? {} : { body: of.body, duplex: "half" }),
  };
  const answer = await forward(new Request(`http://gateway${of.path}`, init));
  if (answer.ok) return answer;
  const problem = v.safeParse(problemSchema, parseJson(await textOf(answer)));
  const { code, detail } = problem.success ? problem.output : { code: "internal", detail: "" };
  throw new SkyringError(
    code as ErrorCode,
    detail || `the node answered ${answer.status}`,
    { data: numbersOf(problem.success ? problem.output : {}) },
  );
}

function numbersOf(problem: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(problem).filter((entry): entry is [string, number] =>
      typeof entry[1] === "number"
    ),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // an answer without a problem document
  }
}

async function textOf(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > gatewayAnswerBytesMax) {
      throw new SkyringError("too_large", "Cannot read answer: it is too long");
    }
  }
  return text;
}

/** The last line of a long stream, which is its report. */
async function lastLineOf(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const bytes of answer.body ?? []) {
    tail += decoder.decode(bytes, { stream: true });
    tail = tail.slice(tail.trimEnd().lastIndexOf("\n") + 1);
    if (tail.length > gatewayAnswerBytesMax) {
      throw new SkyringError("too_large", "Cannot read report: it is too long");
    }
  }
  return tail;
}

async function* listFiles(
  forward: GatewayLineOptions["forward"],
  options: LineCall & {
    readonly json: <Schema extends v.GenericSchema>(
      schema: Schema,
      of: Call,
    ) => Promise<v.InferOutput<Schema>>;
  },
): AsyncGenerator<LineFile> {
  const { token, signal, json } = options;
  const ring = await json(ringSchema, { path: "/api/ring", token, signal });
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/api/files?limit=${linePageFiles}${query}`;
    const page: v.InferOutput<typeof listSchema> = await json(listSchema, { path, token, signal });
    for (const { name, size, cid } of page.items) {
      const loadInner = async (inner: Cid) => {
        const answer = await call(forward, { path: `/api/blocks/${inner}`, token, signal });
        return new Uint8Array(await answer.arrayBuffer());
      };
      yield { name, size, firstOwner: await firstOwnerOf({ cid, size }, { ring, loadInner }) };
    }
    cursor = page.next;
  } while (cursor !== null);
}

async function firstOwnerOf(
  file: { readonly cid: Cid; readonly size: number },
  by: { readonly ring: Ring; readonly loadInner: (cid: Cid) => Promise<Uint8Array> },
): Promise<string | null> {
  try {
    const leaf = await firstLeafOf(file, by.loadInner);
    if (leaf === undefined) return null;
    const slot = slotOfCid(leaf);
    return by.ring.slots.find(({ from, to }) => slot >= asSlot(from) && slot <= asSlot(to))
      ?.owners[0] ?? null;
  } catch (error) {
    // Its first inner block cannot be reached: the row stays, without its place.
    if (error instanceof SkyringError) return null;
    throw error;
  }
}

function fileUrl(name: string): string {
  return `/api/files/${encodeName(name)}`;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
