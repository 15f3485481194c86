// The places that a tab keeps connected, over an API and a network made up here.

import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Permit } from "../../../../web/tab/node_api.ts";
import { keepNodes } from "../../../../web/tab/node_keeper.ts";
import type { TabNetwork } from "../../../../web/tab/tab_network.ts";

const address = (port: number) => `/ip4/127.0.0.1/tcp/${port}/ws`;
const permit: Permit = {
  ticket: {} as Permit["ticket"],
  group: "test",
  nodes: [
    { id: "origin", name: "node-1", addresses: [address(1)] },
    { id: "other", name: "node-2", addresses: [address(2)] },
  ],
};

Deno.test("keepNodes() goes on with all places after a network that did not start", async () => {
  const over = new AbortController();
  const dialled = new Set<string>();
  const failures = 8;
  let starts = 0;
  const network: TabNetwork = {
    links: () => [],
    dial: (to) => {
      dialled.add(to);
      return Promise.resolve({ ok: false, why: "not today" });
    },
    stop: () => Promise.resolve(),
  };
  const troubles: (string | null)[] = [];
  const keeper = keepNodes({
    api: {
      permit: () => Promise.resolve(permit),
      rare: () => Promise.resolve([]),
      file: () => Promise.resolve(undefined),
      block: () => Promise.resolve(undefined),
      store: () => Promise.resolve(),
    },
    peer: "tab",
    origin: address(1),
    reach: new Set(["ws://127.0.0.1:2/"]),
    network: () => {
      starts += 1;
      return starts <= failures
        ? Promise.reject(new Error("no sockets here"))
        : Promise.resolve(network);
    },
    onChange: () => troubles.push(keeper.trouble),
    onBeyond: () => undefined,
    now: () => 0,
  }, over.signal);
  try {
    const deadline = performance.now() + 20_000;
    while (!dialled.has(address(1)) || !dialled.has(address(2))) {
      assert.ok(performance.now() < deadline, `dialled ${[...dialled]} after ${starts} starts`);
      keeper.wake(); // the back-off is not what is tested
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(troubles.includes("no sockets here"));
    assert.equal(keeper.nameOf("other"), "node-2");
  } finally {
    over.abort();
  }
});

/** A tab whose origin stays connected, in a pool whose nodes and clock the test moves. */
function keepWith(reach: readonly string[], signal: AbortSignal) {
  const nodes: Permit["nodes"] = permit.nodes.slice(0, 1);
  const pool = { now: 0, nodes, permits: 0, isAway: false };
  const dialled: string[] = [];
  const beyond: string[] = [];
  const links: { readonly id: string }[] = [];
  const stays = new Promise<void>(() => undefined);
  const network = {
    links: () => links,
    dial: (to: string) => {
      dialled.push(to);
      links.push({ id: pool.nodes.find(({ addresses }) => addresses.includes(to))?.id ?? "" });
      return Promise.resolve({ ok: true, link: {}, closed: stays });
    },
    stop: () => Promise.resolve(),
  } as unknown as TabNetwork;
  const keeper = keepNodes({
    api: {
      permit: () => {
        pool.permits++;
        return pool.isAway
          ? Promise.reject(new SkyringError("unavailable", "Cannot reach the node"))
          : Promise.resolve({ ...permit, nodes: pool.nodes });
      },
      rare: () => Promise.resolve([]),
      file: () => Promise.resolve(undefined),
      block: () => Promise.resolve(undefined),
      store: () => Promise.resolve(),
    },
    peer: "tab",
    origin: address(1),
    reach: new Set(reach),
    network: () => Promise.resolve(network),
    onChange: () => undefined,
    onBeyond: (urls) => beyond.push(...urls),
    now: () => pool.now,
  }, signal);
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) {
      keeper.wake();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return { pool, dialled, beyond, settle, keeper };
}

Deno.test("a node that came later is dialled once the permit has grown old", async () => {
  const over = new AbortController();
  const tab = keepWith(["ws://127.0.0.1:2/"], over.signal);
  try {
    await tab.settle();
    assert.deepEqual(tab.dialled, [address(1)]);
    tab.pool.nodes = permit.nodes;
    await tab.settle();
    assert.equal(tab.pool.permits, 1, "a fresh permit is not asked for again");
    tab.pool.now += 20_000;
    await tab.settle();
    assert.deepEqual(tab.dialled, [address(1), address(2)]);
    assert.equal(tab.pool.permits, 2, "all places share it");
    assert.deepEqual(tab.beyond, []);
  } finally {
    over.abort();
  }
});

Deno.test("a permit that cannot be renewed is no trouble while the origin is connected", async () => {
  const over = new AbortController();
  const tab = keepWith(["ws://127.0.0.1:2/"], over.signal);
  try {
    await tab.settle();
    tab.pool.isAway = true;
    tab.pool.now += 20_000;
    await tab.settle();
    assert.ok(tab.pool.permits > 1, "it was asked for");
    assert.equal(tab.keeper.trouble, null);
    tab.pool.isAway = false;
    tab.pool.nodes = permit.nodes;
    await tab.settle();
    assert.deepEqual(tab.dialled, [address(1), address(2)]);
  } finally {
    over.abort();
  }
});

Deno.test("a node that the policy does not know is told, while there is no other beside the origin", async () => {
  const third = { id: "third", name: "node-3", addresses: [address(3)] };
  for (const reach of [[], ["ws://127.0.0.1:2/"]]) {
    const over = new AbortController();
    const tab = keepWith(reach, over.signal);
    try {
      await tab.settle();
      assert.deepEqual(tab.beyond, []);
      tab.pool.nodes = [...permit.nodes, third];
      tab.pool.now += 20_000;
      await tab.settle();
      const told = new Set(tab.beyond);
      const expected = reach.length > 0 ? [] : ["ws://127.0.0.1:2/", "ws://127.0.0.1:3/"];
      assert.deepEqual([...told], expected);
    } finally {
      over.abort();
    }
  }
});
