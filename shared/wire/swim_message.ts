// Liveness messages and profiles as bytes: CBOR arrays, short because they are many.
//
//   message   [kind, seq or round, target or rows, updates, profiles]
//   update    [id, incarnation, state, by]
//   row       [id, incarnation, state, boot, version]
//   profile   [id, boot, version, body]
//
// Everything that arrives is checked against closed shapes and limits before it is used; a
// message that breaks them is refused whole.

import { decode, encode } from "cborg";
import * as v from "valibot";
import { SkyringError } from "../base/errors.ts";
import { asNodeId } from "../base/ids.ts";
import { controlMessageBytesMax, profileBytesMax, rosterMembersMax } from "../base/limits.ts";
import type { Profile } from "../ring/profile.ts";
import { tabMarksMax } from "../ring/tab_count.ts";
import type { SwimBody, SwimMessage } from "../ring/swim_message.ts";
import type { Phase } from "../phase.ts";
import type { Liveness } from "../status.ts";

const states = ["alive", "suspect", "dead", "left"] as const satisfies readonly Liveness[];
const kinds = ["ping", "ack", "ask", "nack", "gossip", "exchange"] as const;
const phases = [
  "looking for peers",
  "joining",
  "fetching metadata",
  "picking blocks",
  "fetching blocks",
  "seeding",
  "full",
  "leaving",
  "read-only",
] as const satisfies readonly Phase[];
/** Facts that fit in the piggyback limit, with room to spare. */
const factsMax = 1_024;

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(128), v.transform(asNodeId));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const state = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
  v.maxValue(states.length - 1),
  v.transform((index) => states[index] ?? "alive"),
);
const update = v.pipe(
  v.strictTuple([id, count, state, id]),
  v.transform(([about, incarnation, is, by]) => ({ id: about, incarnation, state: is, by })),
);
const row = v.pipe(
  v.strictTuple([id, count, state, count, count]),
  v.transform(([about, incarnation, is, boot, version]) => ({
    id: about,
    incarnation,
    state: is,
    boot,
    version,
  })),
);
const body = v.pipe(
  v.instance(Uint8Array),
  v.check((bytes) => bytes.length <= profileBytesMax, "profile too long"),
);
const profile = v.pipe(
  v.strictTuple([id, count, count, body]),
  v.transform(([about, boot, version, bytes]) => ({ id: about, boot, version, body: bytes })),
);
const updates = v.pipe(v.array(update), v.maxLength(factsMax));
const profiles = v.pipe(v.array(profile), v.maxLength(rosterMembersMax));
const rows = v.pipe(v.array(row), v.maxLength(rosterMembersMax + 1));
const message = v.strictTuple([
  v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(kinds.length - 1)),
  count,
  v.union([v.null(), id, rows]),
  updates,
  profiles,
]);

/** A message as bytes, at most controlMessageBytesMax. @throws never */
export function encodeSwimMessage(said: SwimMessage): Uint8Array {
  const [number, subject] = subjectOf(said.body);
  return encode([
    kinds.indexOf(said.body.kind),
    number,
    subject,
    said.updates.map((fact) => [fact.id, fact.incarnation, states.indexOf(fact.state), fact.by]),
    said.profiles.map((entry) => [entry.id, entry.boot, entry.version, entry.body]),
  ]);
}

/** A message from bytes. @throws {SkyringError} bad_message */
export function decodeSwimMessage(bytes: Uint8Array): SwimMessage {
  const parsed = v.safeParse(message, decodeCbor(bytes));
  if (!parsed.success) throw badMessage(parsed.issues[0].message);
  const [kind, number, subject, facts, entries] = parsed.output;
  return { body: bodyOf({ kind, number, subject }), updates: facts, profiles: entries };
}

function subjectOf(said: SwimBody): [number, unknown] {
  switch (said.kind) {
    case "ping":
    case "ack":
    case "nack":
      return [said.seq, null];
    case "ask":
      return [said.seq, said.target];
    case "gossip":
      return [0, null];
    case "exchange":
      return [
        said.round,
        said.known.map((one) => [
          one.id,
          one.incarnation,
          states.indexOf(one.state),
          one.boot,
          one.version,
        ]),
      ];
    default:
      return said satisfies never;
  }
}

function bodyOf(
  parts: {
    readonly kind: number;
    readonly number: number;
    readonly subject: null | string | v.InferOutput<typeof rows>;
  },
): SwimBody {
  const { number, subject } = parts;
  const kind = kinds[parts.kind];
  if (kind === "exchange" && Array.isArray(subject)) {
    if (number !== 0 && number !== 1 && number !== 2) throw badMessage("unknown round");
    return { kind, round: number, known: subject };
  }
  if (kind === "ask" && typeof subject === "string") {
    return { kind, seq: number, target: asNodeId(subject) };
  }
  if (subject === null) {
    if (kind === "gossip" && number === 0) return { kind };
    if (kind === "ping" || kind === "ack" || kind === "nack") return { kind, seq: number };
  }
  throw badMessage("kind and subject do not fit");
}

function decodeCbor(bytes: Uint8Array): unknown {
  if (bytes.length > controlMessageBytesMax) throw badMessage("too long");
  try {
    return decode(bytes, { useMaps: false });
  } catch (cause) {
    throw badMessage("not CBOR", cause);
  }
}

function badMessage(state: string, cause?: unknown): SkyringError {
  return new SkyringError("bad_message", `Cannot read liveness message: ${state}`, { cause });
}

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const address = v.nullable(text(256));
const mark = v.pipe(count, v.maxValue(2 ** 32 - 1));
/** Unknown fields are passed over: a newer version may say more of itself. */
const profileShape = v.object({
  name: text(128),
  zone: text(128),
  bootId: text(64),
  version: text(64),
  http: address,
  line: address,
  addresses: v.pipe(v.array(text(256)), v.maxLength(16)),
  phase: v.object({ phase: v.picklist(phases), since: v.number(), because: text(256) }),
  capacity: count,
  used: count,
  metadata: count,
  blocks: v.object({ held: count, wanted: count, surplus: count }),
  epoch: count,
  arriving: count,
  ready: v.boolean(),
  tabs: v.exactOptional(v.object({
    count,
    marks: v.pipe(v.array(mark), v.maxLength(tabMarksMax)),
  })),
});

/**
 * A profile as bytes; its last addresses are left out until it fits.
 * @throws {SkyringError} too_large
 */
export function encodeProfile(facts: Profile): Uint8Array {
  for (let kept = Math.min(16, facts.addresses.length); kept >= 0; kept--) {
    const bytes = encode({ ...facts, addresses: facts.addresses.slice(0, kept) });
    if (bytes.length <= profileBytesMax) return bytes;
  }
  throw new SkyringError("too_large", "Cannot tell own facts: longer than the limit", {
    data: { limit: profileBytesMax },
  });
}

/** A profile from bytes. @throws {SkyringError} bad_message */
export function decodeProfile(bytes: Uint8Array): Profile {
  const parsed = v.safeParse(profileShape, decodeCbor(bytes));
  if (!parsed.success) throw badMessage(parsed.issues[0].message);
  return parsed.output;
}
