// Liveness messages as bytes: they come back as they went, and nothing else gets in.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { encode } from "cborg";
import fc from "fast-check";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { controlMessageBytesMax, profileBytesMax } from "../../../../shared/base/limits.ts";
import type { Profile } from "../../../../shared/ring/profile.ts";
import type { SwimBody, SwimMessage } from "../../../../shared/ring/swim_message.ts";
import { updateBytes } from "../../../../shared/ring/swim_core.ts";
import {
  decodeProfile,
  decodeSwimMessage,
  encodeProfile,
  encodeSwimMessage,
} from "../../../../shared/wire/swim_message.ts";

const id = fc.string({ minLength: 1, maxLength: 60 }).map(asNodeId);
const count = fc.nat().map((small) => small * 2 ** 20);
const state = fc.constantFrom("alive", "suspect", "dead", "left");
const update = fc.record({ id, incarnation: count, state, by: id }, { noNullPrototype: true });
const known = fc.record(
  { id, incarnation: count, state, boot: count, version: count },
  { noNullPrototype: true },
);
const profile = fc.record(
  { id, boot: count, version: count, body: fc.uint8Array({ maxLength: 300 }) },
  { noNullPrototype: true },
);
const body: fc.Arbitrary<SwimBody> = fc.oneof(
  fc.record({ kind: fc.constantFrom("ping", "ack", "nack"), seq: count }, {
    noNullPrototype: true,
  }),
  fc.record({ kind: fc.constant("ask"), seq: count, target: id }, { noNullPrototype: true }),
  fc.constant({ kind: "gossip" }),
  fc.record({
    kind: fc.constant("exchange"),
    round: fc.constantFrom(0, 1, 2),
    known: fc.array(known),
  }, { noNullPrototype: true }),
) as fc.Arbitrary<SwimBody>;
const message = fc.record(
  { body, updates: fc.array(update), profiles: fc.array(profile) },
  { noNullPrototype: true },
) as fc.Arbitrary<SwimMessage>;

const facts: Profile = {
  name: "node-1",
  zone: "here",
  bootId: "b",
  version: "1",
  http: null,
  line: null,
  addresses: [],
  phase: { phase: "joining", since: 5, because: "asked to join" },
  capacity: 1,
  used: 2,
  metadata: 3,
  blocks: { held: 4, wanted: 5, surplus: 6 },
  epoch: 7,
  arriving: 8,
  ready: false,
};

function refused(run: () => unknown): void {
  throws(run, (thrown) => thrown instanceof SkyringError && thrown.code === "bad_message");
}

Deno.test("decodeSwimMessage() gives back what encodeSwimMessage() took", () => {
  fc.assert(fc.property(message, (said) => {
    deepStrictEqual(decodeSwimMessage(encodeSwimMessage(said)), said);
  }));
});

Deno.test("decodeSwimMessage() refuses or reads any bytes, and throws nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeSwimMessage(bytes);
      } catch (thrown) {
        ok(thrown instanceof SkyringError && thrown.code === "bad_message");
      }
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(message, fc.nat(), fc.nat(255), (said, place, flip) => {
    const bytes = encodeSwimMessage(said);
    bytes[place % bytes.length] = flip;
    try {
      decodeSwimMessage(bytes);
    } catch (thrown) {
      ok(thrown instanceof SkyringError && thrown.code === "bad_message");
    }
  }));
});

Deno.test("decodeSwimMessage() refuses kinds, rounds, states and sizes out of range", () => {
  refused(() => decodeSwimMessage(encode([6, 0, null, [], []])));
  refused(() => decodeSwimMessage(encode([5, 3, [], [], []])));
  refused(() => decodeSwimMessage(encode([0, 1, "x", [], []])));
  refused(() => decodeSwimMessage(encode([0, -1, null, [], []])));
  refused(() => decodeSwimMessage(encode([0, 1, null, [["a", 1, 4, "b"]], []])));
  refused(() => decodeSwimMessage(encode([0, 1, null, [["a", 2 ** 60, 0, "b"]], []])));
  refused(() => decodeSwimMessage(encode([0, 1, null, [], [["a", 1, 1, new Uint8Array(9_999)]]])));
  refused(() => decodeSwimMessage(encode([0, 1, null, [], [], []])));
  refused(() => decodeSwimMessage(new Uint8Array(controlMessageBytesMax + 1)));
});

Deno.test("updateBytes is no less than an update takes between real peer ids", () => {
  const peer = asNodeId("1".repeat(52));
  const fact = { id: peer, incarnation: 2 ** 52, state: "suspect" as const, by: peer };
  const say = (updates: SwimMessage["updates"]) =>
    encodeSwimMessage({ body: { kind: "gossip" }, updates, profiles: [] }).length;
  ok(say([fact, fact]) - say([fact]) <= updateBytes);
});

Deno.test("encodeProfile() drops addresses that do not fit, decodeProfile() reads the rest", () => {
  deepStrictEqual(decodeProfile(encodeProfile(facts)), facts);
  const addresses = Array.from({ length: 30 }, (_, index) => `/dns4/${"h".repeat(200)}${index}`);
  const bytes = encodeProfile({ ...facts, addresses });
  ok(bytes.length <= profileBytesMax);
  const kept = decodeProfile(bytes).addresses;
  ok(kept.length >= 5);
  deepStrictEqual(kept, addresses.slice(0, kept.length));
  strictEqual(decodeProfile(bytes).name, "node-1");
});

Deno.test("decodeProfile() passes over unknown fields, refuses wrong and missing ones", () => {
  deepStrictEqual(decodeProfile(encode({ ...facts, more: 1 })), facts);
  refused(() => decodeProfile(encode({ ...facts, used: -1 })));
  refused(() => decodeProfile(encode({ name: "node-1" })));
  refused(() => decodeProfile(encode({ ...facts, phase: { ...facts.phase, phase: "idle" } })));
});
