// How fast a new node has the whole catalog: 100,000 and 1,000,000 records over real databases,
// both nodes in this process. Run: deno run -A tests/bench/catalog_bench.ts [records]

import { entry, inStep, openNode, until, Wire } from "../unit/server/engine/catalog_nodes.ts";

const batch = 1_000;
const limitMs = 600_000;
const records = Number(Deno.args[0] ?? 1_000_000);

const wire = new Wire();
const full = await openNode("a", { wire, peers: [] });
const filledAt = performance.now();
for (let start = 0; start < records; start += batch) {
  const some = Array.from(
    { length: batch },
    (_, index) => entry(`folder/file ${start + index}`, 1),
  );
  await full.catalog.merge(some);
}
console.log(`filled ${records} records in ${seconds(performance.now() - filledAt)}`);
const fresh = await openNode("b", { wire, peers: ["a"] });
const tookMs = await until(inStep(fresh, full), limitMs);
console.log(`a new node has ${fresh.catalog.count("file")} records after ${seconds(tookMs)}`);
console.log(`resident memory ${Math.round(Deno.memoryUsage().rss / 2 ** 20)} MiB, both nodes`);
await fresh.stop();
await full.stop();

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
