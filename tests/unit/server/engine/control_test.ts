// The control channel between nodes joined by wires alone: orders, refusals with their codes, and
// news of jobs.

import assert from "node:assert/strict";
import { encode } from "cborg";
import { Control, type ControlOptions } from "../../../../server/engine/control.ts";
import type { Channel, ChannelHandler } from "../../../../server/net/network.ts";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { jobsToldMax } from "../../../../shared/base/limits.ts";
import type { JobSnapshot } from "../../../../shared/job.ts";

const job: JobSnapshot = {
  ...{ id: "0123456789abcdef", kind: "leave", what: "a leaves", node: "a", name: "a" },
  ...{ state: "running", note: "begins", timeLeftMs: null, error: null, cancellable: true },
  blocks: { done: 0, total: 0 },
  bytes: { done: 0, total: 0 },
  ...{ startedAt: 1, updatedAt: 1, endedAt: null },
};

/** Channels of nodes that hand each other their messages. */
function wires() {
  const handlers = new Map<NodeId, ChannelHandler>();
  const channelOf = (self: NodeId): Channel => ({
    name: "control",
    request: async (to, message) => {
      const answer = await handlers.get(to)?.(self, message);
      if (answer === undefined) throw new SkyringError("unreachable", `Cannot reach ${to}`);
      return answer;
    },
    notify: (to, message) => void handlers.get(to)?.(self, message),
    handle: (handler) => void handlers.set(self, handler),
  });
  const node = (name: string, more: Partial<ControlOptions> = {}) => {
    const heard: JobSnapshot[] = [];
    const orders: string[] = [];
    const control = new Control({
      channel: channelOf(asNodeId(name)),
      name,
      open: true,
      now: () => 1_700_000_000_123.5,
      obey: (order) => {
        orders.push(order.kind);
        return Promise.resolve({ kind: "done" });
      },
      turnOf: (from) => from < name,
      jobs: () => [job, { ...job, id: "fedcba9876543210" }],
      collect: () => Promise.resolve({ blocks: 3, freedBytes: 30 }),
      onTold: (told) => void heard.push(told),
      ...more,
    });
    return { control, heard, orders };
  };
  return { node, channelOf };
}

const a = asNodeId("a");
const b = asNodeId("b");
const soon = { timeoutMs: 1_000 };
const leave = { kind: "leave", dryRun: false, force: false } as const;

Deno.test("Control.ask() is answered by the other node", async () => {
  const { node } = wires();
  const { control } = node("a");
  const { orders } = node("b");
  assert.deepEqual(await control.ask(b, leave, soon), { kind: "done" });
  assert.deepEqual(orders, ["leave"]);
  assert.deepEqual(await control.ask(b, { kind: "turn" }, soon), { kind: "turn", free: true });
  const time = await control.ask(b, { kind: "time" }, soon);
  assert.deepEqual(time, { kind: "time", at: 1_700_000_000_124 });
  const one = await control.ask(b, { kind: "jobs", id: job.id }, soon);
  assert.deepEqual(one, { kind: "jobs", jobs: [job] });
  const collected = await control.ask(b, { kind: "collect" }, soon);
  assert.deepEqual(collected, { kind: "collected", blocks: 3, freedBytes: 30 });
});

Deno.test("a refusal comes back with its code, message and data", async () => {
  const { node } = wires();
  const { control } = node("a");
  node("b", {
    obey: () => {
      throw new SkyringError("conflict", "Cannot leave: no", { data: { below: 3 } });
    },
  });
  await assert.rejects(control.ask(b, leave, soon), (error) => {
    assert.ok(error instanceof SkyringError);
    assert.deepEqual([error.code, error.message], ["conflict", "Cannot leave: no"]);
    assert.equal(error.data["below"], 3);
    return true;
  });
});

Deno.test("a node with --control self refuses orders, and still answers questions", async () => {
  const { node } = wires();
  const { control } = node("a");
  const { orders } = node("b", { open: false });
  const given = [
    leave,
    { kind: "stop", dryRun: false },
    { kind: "resize", bytes: 1, dryRun: true, force: false },
    { kind: "cancel", id: job.id },
  ] as const;
  for (const order of given) {
    await assert.rejects(control.ask(b, order, soon), { code: "forbidden" }, order.kind);
  }
  assert.deepEqual(orders, []);
  assert.equal((await control.ask(b, { kind: "time" }, soon)).kind, "time");
});

Deno.test("messages of another version are refused by name on both sides", async () => {
  const { node, channelOf } = wires();
  const { orders } = node("b");
  const old = channelOf(a);
  const order = encode({ version: 9, body: leave });
  const raw = await old.request(b, order, soon);
  const { control } = node("c");
  channelOf(asNodeId("echo")).handle(() => raw);
  const said = control.ask(asNodeId("echo"), leave, soon);
  await assert.rejects(said, { code: "bad_message", message: /version 9, this node speaks 1/ });
  channelOf(asNodeId("future")).handle(() => encode({ version: 2, body: { kind: "done" } }));
  const future = control.ask(asNodeId("future"), leave, soon);
  await assert.rejects(future, { code: "bad_message", message: /version 2/ });
  assert.deepEqual(orders, []);
});

Deno.test("news of jobs are taken from the node that does them alone, and bounded", () => {
  const { node } = wires();
  const teller = node("a");
  const { control, heard } = node("b");
  teller.control.tell(job, [b]);
  teller.control.tell({ ...job, id: "fedcba9876543210", node: "z" }, [b]);
  assert.deepEqual(control.told(), [job]);
  assert.equal(heard.length, 1);
  for (let at = 0; at <= jobsToldMax; at++) {
    teller.control.tell({ ...job, id: at.toString(16).padStart(16, "0") }, [b]);
  }
  assert.equal(control.told().length, jobsToldMax);
});
