// Messages of the catalog protocol `/skyring/<group>/catalog/1.0.0`, and the digest that gossip
// carries. CBOR with short keys; every list has its limit; what does not fit is refused whole.
//
//   compare {claims}            -> answers {answers}
//   fetch   {marks}             -> entries {entries}
//   copy    {after}             -> page {entries, more}
//   digest  {marks, all}        gossip, or a notice to one peer: "I have these; all my entries
//                               have this fingerprint"

import { decode, encode } from "cborg";
import * as v from "valibot";
import { asLineage, asNodeId, type Lineage } from "../base/ids.ts";
import {
  catalogDigestEntriesMax,
  catalogPageEntriesMax,
  nameBytesMax,
  valueBytesMax,
} from "../base/limits.ts";
import type { CatalogEntry, EntryMark } from "../record/catalog_entry.ts";
import {
  type Fingerprint,
  treeDepth,
  treeFanout,
  type TreeRange,
} from "../record/fingerprint_tree.ts";
import type { RangeAnswer, RangeClaim } from "../record/reconcile.ts";
import type { RecordKey } from "../record/value.ts";

/** Claims in one message: bounds an answer of splits to about 100 KB. */
export const claimsMax = 256;

/** A question or notice. */
export type CatalogRequest =
  | { readonly kind: "compare"; readonly claims: readonly RangeClaim[] }
  | { readonly kind: "fetch"; readonly marks: readonly EntryMark[] }
  /** The entries after a key, in order of the keys; from the first when null. */
  | { readonly kind: "copy"; readonly after: RecordKey | null }
  | { readonly kind: "digest"; readonly marks: readonly EntryMark[]; readonly all: Fingerprint };

/** An answer. `refused`: the peer is of another lineage or does not know its own yet. */
export type CatalogReply =
  | { readonly kind: "answers"; readonly answers: readonly RangeAnswer[] }
  | { readonly kind: "entries"; readonly entries: readonly CatalogEntry[] }
  | { readonly kind: "page"; readonly entries: readonly CatalogEntry[]; readonly more: boolean }
  | { readonly kind: "refused"; readonly lineage: Lineage | null };

/** A request with the lineage of its sender: catalogs of two lineages never mix. */
export interface CatalogEnvelope {
  readonly lineage: Lineage;
  readonly request: CatalogRequest;
}

const bytesOf = (length: number) =>
  v.pipe(v.instance(Uint8Array), v.check((bytes) => bytes.length === length));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const mark = v.pipe(
  v.tuple([v.pipe(count, v.maxValue(2 ** 48 - 1)), bytesOf(16)]),
  v.transform(([point, id]): EntryMark => ({ point, id })),
);
const marks = (most: number) => v.pipe(v.array(mark), v.maxLength(most));
const range = v.pipe(
  v.tuple([v.pipe(count, v.maxValue(treeDepth)), count]),
  v.check(([depth, index]) => index < treeFanout ** depth),
  v.transform(([depth, index]): TreeRange => ({ depth, index })),
);
const fingerprint = v.pipe(
  v.tuple([count, bytesOf(16)]),
  v.transform(([entries, sum]): Fingerprint => ({ count: entries, sum })),
);
const claim = v.pipe(
  v.tuple([range, fingerprint]),
  v.transform(([of, print]): RangeClaim => ({ range: of, fingerprint: print })),
);
const ballot = v.pipe(
  v.tuple([count, count, v.pipe(v.string(), v.maxLength(128)), count]),
  v.transform(([epoch, round, node, boot]) => [epoch, round, asNodeId(node), boot] as const),
);
const kind = v.picklist(["file", "set", "member", "key"]);
const name = v.pipe(v.string(), v.maxLength(nameBytesMax));
const key = v.pipe(
  v.tuple([kind, name]),
  v.transform(([ofKind, ofName]): RecordKey => ({ kind: ofKind, name: ofName })),
);
const entry = v.pipe(
  v.tuple([
    kind,
    name,
    ballot,
    count,
    v.tuple([count, count]),
    v.boolean(),
    v.pipe(v.array(ballot), v.maxLength(8)),
    v.pipe(v.instance(Uint8Array), v.check((bytes) => bytes.length <= valueBytesMax)),
  ]),
  v.transform(([ofKind, ofName, version, n, stamp, deleted, recent, body]): CatalogEntry => ({
    key: { kind: ofKind, name: ofName },
    value: { version, n, stamp, deleted, recent, body },
  })),
);
const entries = v.pipe(v.array(entry), v.maxLength(catalogPageEntriesMax));
const answer = v.union([
  v.pipe(
    v.tuple([v.literal("s"), range, v.pipe(v.array(fingerprint), v.maxLength(treeFanout))]),
    v.transform(([, of, children]): RangeAnswer => ({ kind: "split", range: of, children })),
  ),
  v.pipe(
    v.tuple([v.literal("l"), range, v.array(mark)]),
    v.transform(([, of, listed]): RangeAnswer => ({ kind: "list", range: of, marks: listed })),
  ),
  v.pipe(
    v.tuple([v.literal("c"), count]),
    v.transform(([, held]): RangeAnswer => ({ kind: "copy", count: held })),
  ),
]);
const lineage = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/), v.transform(asLineage));

// One schema a kind, chosen by the first item: a union would try every member on every message.
const requestSchemas = {
  compare: v.tuple([v.literal("compare"), lineage, v.pipe(v.array(claim), v.maxLength(claimsMax))]),
  fetch: v.tuple([v.literal("fetch"), lineage, marks(catalogPageEntriesMax)]),
  copy: v.tuple([v.literal("copy"), lineage, v.nullable(key)]),
  digest: v.tuple([v.literal("digest"), lineage, marks(catalogDigestEntriesMax), fingerprint]),
};
const replySchemas = {
  answers: v.tuple([v.literal("answers"), v.pipe(v.array(answer), v.maxLength(claimsMax))]),
  entries: v.tuple([v.literal("entries"), entries]),
  page: v.tuple([v.literal("page"), entries, v.boolean()]),
  refused: v.tuple([v.literal("refused"), v.nullable(lineage)]),
};

/** A request as bytes. @throws never */
export function encodeCatalogRequest({ lineage: of, request }: CatalogEnvelope): Uint8Array {
  switch (request.kind) {
    case "compare":
      return encode(["compare", of, request.claims.map(wireClaim)]);
    case "fetch":
      return encode(["fetch", of, request.marks.map(wireMark)]);
    case "copy":
      return encode(["copy", of, request.after === null ? null : wireKey(request.after)]);
    case "digest":
      return encode(["digest", of, request.marks.map(wireMark), wirePrint(request.all)]);
  }
}

/** A reply as bytes. @throws never */
export function encodeCatalogReply(reply: CatalogReply): Uint8Array {
  switch (reply.kind) {
    case "answers":
      return encode(["answers", reply.answers.map(wireAnswer)]);
    case "entries":
      return encode(["entries", reply.entries.map(wireEntry)]);
    case "page":
      return encode(["page", reply.entries.map(wireEntry), reply.more]);
    case "refused":
      return encode(["refused", reply.lineage]);
  }
}

/** The request in bytes from a peer, or undefined when they are not one. @throws never */
export function decodeCatalogRequest(bytes: Uint8Array): CatalogEnvelope | undefined {
  const parsed = parseByKind(requestSchemas, bytes);
  if (!parsed?.success) return undefined;
  const message = parsed.output;
  const of = message[1];
  switch (message[0]) {
    case "compare":
      return { lineage: of, request: { kind: "compare", claims: message[2] } };
    case "fetch":
      return { lineage: of, request: { kind: "fetch", marks: message[2] } };
    case "copy":
      return { lineage: of, request: { kind: "copy", after: message[2] } };
    case "digest":
      return { lineage: of, request: { kind: "digest", marks: message[2], all: message[3] } };
  }
}

/** The reply in bytes from a peer, or undefined when they are not one. @throws never */
export function decodeCatalogReply(bytes: Uint8Array): CatalogReply | undefined {
  const parsed = parseByKind(replySchemas, bytes);
  if (!parsed?.success) return undefined;
  const message = parsed.output;
  switch (message[0]) {
    case "answers":
      return { kind: "answers", answers: message[1] };
    case "entries":
      return { kind: "entries", entries: message[1] };
    case "page":
      return { kind: "page", entries: message[1], more: message[2] };
    case "refused":
      return { kind: "refused", lineage: message[1] };
  }
}

function parseByKind<Schemas extends Record<string, v.GenericSchema>>(
  schemas: Schemas,
  bytes: Uint8Array,
): v.SafeParseResult<Schemas[keyof Schemas]> | undefined {
  const message = decodeQuietly(bytes);
  const kind = Array.isArray(message) ? message[0] : undefined;
  if (typeof kind !== "string" || !Object.hasOwn(schemas, kind)) return undefined;
  return v.safeParse(schemas[kind as keyof Schemas], message);
}

function decodeQuietly(bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch {
    return undefined; // not CBOR: the schema refuses it like any other wrong message
  }
}

const wireMark = ({ point, id }: EntryMark) => [point, id];
const wireRange = ({ depth, index }: TreeRange) => [depth, index];
const wirePrint = ({ count: held, sum }: Fingerprint) => [held, sum];
const wireKey = ({ kind: ofKind, name: ofName }: RecordKey) => [ofKind, ofName];
const wireClaim = (of: RangeClaim) => [wireRange(of.range), wirePrint(of.fingerprint)];

function wireAnswer(of: RangeAnswer): unknown[] {
  switch (of.kind) {
    case "split":
      return ["s", wireRange(of.range), of.children.map(wirePrint)];
    case "list":
      return ["l", wireRange(of.range), of.marks.map(wireMark)];
    case "copy":
      return ["c", of.count];
  }
}

function wireEntry({ key, value }: CatalogEntry): unknown[] {
  const { version, n, stamp, deleted, recent, body } = value;
  return [key.kind, key.name, version, n, stamp, deleted, recent, body];
}
