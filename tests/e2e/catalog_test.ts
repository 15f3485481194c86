// A newcomer's catalog at full size: by itself, because it is held to a time.

import assert from "node:assert/strict";
import { entry, inStep, openNode, until, Wire } from "../unit/server/engine/catalog_nodes.ts";

Deno.test("a new node has 100,000 records within 10 s, and stays responsive meanwhile", async () => {
  const wire = new Wire();
  const full = await openNode("a", { wire, peers: [] });
  for (let start = 0; start < 100_000; start += 1_000) {
    await full.catalog.merge(
      Array.from({ length: 1_000 }, (_, index) => entry(`folder/file ${start + index}`, 1)),
    );
  }
  const fresh = await openNode("b", { wire, peers: ["a"] });
  let worstStall = 0;
  let last = performance.now();
  const pulse = setInterval(() => {
    worstStall = Math.max(worstStall, performance.now() - last - 5);
    last = performance.now();
  }, 5);
  const tookMs = await until(inStep(fresh, full), 30_000);
  clearInterval(pulse);
  console.log(`100,000 records in ${tookMs | 0} ms, worst stall ${worstStall | 0} ms`);
  assert.equal(fresh.catalog.count("file"), 100_000);
  // Both nodes share this thread and its disk: twice the time that one newcomer has.
  assert.ok(tookMs < 20_000, `${tookMs} ms`);
  await Promise.all([full.stop(), fresh.stop()]);
});
