// The control protocol's codec: what is written reads back, and nothing else gets in.

import assert from "node:assert/strict";
import { encode } from "cborg";
import fc from "fast-check";
import { controlMessageBytesMax } from "../../../../shared/base/limits.ts";
import type { JobSnapshot, MovePlan } from "../../../../shared/job.ts";
import {
  type ControlReply,
  type ControlRequest,
  decodeControlReply,
  decodeControlRequest,
  encodeControlReply,
  encodeControlRequest,
} from "../../../../shared/wire/control_message.ts";

const job: JobSnapshot = {
  id: "0123456789abcdef",
  kind: "leave",
  what: "node-1 leaves",
  node: "12D3KooWA",
  name: "node-1",
  state: "running",
  note: "3 of 9 blocks are safe elsewhere",
  blocks: { done: 3, total: 9 },
  bytes: { done: 300, total: 900 },
  timeLeftMs: 1_200,
  error: null,
  cancellable: true,
  startedAt: 1_700_000_000_000,
  updatedAt: 1_700_000_000_500,
  endedAt: null,
};

const plan: MovePlan = {
  action: "leave",
  node: "12D3KooWA",
  remaining: 4,
  held: 9,
  heldBytes: 900,
  blocks: 9,
  bytes: 900,
  below: 0,
  lost: 0,
  neededBytes: 900,
  freeBytes: 1e12,
  keptBytes: 0,
};

const requests: readonly ControlRequest[] = [
  { kind: "leave", dryRun: true, force: false },
  { kind: "stop", dryRun: false },
  { kind: "resize", bytes: 2 ** 40, dryRun: false, force: true },
  { kind: "turn" },
  { kind: "jobs", id: null },
  { kind: "jobs", id: job.id },
  { kind: "cancel", id: job.id },
  { kind: "told", job },
  { kind: "time" },
  { kind: "collect" },
];

const replies: readonly ControlReply[] = [
  { kind: "plan", plan },
  { kind: "job", job: { ...job, error: { code: "full", detail: "Cannot" }, endedAt: 5 } },
  { kind: "jobs", jobs: [job, job] },
  { kind: "turn", free: false },
  { kind: "time", at: 1_700_000_000_000 },
  { kind: "done" },
  { kind: "collected", blocks: 3, freedBytes: 900 },
  { kind: "refused", code: "conflict", message: "Cannot leave", data: { below: 3, ids: ["a"] } },
];

Deno.test("decodeControlRequest() and decodeControlReply() read back what was written", () => {
  for (const body of requests) {
    assert.deepEqual(decodeControlRequest(encodeControlRequest(body)), { ok: true, body });
  }
  for (const body of replies) {
    assert.deepEqual(decodeControlReply(encodeControlReply(body)), { ok: true, body });
  }
});

Deno.test("encodeControlReply() tells a code that does not cross the wire as internal", () => {
  const body = { kind: "refused", code: "corrupt", message: "Cannot", data: {} } as const;
  const decoded = decodeControlReply(encodeControlReply(body));
  assert.ok(decoded.ok && decoded.body.kind === "refused");
  assert.equal(decoded.body.code, "internal");
});

Deno.test("decodeControlRequest() names the version of a message of another version", () => {
  const bytes = encode({ version: 2, body: { kind: "turn" } });
  const decoded = decodeControlRequest(bytes);
  assert.ok(!decoded.ok);
  assert.match(decoded.reason, /version 2.*speaks 1/);
});

Deno.test("decodeControlRequest() refuses what breaks its shapes and limits", () => {
  const bad: readonly unknown[] = [
    { kind: "leave" },
    { kind: "leave", dryRun: 1, force: false },
    { kind: "resize", bytes: -1, dryRun: false, force: false },
    { kind: "resize", bytes: 1.5, dryRun: false, force: false },
    { kind: "cancel", id: "../etc" },
    { kind: "told", job: { ...job, note: "x".repeat(513) } },
    { kind: "told", job: { ...job, blocks: { done: -1, total: 0 } } },
    { kind: "reboot" },
    { kind: "turn", extra: 1 },
    null,
  ];
  for (const body of bad) {
    assert.equal(decodeControlRequest(encode({ version: 1, body })).ok, false, String(body));
  }
  assert.equal(decodeControlRequest(new Uint8Array(controlMessageBytesMax + 1)).ok, false);
});

Deno.test("control messages never throw on random or damaged bytes", () => {
  const written = [
    ...requests.map((body) => encodeControlRequest(body)),
    ...replies.map((body) => encodeControlReply(body)),
  ];
  const damage = fc.tuple(fc.constantFrom(...written), fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(damage, fc.uint8Array({ maxLength: 200 }), ([bytes, at, byte], random) => {
      const damaged = bytes.slice();
      damaged[at % damaged.length] = byte;
      for (const any of [damaged, random]) {
        assert.equal(typeof decodeControlRequest(any).ok, "boolean");
        assert.equal(typeof decodeControlReply(any).ok, "boolean");
      }
    }),
    { numRuns: 2_000 },
  );
});
