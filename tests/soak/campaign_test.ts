// A pool under pushes, rewrites, deletions and pulls while nodes are killed, paused and stopped at
// random: whatever was acknowledged is there afterwards, nothing else, and every node agrees.

import assert from "node:assert/strict";
import { createPrng, type Prng } from "../../shared/base/prng.ts";
import { digestOfBody, digestOfSeed, pushStream } from "../e2e/content.ts";
import { filePath, type NodeChild } from "../e2e/node_child.ts";
import { NodePool } from "../e2e/node_pool.ts";
import { waitFor } from "../../web/wait.ts";

const minutes = Number(Deno.env.get("SKYRING_SOAK_MINUTES") ?? 10);
const seed = Number(Deno.env.get("SKYRING_SOAK_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const names = 40;
const writers = 4;
const absent = 0;

/** What a name may hold: seeds of contents, or `absent`. One only, unless an outcome is unknown. */
type Possible = Map<string, Set<number>>;

Deno.test(`${minutes} minutes of kills, seed ${seed}`, async () => {
  await NodePool.with({ nodes: 5, flags: ["--grace=10m"] }, async (pool) => {
    const possible: Possible = new Map();
    const stop = new AbortController();
    const work = Array.from(
      { length: writers },
      (_, writer) => writing(pool, { writer, possible, stop: stop.signal }),
    );
    const deadline = performance.now() + minutes * 60_000;
    const prng = createPrng(seed);
    while (performance.now() < deadline) await hurt(pool, prng);
    stop.abort();
    const counts = await Promise.all(work);
    await pool.formed();
    console.log(`  ${counts.reduce((sum, count) => sum + count, 0)} changes acknowledged`);
    await judge(pool, possible);
  });
});

function below(prng: Prng, end: number): number {
  return Math.floor(prng.between(0, end));
}

/** One fault: a kill of one or all, a pause, a clean stop; then the pool comes back. */
async function hurt(pool: NodePool, prng: Prng): Promise<void> {
  await waitFor(prng.between(500, 5_000));
  const victim = pool.node(below(prng, pool.nodes.length));
  const kind = below(prng, 6);
  if (kind === 0) {
    await Promise.all(pool.nodes.map((node) => node.kill()));
    await Promise.all(pool.nodes.map((node) => node.start()));
  } else if (kind === 1) {
    victim.signal("SIGSTOP");
    await waitFor(prng.between(1_000, 12_000));
    victim.signal("SIGCONT");
  } else if (kind === 2) {
    assert.equal(await victim.stop(), 0);
    await waitFor(prng.between(0, 3_000));
    await victim.start();
  } else {
    await victim.kill();
    await waitFor(prng.between(0, 8_000));
    await victim.start();
  }
  await pool.formed();
}

/** Writes its own names, one change at a time. @returns how many were acknowledged */
async function writing(
  pool: NodePool,
  options: { readonly writer: number; readonly possible: Possible; readonly stop: AbortSignal },
): Promise<number> {
  const prng = createPrng(seed + options.writer + 1);
  let count = 0;
  for (let change = 1; !options.stop.aborted; change++) {
    const name = `soak/${options.writer}/${below(prng, names)}`;
    const content = options.writer * 1_000_000 + change;
    const node = pool.node(below(prng, pool.nodes.length));
    const may = options.possible.get(name) ?? new Set([absent]);
    options.possible.set(name, may);
    const removes = below(prng, 5) === 0;
    may.add(removes ? absent : content);
    const status = await attempt(node, { name, content, removes });
    if (status === undefined) {
      await waitFor(200);
      continue;
    }
    may.clear();
    may.add(removes ? absent : content);
    count += 1;
  }
  return count;
}

/** One change. @returns its status once acknowledged; undefined when its outcome is unknown */
async function attempt(
  node: NodeChild,
  change: { readonly name: string; readonly content: number; readonly removes: boolean },
): Promise<number | undefined> {
  const signal = AbortSignal.timeout(30_000);
  try {
    const response = change.removes
      ? await node.request(filePath(change.name), { method: "DELETE", signal })
      : await pushStream(node, change.name, {
        seed: change.content,
        size: sizeOf(change.content),
        signal,
      });
    const text = await response.text();
    if ([200, 201, 204].includes(response.status)) return response.status;
    if (change.removes && response.status === 404) return response.status;
    assert.ok([429, 503, 504].includes(response.status), `${response.status} ${text}`);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
  }
  return undefined;
}

/** Empty, small, one block, many blocks. */
function sizeOf(content: number): number {
  return [0, 100, 300_000, 3_000_000][content % 4] ?? 0;
}

async function judge(pool: NodePool, possible: Possible): Promise<void> {
  for (const [name, seeds] of possible) {
    const seen = new Set<string>();
    for (const node of pool.nodes) {
      const response = await node.request(filePath(name));
      if (response.status === 404) {
        await response.body?.cancel();
        seen.add("absent");
        continue;
      }
      assert.equal(response.status, 200, `${name} at ${node.name}`);
      seen.add((await digestOfBody(response.body)).digest);
    }
    assert.equal(seen.size, 1, `${name} differs between nodes: ${[...seen].join(" ")}`);
    const allowed = [...seeds].map((content) =>
      content === absent ? "absent" : digestOfSeed(content, sizeOf(content))
    );
    assert.ok(allowed.some((one) => seen.has(one)), `${name}: ${[...seen]} of ${allowed}`);
  }
}
