// The campaign of deaths: twelve real nodes under pushes and reads, kill -9 with restart, short
// pauses that are no deaths, long ones that are. Every acknowledged file reads back at the end, no
// read ever gave other bytes, and it prints how soon deaths were seen. `deno task campaign`.

import assert from "node:assert/strict";
import { createPrng, type Prng } from "../../shared/base/prng.ts";
import { digestOfBody, digestOfSeed, pushStream } from "../e2e/content.ts";
import { filePath, type NodeChild } from "../e2e/node_child.ts";
import { NodePool } from "../e2e/node_pool.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "../e2e/until.ts";

const setting = (name: string, standard: number) =>
  Number(Deno.env.get(`SKYRING_CAMPAIGN_${name}`) ?? standard);
const nodes = setting("NODES", 12);
const kills = setting("KILLS", 10);
const shortPauses = setting("SHORT_PAUSES", 15);
const longPauses = setting("LONG_PAUSES", 5);
const deadWithinMs = setting("DEAD_WITHIN_MS", 8_000);
const seed = setting("SEED", Math.floor(Math.random() * 2 ** 31));

const shortMs = 3_000;
const longMs = 20_000;
/** A short pause is watched a while longer: an accusation takes its time. */
const afterShortMs = 4_000;
const pollMs = 150;
const patienceMs = 60_000;
const writers = 3;
const readers = 2;

interface Stored {
  readonly name: string;
  readonly seed: number;
  readonly size: number;
}

/** What the work saw, over all lanes. */
interface Tally {
  readonly stored: Stored[];
  unanswered: number;
  reads: number;
  brokenReads: number;
}

Deno.test(`${kills} kills and ${shortPauses + longPauses} pauses, seed ${seed}`, async () => {
  await NodePool.with({ nodes, flags: ["--grace=10m", "--capacity=2GiB"] }, async (pool) => {
    const prng = createPrng(seed);
    const tally: Tally = { stored: [], unanswered: 0, reads: 0, brokenReads: 0 };
    const stop = new AbortController();
    const work = [
      ...Array.from({ length: writers }, (_, lane) => writing(pool, tally, { lane, stop })),
      ...Array.from({ length: readers }, (_, lane) => reading(pool, tally, { lane, stop })),
    ];
    const hurting = hurtAll(pool, prng).finally(() => stop.abort());
    for (const end of await Promise.allSettled([hurting, ...work])) {
      if (end.status === "rejected") throw end.reason;
    }
    await pool.formed();
    await readBack(pool, tally, prng);
    const { stored, unanswered, reads, brokenReads } = tally;
    console.log(
      `  ${stored.length} files acknowledged, ${unanswered} pushes were not; all read back`,
    );
    console.log(`  ${reads} reads meanwhile, ${brokenReads} broke off, none gave other bytes`);
  });
});

/** Every fault once, in an order drawn from the seed; then prints when deaths were seen. */
async function hurtAll(pool: NodePool, prng: Prng): Promise<void> {
  const faults = [
    ...Array.from({ length: kills }, () => "kill" as const),
    ...Array.from({ length: shortPauses }, () => "short" as const),
    ...Array.from({ length: longPauses }, () => "long" as const),
  ].map((kind) => ({ kind, at: prng.between(0, 1) })).sort((one, other) => one.at - other.at);
  const after = { kill: [] as number[], long: [] as number[] };
  for (const { kind } of faults) {
    const victim = anyOf(pool.nodes, prng);
    if (kind === "kill") after.kill.push(...await killed(pool, victim));
    else if (kind === "long") after.long.push(...await pausedLong(pool, victim));
    else await pausedShortly(pool, victim);
    await pool.formed();
  }
  console.log(`  killed: ${summary(after.kill)}`);
  console.log(`  stopped for 20 s: ${summary(after.long)}`);
  console.log(`  stopped for 3 s, ${shortPauses} times: never seen dead`);
  const slowest = Math.max(0, ...after.kill, ...after.long);
  assert.ok(slowest <= deadWithinMs, `a death was seen after ${slowest} ms only`);
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const last = sorted.at(-1) ?? 0;
  return `seen dead after ${middle} ms (median), ${last} ms (most), by ${times.length} witnesses`;
}

function anyOf<T>(some: readonly T[], prng: Prng): T {
  const one = some[Math.floor(prng.between(0, some.length))];
  assert.ok(one !== undefined);
  return one;
}

async function killed(pool: NodePool, victim: NodeChild): Promise<number[]> {
  const since = performance.now();
  await victim.kill();
  const after = await seenAs("dead", { pool, victim, since });
  await victim.start();
  return after;
}

async function pausedLong(pool: NodePool, victim: NodeChild): Promise<number[]> {
  const since = performance.now();
  victim.signal("SIGSTOP");
  try {
    const after = await seenAs("dead", { pool, victim, since });
    await waitFor(longMs - (performance.now() - since));
    return after;
  } finally {
    victim.signal("SIGCONT");
  }
}

async function pausedShortly(pool: NodePool, victim: NodeChild): Promise<void> {
  const watching = new AbortController();
  const seen = new Set<string | undefined>();
  const watched = witnessesOf(pool, victim).map(async (witness) => {
    while (!watching.signal.aborted) {
      seen.add(await stateAt(witness, victim.name));
      await waitFor(pollMs);
    }
  });
  victim.signal("SIGSTOP");
  await waitFor(shortMs);
  victim.signal("SIGCONT");
  await waitFor(afterShortMs);
  watching.abort();
  await Promise.all(watched);
  assert.ok(!seen.has("dead") && !seen.has("left"), `stopped for 3 s: ${[...seen].join(" ")}`);
}

const witnessesOf = (pool: NodePool, victim: NodeChild) =>
  pool.nodes.filter((node) => node !== victim && node.running);

/** State of a node in the netmap of another; undefined when it did not answer in time. */
async function stateAt(witness: NodeChild, name: string): Promise<string | undefined> {
  try {
    const { items } = await witness.json("/api/nodes");
    return items.find((item: { name: string }) => item.name === name)?.state;
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

/** Ms from `since` until each of the others said so. */
function seenAs(
  state: string,
  of: { readonly pool: NodePool; readonly victim: NodeChild; readonly since: number },
): Promise<number[]> {
  const { pool, victim, since } = of;
  return Promise.all(
    witnessesOf(pool, victim).map(async (witness) => {
      const what = `${victim.name} ${state} at ${witness.name}`;
      const isSeen = async () => await stateAt(witness, victim.name) === state;
      await until(what, isSeen, { withinMs: patienceMs, everyMs: pollMs });
      return Math.round(performance.now() - since);
    }),
  );
}

interface Lane {
  readonly lane: number;
  readonly stop: AbortController;
}

/** Pushes new files, one after another, through any node. */
async function writing(pool: NodePool, tally: Tally, { lane, stop }: Lane): Promise<void> {
  const prng = createPrng(seed + 1 + lane);
  for (let turn = 0; !stop.signal.aborted; turn++) {
    const content = lane * 1_000_000 + turn;
    const size = [0, 1_000, 300_000, 2_000_000][turn % 4] ?? 0;
    const file = { name: `campaign/${lane}/${turn}`, seed: content, size };
    if (await pushed(anyOf(pool.nodes, prng), file)) tally.stored.push(file);
    else tally.unanswered++;
    await waitFor(prng.between(50, 400));
  }
}

/** Whether a push was acknowledged. @throws when it was refused for no good reason */
async function pushed(node: NodeChild, { name, ...content }: Stored): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(30_000);
    const response = await pushStream(node, name, { ...content, signal });
    const text = await response.text();
    if (response.ok) return true;
    assert.ok([429, 503, 504].includes(response.status), `${name}: ${response.status} ${text}`);
  } catch (error) {
    if (!isBroken(error)) throw error;
  }
  return false;
}

/** Reads what was acknowledged, through any node; one that is hurt may break off, never lie. */
async function reading(pool: NodePool, tally: Tally, { lane, stop }: Lane): Promise<void> {
  const prng = createPrng(seed + 101 + lane);
  while (!stop.signal.aborted) {
    await waitFor(prng.between(50, 400));
    if (tally.stored.length === 0) continue;
    tally.reads++;
    if (!await isReadable(anyOf(pool.nodes, prng), anyOf(tally.stored, prng))) tally.brokenReads++;
  }
}

/** Whether a file came whole. @throws when it came with other bytes */
async function isReadable(node: NodeChild, { name, seed, size }: Stored): Promise<boolean> {
  try {
    const response = await node.request(filePath(name), { signal: AbortSignal.timeout(30_000) });
    if (response.status !== 200) {
      await response.body?.cancel();
      return false;
    }
    const { digest } = await digestOfBody(response.body);
    assert.equal(digest, digestOfSeed(seed, size), `${name} at ${node.name}`);
    return true;
  } catch (error) {
    if (isBroken(error)) return false;
    throw error;
  }
}

/** What a killed, stopped or starting node does to a request. */
function isBroken(error: unknown): boolean {
  return error instanceof TypeError || error instanceof DOMException ||
    (error instanceof Error && error.name === "Http");
}

async function readBack(pool: NodePool, { stored }: Tally, prng: Prng): Promise<void> {
  for (const file of stored) {
    const node = anyOf(pool.nodes, prng);
    const what = `${file.name} at ${node.name}`;
    await until(what, () => isReadable(node, file), { withinMs: 30_000, everyMs: 500 });
  }
}
