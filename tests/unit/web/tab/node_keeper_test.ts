// The places that a tab keeps connected, over an API and a network made up here.

import assert from "node:assert/strict";
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
