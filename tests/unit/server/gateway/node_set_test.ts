import assert from "node:assert/strict";
import { type KnownNode, NodeSet } from "../../../../server/gateway/node_set.ts";
import { until } from "../../../e2e/until.ts";
import { type FakeNode, type FakeOptions, startFake } from "./fake_node.ts";

async function withNodes(
  fakes: readonly FakeOptions[],
  use: (set: NodeSet, nodes: readonly FakeNode[]) => Promise<void>,
): Promise<void> {
  const nodes = await Promise.all(fakes.map(startFake));
  const set = new NodeSet({
    self: "127.0.0.1:8000",
    given: nodes.map(({ base }) => base),
    token: null,
    log: () => undefined,
    waits: { pollMs: 20, timeoutMs: 200 },
  });
  try {
    await set.start();
    await use(set, nodes);
  } finally {
    await set.stop();
    for (const node of nodes) await node.stop();
  }
}

const chosen = (set: NodeSet, except: readonly KnownNode[] = [], spread = true) =>
  set.choose({ spread, except: new Set(except) });

Deno.test("NodeSet gives up a node that hangs, and takes it again when it answers", async () => {
  let hangs = false;
  const hanging: FakeOptions = {
    before: (request) =>
      hangs
        ? new Promise((resolve) => request.signal.addEventListener("abort", () => resolve()))
        : undefined,
  };
  await withNodes([hanging], async (set) => {
    const node = chosen(set);
    assert.ok(node !== undefined);
    const { gone } = node;
    hangs = true;
    await until("a node no longer chosen", () => chosen(set) === undefined, { withinMs: 10_000 });
    await until("requests given up", () => gone.aborted, { withinMs: 10_000 });
    hangs = false;
    await until("a node chosen again", () => chosen(set) !== undefined, { withinMs: 10_000 });
    assert.equal(chosen(set)?.gone.aborted, false);
  });
});

Deno.test("NodeSet calls a node quiet at the first poll that others answer and it does not", async () => {
  let hangs = 0;
  const fakes = [0, 1].map((index): FakeOptions => ({
    before: (request) =>
      index < hangs
        ? new Promise((resolve) => request.signal.addEventListener("abort", () => resolve()))
        : undefined,
  }));
  await withNodes(fakes, async (set, nodes) => {
    const first = set.all().find(({ base }) => base === nodes[0]?.base);
    assert.ok(first !== undefined);
    const { quiet, gone } = first;
    hangs = 1;
    await until("silence noticed", () => quiet.aborted, { withinMs: 10_000 });
    assert.ok(!gone.aborted, "what cannot go on elsewhere is waited for longer");
    hangs = 0;
    await until("an answer again", () => !first.quiet.aborted && first.answers, {
      withinMs: 10_000,
    });
  });
  hangs = 0;
  await withNodes(fakes.slice(0, 1), async (set) => {
    const [only] = set.all();
    assert.ok(only !== undefined);
    const { quiet } = only;
    hangs = 1;
    await until("no answer", () => !only.answers, { withinMs: 10_000 });
    assert.ok(!quiet.aborted, "with nobody else to ask, a slow answer is better than none");
  });
});

Deno.test("NodeSet chooses the least busy node, or always the same", async () => {
  await withNodes([{}, {}, {}], async (set) => {
    const same = chosen(set, [], false);
    assert.equal(chosen(set, [], false), same);
    const first = chosen(set);
    assert.ok(first !== undefined);
    const leave = set.occupy(first);
    for (let round = 0; round < 6; round++) assert.notEqual(chosen(set), first);
    leave();
    leave();
    assert.equal(first.active, 0);
    assert.equal(chosen(set, set.all()), undefined);
    await Promise.resolve();
  });
});

Deno.test("NodeSet passes over nodes that are dead, left or not ready while others are there", async () => {
  const rows: { http: string; state: string }[] = [];
  const telling: FakeOptions = { services: { nodes: () => rows as never } };
  const reading: FakeOptions = {
    services: { nodes: () => rows as never, ready: () => ({ ready: false, reason: "read-only" }) },
  };
  await withNodes([telling, telling, reading], async (set, nodes) => {
    const [first, second, third] = nodes.map(({ base }) => base);
    const bases = () => new Set(Array.from({ length: 9 }, () => chosen(set)?.base));
    assert.deepEqual(bases(), new Set([first, second]));
    rows.push({ http: first ?? "", state: "alive" }, { http: second ?? "", state: "dead" });
    await until("one node left", () => bases().size === 1, { withinMs: 10_000 });
    assert.deepEqual(bases(), new Set([first]));
    await nodes[0]?.stop();
    await nodes[1]?.stop();
    await until("the third chosen", () => chosen(set)?.base === third, { withinMs: 10_000 });
    assert.equal(set.ready, false);
  });
});
