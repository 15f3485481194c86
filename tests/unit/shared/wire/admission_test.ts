import assert from "node:assert/strict";
import { encode } from "cborg";
import fc from "fast-check";
import {
  type AdmissionMessage,
  decodeAdmission,
  encodeAdmission,
  isRestored,
  judgeTicket,
  makeTicket,
  ownSpeech,
  proofOf,
  provenKey,
  type Transcript,
  understands,
} from "../../../../shared/wire/admission.ts";

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const equal = (left: Uint8Array, right: Uint8Array) => left.join() === right.join();
const transcript: Transcript = {
  group: "g",
  role: "member",
  diallerId: "A",
  acceptorId: "B",
  diallerNonce: bytes(1),
  acceptorNonce: bytes(2),
  diallerBoot: "a".repeat(16),
  acceptorBoot: "b".repeat(16),
};

Deno.test("decodeAdmission() gives back every message, and nothing of other bytes", () => {
  const messages: AdmissionMessage[] = [
    { t: "hello", nonce: bytes(3), boot: "0".repeat(16), role: "member" },
    {
      t: "hello",
      nonce: bytes(3),
      boot: "0".repeat(16),
      role: "tab",
      ticket: { expiresAt: 5, mac: bytes(4) },
    },
    { t: "challenge", nonce: bytes(5), boot: "f".repeat(16) },
    {
      ...{ t: "hello", nonce: bytes(3), boot: "0".repeat(16), role: "member", starts: 7 },
      speaks: { protocol: 2, version: "1.0.0-rc.1" },
    },
    { t: "challenge", nonce: bytes(5), boot: "f".repeat(16), speaks: ownSpeech, starts: 1 },
    { t: "refused", reason: "other_version", speaks: ownSpeech },
    { t: "proof", macs: [bytes(6), bytes(7)] },
    { t: "welcome", macs: [] },
    { t: "done" },
    { t: "refused", reason: "wrong_secret" },
    { t: "refused", reason: "copied_identity", macs: [bytes(8)] },
  ];
  for (const message of messages) {
    assert.deepEqual(decodeAdmission(encodeAdmission(message)), message);
  }
  const wrong: unknown[] = [
    { t: "hello" },
    { t: "done", more: 1 },
    { t: "proof", macs: [bytes(1), bytes(2), bytes(3)] },
    { t: "proof", macs: [new Uint8Array(31)] },
    { t: "challenge", nonce: "x".repeat(32), boot: "f".repeat(16) },
    { t: "refused", reason: "because" },
    ["done"],
    null,
  ];
  for (const each of wrong) assert.equal(decodeAdmission(encode(each)), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
    const decoded = decodeAdmission(garbage);
    assert.ok(decoded === undefined || decoded.t === "done");
  }));
  assert.equal(decodeAdmission(new Uint8Array(3_000)), undefined);
});

Deno.test("decodeAdmission() reads first messages of a later version, so that it can be told", () => {
  const later = { t: "hello", nonce: bytes(3), boot: "0".repeat(16), role: "member", more: [1] };
  const speaks = { protocol: 9, version: "9.0.0", and: "so on" };
  const read = decodeAdmission(encode({ ...later, speaks }));
  assert.ok(read?.t === "hello");
  assert.deepEqual(read.speaks, { protocol: 9, version: "9.0.0" });
  assert.ok(!understands(ownSpeech, read.speaks));
  assert.ok(
    understands({ protocol: 1, version: "a" }, undefined),
    "who says nothing speaks the first",
  );
  assert.equal(
    decodeAdmission(encode({ ...later, speaks: { protocol: 9, version: "a\n" } })),
    undefined,
  );
});

Deno.test("isRestored() knows a disk that is older than the last one met", () => {
  const last = { starts: 5, boot: "a".repeat(16) };
  assert.ok(!isRestored({ starts: 1, boot: "b" }, undefined));
  assert.ok(!isRestored(last, last), "it dials again");
  assert.ok(!isRestored({ starts: 6, boot: "b" }, last), "it started again");
  assert.ok(isRestored({ starts: 5, boot: "b" }, last), "another fifth start");
  assert.ok(isRestored({ starts: 3, boot: "b" }, last));
});

Deno.test("proofOf() changes with its side and with every part of the transcript", () => {
  const changed: Transcript[] = [
    transcript,
    { ...transcript, group: "h" },
    { ...transcript, role: "tab" },
    { ...transcript, diallerId: "AB", acceptorId: "" },
    { ...transcript, diallerId: "B", acceptorId: "A" },
    { ...transcript, diallerNonce: bytes(9) },
    { ...transcript, acceptorNonce: bytes(9) },
    { ...transcript, diallerNonce: bytes(2), acceptorNonce: bytes(1) },
    { ...transcript, diallerBoot: "c".repeat(16) },
    { ...transcript, acceptorBoot: "c".repeat(16) },
  ];
  const proofs = changed.flatMap((each) => [
    proofOf(each, { key: bytes(0), side: "dialler" }),
    proofOf(each, { key: bytes(0), side: "acceptor" }),
    proofOf(each, { key: bytes(1), side: "dialler" }),
  ]);
  assert.equal(new Set(proofs.map((proof) => proof.join())).size, proofs.length);
});

Deno.test("provenKey() finds the key that both sides share, newest first", () => {
  const proof = (key: number) => proofOf(transcript, { key: bytes(key), side: "dialler" });
  const proven = (keys: number[], theirs: number[]) =>
    provenKey(transcript, {
      keys: keys.map(bytes),
      macs: theirs.map(proof),
      side: "dialler",
      equal,
    })?.[0];
  assert.equal(proven([1, 2], [2]), 2);
  assert.equal(proven([1, 2], [2, 1]), 1);
  assert.equal(proven([1], [2]), undefined);
  assert.equal(proven([1], []), undefined);
});

Deno.test("judgeTicket() is good for its peer, group, key and time only", () => {
  const ticket = makeTicket(bytes(1), { group: "g", peerId: "P", expiresAt: 1_000 });
  const judge = (change: Partial<Parameters<typeof judgeTicket>[1]>) =>
    judgeTicket(ticket, {
      keys: [bytes(2), bytes(1)],
      group: "g",
      peerId: "P",
      now: 999,
      equal,
      ...change,
    });
  assert.equal(judge({}), "good");
  assert.equal(judge({ now: 1_000 }), "expired_ticket");
  assert.equal(judge({ keys: [bytes(2)] }), "bad_ticket");
  assert.equal(judge({ group: "h" }), "bad_ticket");
  assert.equal(judge({ peerId: "Q" }), "bad_ticket");
  const longer = { ...ticket, expiresAt: 2_000 };
  assert.equal(
    judgeTicket(longer, { keys: [bytes(1)], group: "g", peerId: "P", now: 0, equal }),
    "bad_ticket",
  );
});
