// What a gateway tells the node behind it about a request: under which origin the visitor came,
// from which address, and, in a cluster, which processes there are. It stands in one header, which
// a gateway never passes on from outside.
//
// Why a node may believe it: a node with a token takes only words sealed with that token, which
// the gateway has. A node without one listens on loopback alone, and whoever reaches it may do
// everything there anyway.

import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import * as v from "valibot";
import { isToken } from "./auth.ts";

/** Name of the header. */
export const gatewayHeader = "skyring-gateway";

const word = v.object({
  origin: v.pipe(v.string(), v.regex(/^https?:\/\/[^/\s?#@]{1,255}$/)),
  client: v.pipe(v.string(), v.maxLength(64)),
  cluster: v.nullable(v.object({
    processes: v.pipe(
      v.array(v.object({
        name: v.pipe(v.string(), v.maxLength(256)),
        state: v.picklist(["running", "paused", "waiting", "ended"]),
        port: v.number(),
      })),
      v.maxLength(100),
    ),
    refusal: v.nullable(v.string()),
  })),
});

/** The word; `cluster` is null for a gateway that has no processes. */
export type GatewayWord = v.InferOutput<typeof word>;
/** The processes of a cluster, and the reason why the last order to one was refused. */
export type ClusterWord = NonNullable<GatewayWord["cluster"]>;

/** The header's value. @throws never */
export function sealWord(said: GatewayWord, token: string | null): string {
  const text = Buffer.from(JSON.stringify(said)).toString("base64url");
  return token === null ? text : `${text}.${sealOf(text, token)}`;
}

/** The word in a request; undefined when there is none to believe. @throws never */
export function readWord(headers: Headers, token: string | null): GatewayWord | undefined {
  const [text = "", seal = ""] = (headers.get(gatewayHeader) ?? "").split(".");
  if (text === "" || (token !== null && !isToken(seal, sealOf(text, token)))) return undefined;
  const parsed = v.safeParse(word, jsonOf(Buffer.from(text, "base64url").toString()));
  return parsed.success ? parsed.output : undefined;
}

function sealOf(text: string, token: string): string {
  return createHmac("sha256", token).update(`skyring gateway\n${text}`).digest("base64url");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // nothing that a gateway made
  }
}
