// Codec of roster messages: reads back what it wrote, and never throws on anything else.

import assert from "node:assert/strict";
import { encode } from "cborg";
import fc from "fast-check";
import { asLineage, asNodeId } from "../../../../shared/base/ids.ts";
import { controlMessageBytesMax } from "../../../../shared/base/limits.ts";
import type { AgreementMessage } from "../../../../shared/record/agreement_port.ts";
import { foundingRoster } from "../../../../shared/ring/roster_change.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";
import type { CouncilBallot, RosterBody } from "../../../../shared/ring/roster_message.ts";
import {
  decodeRoster,
  decodeRosterMessage,
  encodeRoster,
  encodeRosterMessage,
} from "../../../../shared/wire/roster_message.ts";

const id = asNodeId("12D3KooWA");
const lineage = asLineage("a".repeat(64));
const roster = foundingRoster({
  ...{ founder: id, foundedAt: 1_700_000_000_000, salt: "0".repeat(32), capacity: 2 ** 40 },
  zone: "hall 1",
});
const forced: Roster = { ...roster, epoch: 7, into: lineage, parent: { lineage, epoch: 6 } };
const ballot: CouncilBallot = [2, id, 3];

const bodies: readonly RosterBody[] = [
  { kind: "hello" },
  { kind: "rosters", rosters: [roster, forced], oldest: 1 },
  { kind: "r-prepare", ballot },
  { kind: "r-accept", ballot, roster },
  { kind: "r-promise", ballot, accepted: null },
  { kind: "r-promise", ballot, accepted: { ballot, roster: forced } },
  { kind: "r-accepted", ballot },
  { kind: "r-no", ballot, promised: ballot },
  { kind: "want", change: { kind: "join", id, at: 3, capacity: 5, zone: "" } },
  { kind: "want", change: { kind: "leave", id, since: 3 } },
  { kind: "want", change: { kind: "expel", id, since: 3 } },
  { kind: "want", change: { kind: "resize", id, since: 3, capacity: 0 } },
  { kind: "want", change: { kind: "lost", id } },
  { kind: "want", change: { kind: "dissolve", into: lineage } },
  { kind: "meet", roster, bare: true },
];

function message(body: RosterBody): AgreementMessage {
  return { lineage: asLineage(""), epoch: 0, body };
}

Deno.test("decodeRosterMessage() reads back every kind of message", () => {
  for (const body of bodies) {
    const decoded = decodeRosterMessage(encodeRosterMessage(message(body)));
    assert.deepEqual(decoded, { ok: true, message: message(body) });
  }
});

Deno.test("decodeRosterMessage() refuses rosters that cannot be", () => {
  const other = asNodeId("12D3KooWB");
  const unsound: readonly Roster[] = [
    { ...roster, members: [...roster.members, ...roster.members] },
    { ...roster, council: [other] },
    { ...roster, council: [] },
    { ...roster, council: [id, id, id] },
    { ...roster, epoch: 0 },
    { ...roster, salt: "short" },
  ];
  for (const bad of unsound) {
    const body: RosterBody = { kind: "rosters", rosters: [bad], oldest: 1 };
    assert.equal(decodeRosterMessage(encodeRosterMessage(message(body))).ok, false);
  }
});

Deno.test("decodeRosterMessage() refuses a message over the limit, unread", () => {
  const decoded = decodeRosterMessage(new Uint8Array(controlMessageBytesMax + 1));
  assert.equal(decoded.ok, false);
});

Deno.test("decodeRosterMessage() refuses CBOR that is no message", () => {
  for (const bad of [undefined, 1, "hello", { kind: "hello" }, { lineage: "", epoch: 0 }]) {
    assert.equal(decodeRosterMessage(encode(bad)).ok, false);
  }
});

Deno.test("decodeRosterMessage() never throws on random or damaged bytes", () => {
  const written = bodies.map((body) => encodeRosterMessage(message(body)));
  const damage = fc.tuple(fc.constantFrom(...written), fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(damage, fc.uint8Array({ maxLength: 200 }), ([bytes, at, byte], random) => {
      const damaged = bytes.slice();
      damaged[at % damaged.length] = byte;
      assert.equal(typeof decodeRosterMessage(damaged).ok, "boolean");
      assert.equal(typeof decodeRosterMessage(random).ok, "boolean");
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeRoster() reads back what encodeRoster() wrote", () => {
  assert.deepEqual(decodeRoster(encodeRoster(forced)), forced);
  assert.throws(() => decodeRoster(new Uint8Array([0xa0])));
});
