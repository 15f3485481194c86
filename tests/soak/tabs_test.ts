// Thousands of small tabs come and go at one node: each brings a new identity, takes some blocks,
// gives one, and leaves as tabs do, without a word; one in ten misbehaves. The node serves all
// the while, and its memory stays where it was.

import assert from "node:assert/strict";
import { blockFrame, encodeCredit, encodeHave } from "../../shared/wire/block_message.ts";
import { asCid, type Cid } from "../../shared/base/ids.ts";
import { tabsMax } from "../../shared/base/tab_limits.ts";
import { encodeFrame } from "../../shared/wire/frame.ts";
import { BlockAsker } from "../../web/peer/block_asker.ts";
import { startNodeHash } from "../../server/net/node_hash.ts";
import { bytesOf } from "../e2e/content.ts";
import type { NodeChild } from "../e2e/node_child.ts";
import { NodePool } from "../e2e/node_pool.ts";
import { cutInto, openTab } from "../e2e/tab_peer.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "../e2e/until.ts";
import type { RawTab } from "../unit/server/net/raw_tab.ts";

const minutes = Number(Deno.env.get("SKYRING_SOAK_MINUTES") ?? 10);
const atOnce = 24;
const badEvery = 10;
const takes = 4;
const MiB = 2 ** 20;
/** Tabs that read nothing, and what all of them together may cost. */
const greedyTabs = 96;
const greedyBytesMax = 320 * MiB;
/** What the node may hold more at the end than after it got warm: noise of the allocator. */
const growthMax = 48 * MiB;

Deno.test(`${minutes} minutes of tabs that come and go`, async () => {
  await NodePool.with({ nodes: 1 }, async (pool) => {
    const node = pool.node(0);
    const pushed = await node.request("/api/files/served", {
      method: "PUT",
      body: bytesOf(1, 16 * MiB),
    });
    assert.equal(pushed.status, 201, await pushed.text());
    const { items } = await node.json("/api/files/served?view=blocks");
    const cids = items.map(({ cid }: { cid: string }) => asCid(cid)) as Cid[];
    const counts = { good: 0, bad: 0, refused: 0, taken: 0, given: 0 };
    const stop = new AbortController();
    const visits = Array.from({ length: atOnce }, async (_, visitor) => {
      for (let visit = 0; !stop.signal.aborted; visit++) {
        await visitOnce(node, { cids, counts, seed: visitor * 1_000_000 + visit });
      }
    });
    const samples = await watchMemory(node, minutes * 60_000);
    stop.abort();
    await Promise.all(visits);
    const quarter = Math.floor(samples.length / 4);
    const warm = mean(samples.slice(quarter, 2 * quarter));
    const late = mean(samples.slice(-quarter));
    const megabytes = (bytes: number) => `${(bytes / MiB).toFixed(0)} MiB`;
    console.log(
      `  ${counts.good} tabs came and went, ${counts.bad} bad ones; ${counts.refused} refused; ` +
        `${counts.taken} blocks taken, ${counts.given} given; node ${megabytes(warm)} when warm, ` +
        `${megabytes(late)} at the end, ${megabytes(Math.max(...samples))} at most`,
    );
    assert.ok(late - warm < growthMax, `${megabytes(warm)} became ${megabytes(late)}`);
    const after = await node.json("/api/tabs");
    assert.ok(after.items.length <= atOnce);
  });
});

Deno.test("a node takes so many tabs and no more, and gets rid of their memory", async () => {
  await NodePool.with({ nodes: 1 }, async (pool) => {
    const node = pool.node(0);
    const before = memoryOf(node);
    const tabs: RawTab[] = [];
    try {
      while (tabs.length < tabsMax) tabs.push(await openTab(node));
      const full = memoryOf(node);
      await assert.rejects(openTab(node), /429/);
      const metrics = await (await node.request("/metrics")).text();
      assert.match(metrics, new RegExp(`^skyring_tabs ${tabsMax}$`, "m"));
      console.log(`  ${tabsMax} tabs cost ${((full - before) / MiB).toFixed(0)} MiB`);
    } finally {
      await Promise.all(tabs.map((tab) => tab.stop()));
    }
    await until("the node to let the next tab in", async () => {
      return (await node.json("/api/tabs?limit=1000")).items.length === 0;
    });
    await (await openTab(node)).stop();
  });
});

Deno.test("tabs that ask for much and read nothing cost a node a bounded amount", async () => {
  await NodePool.with({ nodes: 1 }, async (pool) => {
    const node = pool.node(0);
    const body = bytesOf(1, 64 * MiB);
    const pushed = await node.request("/api/files/served", { method: "PUT", body });
    assert.equal(pushed.status, 201, await pushed.text());
    const { items } = await node.json("/api/files/served?view=blocks&limit=1000");
    const cids = items.map(({ cid }: { cid: string }) => asCid(cid)) as Cid[];
    const before = memoryOf(node);
    const tabs: RawTab[] = [];
    let most = 0;
    try {
      while (tabs.length < greedyTabs) {
        const tab = await openTab(node);
        tabs.push(tab);
        await askAndStop(tab, { cids, whole: tabs.length % 2 === 0 });
      }
      for (let second = 0; second < 60; second++) {
        most = Math.max(most, memoryOf(node));
        const startMs = performance.now();
        assert.equal((await node.json("/health", 20_000)).ok, true);
        assert.ok(performance.now() - startMs < 10_000, "the node answers meanwhile");
        await waitFor(1_000);
      }
      const { items: left } = await node.json("/api/tabs?limit=1000");
      console.log(
        `  ${greedyTabs} greedy tabs cost ${((most - before) / MiB).toFixed(0)} MiB at most; ` +
          `${left.length} are connected after a minute`,
      );
      assert.ok(most - before < greedyBytesMax, `${most - before} bytes`);
    } finally {
      await Promise.all(tabs.map((tab) => tab.stop()));
    }
  });
});

/** Grants endless credit, asks for everything, and takes nothing: of the stream, or at all. */
async function askAndStop(
  tab: RawTab,
  { cids, whole }: { readonly cids: readonly Cid[]; readonly whole: boolean },
): Promise<void> {
  const stream = await tab.open();
  stream.pause();
  stream.send(encodeFrame({ kind: blockFrame.credit, id: 0, payload: encodeCredit(2 ** 31) }));
  cids.slice(0, 250).forEach((cid, index) => {
    const payload = encodeHave({ lease: false, cids: [cid] }).slice(1);
    stream.send(encodeFrame({ kind: blockFrame.want, id: index + 1, payload }));
  });
  if (!whole) return;
  // libp2p keeps the connection below a stream as a field that its interface does not name.
  (tab.connection as unknown as { maConn: { pause(): void } }).maConn.pause();
}

interface Visit {
  readonly cids: readonly Cid[];
  readonly counts: { good: number; bad: number; refused: number; taken: number; given: number };
  readonly seed: number;
}

async function visitOnce(node: NodeChild, visit: Visit): Promise<void> {
  const { counts, seed } = visit;
  const bad = seed % badEvery === 0;
  let tab: RawTab;
  try {
    tab = await openTab(node);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    counts.refused += 1; // a full node says so, and the next visit is a new one
    return await waitFor(200);
  }
  try {
    if (bad) {
      counts.bad += 1;
      await misbehave(tab, visit);
    } else {
      counts.good += 1;
      await behave(node, tab, visit);
    }
  } finally {
    tab.connection.abort(new Error("closed by its user"));
    await tab.stop();
  }
}

async function behave(node: NodeChild, tab: RawTab, { cids, counts, seed }: Visit): Promise<void> {
  const asker = new BlockAsker(await tab.open(), {
    peer: tab.id,
    windowBytes: 4 * MiB,
    startHash: startNodeHash,
    onLie: () => assert.fail("the node sent wrong bytes"),
  });
  for (let taken = 0; taken < takes; taken++) {
    const cid = cids[(seed + taken) % cids.length] as Cid;
    const answer = await asker.want(cid, { timeoutMs: 20_000, signal: undefined });
    if (answer.kind === "block") counts.taken += 1;
  }
  if (seed % 3 > 0) return;
  const root = await cutInto(tab.store, bytesOf(seed, 5_000));
  const response = await node.request(`/api/blocks/${root}`);
  await response.bytes();
  if (response.status === 200) counts.given += 1;
}

/** One of: asks without reading, garbage, half a frame, claims and streams without end. */
async function misbehave(tab: RawTab, { cids, seed }: Visit): Promise<void> {
  const stream = await tab.open();
  const manner = Math.floor(seed / badEvery) % 4;
  try {
    if (manner === 0) {
      stream.pause();
      stream.send(encodeFrame({ kind: blockFrame.credit, id: 0, payload: encodeCredit(2 ** 31) }));
      cids.forEach((cid, index) => {
        const payload = encodeHave({ lease: false, cids: [cid] }).slice(1);
        stream.send(encodeFrame({ kind: blockFrame.want, id: index + 1, payload }));
      });
      await waitFor(1_000);
    } else if (manner === 1) {
      stream.send(crypto.getRandomValues(new Uint8Array(10_000)));
      await waitFor(100);
    } else if (manner === 2) {
      const have = encodeFrame({
        ...{ kind: blockFrame.have, id: 1 },
        payload: encodeHave({ lease: true, cids }),
      });
      for (let sent = 0; sent < 200; sent++) stream.send(have);
      stream.send(have.slice(0, 40));
      await waitFor(500);
    } else {
      for (let opened = 0; opened < 100; opened++) {
        (await tab.open()).abort(new Error("next"));
      }
    }
  } catch {
    // Being reset or closed for it is what is wanted.
  }
}

/** Resident memory, each second. */
async function watchMemory(node: NodeChild, forMs: number): Promise<number[]> {
  const samples: number[] = [];
  const deadline = performance.now() + forMs;
  while (performance.now() < deadline) {
    samples.push(memoryOf(node));
    await waitFor(1_000);
  }
  return samples;
}

/** Resident memory of a node, in bytes. */
function memoryOf(node: NodeChild): number {
  const status = Deno.readTextFileSync(`/proc/${node.pid}/status`);
  return Number(status.match(/VmRSS:\s+(\d+) kB/)?.[1]) * 1_024;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
