// Persist, then send: nothing leaves before what it rests on is durable.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId } from "../../../../shared/base/ids.ts";
import type { AgreementOutput } from "../../../../shared/record/agreement_port.ts";
import { createOutbox } from "../../../../server/engine/agreement_outbox.ts";

const persist: AgreementOutput = {
  kind: "persist",
  writes: [{ kind: "trim", lane: 0, before: 1 }],
};
const result = (id: number): AgreementOutput => ({
  ...{ kind: "result", id, outcome: { kind: "busy" } },
});

interface Write {
  readonly statements: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** An outbox over a database whose writes end when the test says so. */
function outbox() {
  const writes: Write[] = [];
  const left: number[] = [];
  const failures: unknown[] = [];
  const shown: number[] = [];
  const full: number[] = [];
  const made = createOutbox({
    database: {
      write: (statements) =>
        new Promise((resolve, reject) => {
          writes.push({ statements: statements.length, resolve, reject });
        }),
    },
    table: { show: (_, transaction) => void shown.push(transaction), settled: () => {} },
    release: (output) => void left.push(output.kind === "result" ? output.id : -1),
    noRoom: () => void full.push(writes.length),
    failed: (error) => void failures.push(error),
  });
  const write = (at: number): Write => {
    const found = writes[at];
    assert(found !== undefined, `write ${at} was not begun`);
    return found;
  };
  return { outbox: made, writes, write, left, failures, shown, full };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("createOutbox() releases at once what rests on nothing", () => {
  const { outbox: box, left } = outbox();
  box.put([result(1), result(2)]);
  assert.deepEqual(left, [1, 2]);
});

Deno.test("createOutbox() holds back everything after a persist until it is durable", async () => {
  const { outbox: box, write, left, shown } = outbox();
  box.put([result(1), persist, result(2)]);
  box.put([result(3)]);
  assert.deepEqual(left, [1]);
  assert.deepEqual(shown, [1]);
  write(0).resolve();
  await turn();
  assert.deepEqual(left, [1, 2, 3]);
});

Deno.test("createOutbox() joins what waits into one write, in order", async () => {
  const { outbox: box, write, writes, left } = outbox();
  for (const id of [1, 2, 3]) box.put([persist, result(id)]);
  assert.deepEqual(writes.map(({ statements }) => statements), [1]);
  write(0).resolve();
  await turn();
  assert.deepEqual(left, [1]);
  assert.deepEqual(writes.map(({ statements }) => statements), [1, 2]);
  const flushed = box.flushed();
  write(1).resolve();
  await flushed;
  assert.deepEqual(left, [1, 2, 3]);
});

Deno.test("createOutbox() tries a busy write again before any later one", async () => {
  const { outbox: box, write, writes, left, failures } = outbox();
  box.put([persist, result(1)]);
  write(0).reject(new SkyringError("busy", "Cannot write: queue is full", { retriable: true }));
  await turn();
  box.put([persist, result(2)]);
  assert.deepEqual(left, []);
  while (writes.length < 2) await turn();
  write(1).resolve();
  await box.flushed();
  assert.deepEqual(left, [1, 2]);
  assert.deepEqual(failures, []);
});

Deno.test("createOutbox() says nothing more after a failed write", async () => {
  const { outbox: box, write, left, failures } = outbox();
  const error = new SkyringError("disk_failed", "Cannot use database: fsync failed");
  box.put([persist, result(1)]);
  write(0).reject(error);
  await box.flushed();
  box.put([result(2), persist, result(3)]);
  assert.deepEqual(left, []);
  assert.deepEqual(failures, [error]);
});

const noRoom = new SkyringError("metadata_full", "Cannot write database: it is full");

Deno.test("createOutbox() waits for room on a full disk, says nothing meanwhile, and goes on", async () => {
  const { outbox: box, write, writes, left, failures, full } = outbox();
  box.put([persist, result(1)]);
  write(0).reject(noRoom);
  await turn();
  assert.ok(box.stuck());
  assert.deepEqual(full, [1]);
  box.put([persist, result(2)]);
  while (writes.length < 2) await turn();
  assert.equal(write(1).statements, 2);
  assert.deepEqual(left, []);
  write(1).resolve();
  await box.flushed();
  assert.ok(!box.stuck());
  assert.deepEqual(left, [1, 2]);
  assert.deepEqual(failures, []);
});

Deno.test("createOutbox() keeps no messages while the disk is full, and sends none of then later", async () => {
  const { outbox: box, write, writes, left } = outbox();
  const message = { kind: "send", to: asNodeId("12D3KooWTestNodeA"), message: {} };
  const send = message as unknown as AgreementOutput;
  box.put([persist, result(1), send]);
  write(0).reject(noRoom);
  await turn();
  for (let sent = 0; sent < 1_000; sent++) box.put([send]);
  while (writes.length < 2) await turn();
  write(1).resolve();
  await box.flushed();
  assert.deepEqual(left, [1], "the result of then, and no message");
});

Deno.test("createOutbox() ends without room: what was never said is dropped", async () => {
  for (const when of ["before", "during"]) {
    const { outbox: box, write, left, failures } = outbox();
    box.put([persist, result(1)]);
    if (when === "before") write(0).reject(noRoom);
    await turn();
    const ended = box.end();
    if (when === "during") write(0).reject(noRoom);
    await ended;
    assert.deepEqual(left, []);
    assert.deepEqual(failures, []);
  }
});
