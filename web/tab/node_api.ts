// What a tab asks of its node over HTTP: a ticket, the rarest blocks, what a file is, a block
// that no connected node has, and to store under a name what the tab seeds. Everything that comes
// back is checked; a request that fails says so in one way.

import * as v from "valibot";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { blockBytesMax } from "../../shared/base/limits.ts";
import { parseCid } from "../../shared/block/cid.ts";
import type { Ticket } from "../../shared/wire/admission.ts";
import { decodeTicket } from "../../shared/wire/ticket_text.ts";

const answerMs = 15_000;
/** Storing what a tab seeds takes as long as the nodes need to copy it. */
const storeMs = 30 * 60_000;

const cidText = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }): Cid => {
    const parsed = parseCid(dataset.value);
    if (parsed.ok) return parsed.cid;
    addIssue({ message: parsed.code });
    return NEVER;
  }),
);
const ticketShape = v.object({
  ticket: v.string(),
  group: v.string(),
  nodes: v.pipe(
    v.array(v.object({ id: v.string(), name: v.string(), addresses: v.array(v.string()) })),
    v.maxLength(64),
  ),
});
const rareShape = v.object({
  items: v.pipe(v.array(v.object({ cid: cidText, size: v.number() })), v.maxLength(1_024)),
});
const infoShape = v.object({ cid: cidText, size: v.number() });
const problemShape = v.object({ detail: v.string() });

/** A permit for this tab, and where it is good. */
export interface Permit {
  readonly ticket: Ticket;
  readonly group: string;
  readonly nodes: readonly {
    readonly id: string;
    readonly name: string;
    readonly addresses: readonly string[];
  }[];
}

/** The node's HTTP side. Every method throws SkyringError with the node's own words. */
export interface NodeApi {
  permit(peer: string, signal: AbortSignal): Promise<Permit>;
  rare(
    ask: { readonly limit: number; readonly seed: number },
    signal: AbortSignal,
  ): Promise<readonly { readonly cid: Cid; readonly size: number }[]>;
  /** Root and size of a file; undefined when there is none. */
  file(
    name: string,
    signal: AbortSignal,
  ): Promise<{ readonly cid: Cid; readonly size: number } | undefined>;
  /** A block by any way the node knows; undefined when it finds none. Not verified here. */
  block(cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Names a root that this tab seeds; resolves once the nodes have their copies. */
  store(name: string, cid: Cid, signal: AbortSignal): Promise<void>;
}

/** The API at this origin. */
export function createNodeApi(origin: string): NodeApi {
  const ask = async (
    path: string,
    signal: AbortSignal,
    init: RequestInit & { ms?: number } = {},
  ) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(init.ms ?? answerMs)]);
    return await arriving(fetch(`${origin}${path}`, { ...init, signal: until }));
  };
  return {
    async permit(peer, signal) {
      const response = await ask("/api/tab/ticket", signal, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ peer }),
      });
      const { ticket, group, nodes } = await read(response, ticketShape);
      const decoded = decodeTicket(ticket);
      if (decoded === undefined) throw strange();
      return { ticket: decoded, group, nodes };
    },
    async rare({ limit, seed }, signal) {
      const response = await ask(`/api/tab/rare?limit=${limit}&seed=${seed}`, signal);
      return (await read(response, rareShape)).items;
    },
    async file(name, signal) {
      const response = await ask(`${filePath(name)}?view=info`, signal);
      return response.status === 404 ? undefined : await read(response, infoShape);
    },
    async block(cid, signal) {
      const response = await ask(`/api/blocks/${cid}`, signal, { cache: "no-store" });
      if (!response.ok) {
        await response.body?.cancel();
        return undefined;
      }
      if (Number(response.headers.get("content-length")) > blockBytesMax) throw strange();
      return new Uint8Array(await arriving(response.arrayBuffer()));
    },
    async store(name, cid, signal) {
      const headers = { "if-none-match": "*" };
      const path = `${filePath(name)}?from=${cid}`;
      const response = await ask(path, signal, { method: "PUT", headers, ms: storeMs });
      if (response.status === 412) {
        throw new SkyringError("conflict", "there is a file of this name: choose another one");
      }
      await read(response, infoShape);
    },
  };
}

function filePath(name: string): string {
  return `/api/files/${name.normalize("NFC").split("/").map(encodeURIComponent).join("/")}`;
}

async function read<Shape extends v.GenericSchema>(
  response: Response,
  shape: Shape,
): Promise<v.InferOutput<Shape>> {
  const body = jsonOf(await arriving(response.text()));
  if (!response.ok) {
    const problem = v.safeParse(problemShape, body);
    const words = problem.success ? problem.output.detail : `the node answered ${response.status}`;
    throw new SkyringError("unavailable", words, { retriable: response.status >= 500 });
  }
  const parsed = v.safeParse(shape, body);
  if (!parsed.success) throw strange();
  return parsed.output;
}

/** What comes over the wire; all that can go wrong there is that the node cannot be reached. */
async function arriving<T>(coming: Promise<T>): Promise<T> {
  try {
    return await coming;
  } catch (cause) {
    const why = messageOf(cause);
    throw new SkyringError("unavailable", `Cannot reach the node: ${why}`, {
      cause,
      retriable: true,
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not of a node: the shapes refuse it like any other wrong answer
  }
}

function strange(): SkyringError {
  return new SkyringError("unavailable", "Cannot read answer: it is not one of a node");
}
