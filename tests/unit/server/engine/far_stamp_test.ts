// A stamp far ahead is refused by the owners, and spoils neither the key nor a later change.

import assert from "node:assert/strict";
import type { Outcome } from "../../../../shared/record/agreement_port.ts";
import { createTestCluster, type TestNode, until } from "./agreement_cluster.ts";

const hourMs = 3_600_000;
const key = { kind: "key", name: "k" } as const;

function put(node: TestNode, body: string, aheadMs: number): Promise<Outcome> {
  const stamp = [Date.now() + aheadMs, 0] as const;
  const condition = { kind: "any" } as const;
  const bytes = new TextEncoder().encode(body);
  const change = { kind: "put", body: bytes, stamp, condition } as const;
  return node.driver.operate(key, change, { deadlineMs: 1_500 });
}

function textOf(outcome: Outcome): string {
  const value = outcome.kind === "ok" ? outcome.value : undefined;
  return value === undefined ? outcome.kind : new TextDecoder().decode(value.body);
}

Deno.test("owners refuse a stamp an hour ahead, and the key stays readable and writable", async () => {
  const folder = await Deno.makeTempDir();
  const cluster = createTestCluster(folder);
  try {
    const nodes = [await cluster.start("A", "found")];
    for (const name of ["B", "C"]) nodes.push(await cluster.start(name));
    const states = () => nodes.map(({ driver }) => driver.status());
    await until(() => {
      return states().every(({ roster, arriving }) =>
        roster?.members.length === 3 && arriving === 0
      );
    }, { ms: 30_000 });
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    assert.equal(textOf(await put(a, "first", 0)), "first");
    const ahead = await put(b, "ahead", hourMs);
    assert.notEqual(ahead.kind, "ok", "the owners did not take it");
    const read = await c.driver.operate(key, { kind: "get" });
    assert.equal(read.kind, "ok", "the key can be read");
    assert.equal(textOf(await put(c, "second", 0)), "second");
    assert.equal(textOf(await put(b, "third", 30_000)), "third", "half a minute is no fault");
    assert.equal(textOf(await a.driver.operate(key, { kind: "get" })), "third");
  } finally {
    await cluster.stop();
    await Deno.remove(folder, { recursive: true });
  }
});
