// What tabs are worth to a pool of real nodes: a file handed over from a tab, and a file whose
// only node died read and repaired from a tab, through nodes that the tab never met.

import assert from "node:assert/strict";
import { decodeTicket } from "../../shared/wire/ticket_text.ts";
import { connectTab } from "../unit/server/net/raw_tab.ts";
import { bytesOf, digestOfBody, digestOfSeed } from "./content.ts";
import { withGateway } from "./gateway_child.ts";
import { type NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { anyPeer, cutInto, openTab } from "./tab_peer.ts";
import { until } from "./until.ts";

const size = 1_500_000;

/** A pool kept small: one copy of each block, so that one death loses some. */
const options = { nodes: 3, flags: ["--replicas=1", "--grace=3s"] };

Deno.test("files come from tabs when no node has them", async (test) => {
  await NodePool.with(options, async (pool) => {
    const step = (name: string, run: (pool: NodePool) => Promise<void>) =>
      test.step({ name, fn: () => run(pool), sanitizeResources: false, sanitizeOps: false });
    await step("a file named by its CID is taken over from a tab of another node", handedOver);
    await step("what nobody has is 504", nowhere);
    await step("a tab behind the gateway needs the gateway alone", behindGateway);
    await step("blocks of a dead node are read and repaired from a tab", outlived);
  });
});

async function linkFrom(node: NodeChild, name: string, cid: string): Promise<Response> {
  return await node.request(`/api/files/${name}?from=${cid}`, { method: "PUT" });
}

async function assertReads(node: NodeChild, name: string, seed: number): Promise<void> {
  const response = await node.request(`/api/files/${name}`);
  assert.equal(response.status, 200, `${name} at ${node.name}`);
  assert.equal((await digestOfBody(response.body)).digest, digestOfSeed(seed, size));
}

async function handedOver(pool: NodePool): Promise<void> {
  const tab = await openTab(pool.node(0));
  try {
    const root = await cutInto(tab.store, bytesOf(1, size));
    const named = await linkFrom(pool.node(1), "from-a-tab", root);
    const answer = await named.json();
    assert.equal(named.status, 201, JSON.stringify(answer));
    assert.equal(answer.replicas.least, 1);
    const { items: [row] } = await pool.node(0).json("/api/tabs");
    assert.ok(row.given >= size, `${row.given} bytes were given by the tab`);
  } finally {
    await tab.stop();
  }
  for (const node of pool.nodes) await assertReads(node, "from-a-tab", 1);
}

/** Ticket, socket and naming may each go to another node: the file is found all the same. */
async function behindGateway(pool: NodePool): Promise<void> {
  await withGateway(pool, async ({ url }) => {
    const asked = await fetch(`${url}/api/tab/ticket`, json({ peer: anyPeer }));
    const { group } = await asked.json();
    const tab = await connectTab({
      ...{ group, address: `/ip4/127.0.0.1/tcp/${new URL(url).port}/ws` },
      ticket: async (peer) => {
        const response = await fetch(`${url}/api/tab/ticket`, json({ peer }));
        const ticket = decodeTicket((await response.json()).ticket);
        assert.ok(ticket !== undefined);
        return ticket;
      },
    });
    try {
      const root = await cutInto(tab.store, bytesOf(4, size));
      const path = `${url}/api/files/by-gateway`;
      const named = await until("the file to be named", async () => {
        const response = await fetch(`${path}?from=${root}`, { method: "PUT" });
        await response.body?.cancel();
        return [200, 201].includes(response.status);
      });
      assert.ok(named);
    } finally {
      await tab.stop();
    }
  });
  for (const node of pool.nodes) await assertReads(node, "by-gateway", 4);
}

function json(body: unknown): RequestInit {
  const headers = { "content-type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

async function nowhere(pool: NodePool): Promise<void> {
  const tab = await openTab(pool.node(0));
  try {
    const root = await cutInto(tab.store, bytesOf(2, size));
    const { cid } = tab.store.list(undefined, 1)[0] ?? {};
    assert.ok(cid !== undefined);
    await tab.store.remove(cid);
    const answer = await linkFrom(pool.node(2), "incomplete", root);
    assert.equal(answer.status, 504, await answer.text());
    assert.equal((await pool.node(2).request("/api/files/incomplete")).status, 404);
  } finally {
    await tab.stop();
  }
}

async function outlived(pool: NodePool): Promise<void> {
  const victim = pool.node(2);
  const { id } = await victim.json("/api/status");
  const pushed = await pool.node(0).request("/api/files/outlived", {
    method: "PUT",
    body: bytesOf(3, size),
  });
  assert.equal(pushed.status, 201, await pushed.text());
  const holders = async () => {
    const { items } = await pool.node(1).json("/api/files/outlived?view=blocks", 20_000);
    return items.map((item: { holders: string[] }) => item.holders) as string[][];
  };
  assert.ok((await holders()).some((ids) => ids.includes(id)), "the victim holds a block");
  const tab = await openTab(pool.node(0));
  try {
    await cutInto(tab.store, bytesOf(3, size));
    // A tab's copy is shown nowhere as one of the pool's.
    assert.ok((await holders()).every((ids) => ids.length === 1));
    await victim.kill();
    await assertReads(pool.node(1), "outlived", 3);
    await until("the lost blocks to be repaired", async () => {
      return (await holders()).every((ids) => ids.length >= 1 && !ids.includes(id));
    }, { withinMs: 60_000, detail: () => pool.node(1).output().slice(-2_000) });
  } finally {
    await tab.stop();
  }
  for (const node of [pool.node(0), pool.node(1)]) await assertReads(node, "outlived", 3);
}
