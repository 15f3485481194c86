// Push and pull over real connections: four hosts on loopback, the real block protocol, and one
// of them stopped in the middle of a pull.

import assert from "node:assert/strict";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { placement } from "../../../../shared/ring/placement.ts";
import { systemClock } from "../../../../server/engine/clock.ts";
import { openDag, type PullPorts } from "../../../../server/engine/pull.ts";
import { createTransferShares } from "../../../../server/engine/transfer_shares.ts";
import { pushBytes, type PushPorts } from "../../../../server/engine/push.ts";
import { type BlockDriver, createBlockDriver } from "../../../../server/net/block_driver.ts";
import { addressOf, until, withHosts } from "../net/test_hosts.ts";
import { pieces, testBytes } from "./test_pool.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;

Deno.test("pushBytes() and openDag() work over libp2p, also when a holder stops in the middle", async () => {
  const drivers: BlockDriver[] = [];
  await withHosts(async (make) => {
    const made = await Promise.all([0, 1, 2, 3].map(async () => {
      const { host } = await make();
      const store = createMemoryStore({ capacityBytes: GiB, now: Date.now });
      const options = { streams: host.streams, group: "test", store, public: false };
      const driver = createBlockDriver(options);
      drivers.push(driver);
      await host.start();
      return { host, store, driver };
    }));
    for (const [at, { host }] of made.entries()) {
      for (const other of made.slice(at + 1)) await host.dial(addressOf(other.host));
    }
    await until(() => made.every(({ host }) => host.connected().length === 3), { what: "a mesh" });
    const members = made.map(({ host }, at) => ({
      id: host.self,
      since: 1,
      capacity: GiB,
      zone: `zone-${at}`,
    }));
    const shares = createTransferShares();
    const portsOf = (at: number): PushPorts & PullPorts => {
      const { host, store, driver } = made[at] ?? assert.fail("no such node");
      const ring = {
        self: host.self,
        placement: () => placement({ members }),
        isUsable: () => true,
      };
      return { self: host.self, store, exchange: driver, clock: systemClock, ring, shares };
    };
    const content = testBytes(48 * MiB + 11);
    const pushAt = performance.now();
    const result = await pushBytes(portsOf(0), pieces(content));
    assert.deepEqual([result.least, result.zones, result.blocks], [3, 3, 193]);
    const pullAt = performance.now();
    const file = await openDag(portsOf(3), result.root);
    const parts: Uint8Array[] = [];
    for await (const part of file.read({ start: 0, end: file.size })) {
      parts.push(part);
      if (parts.length === 60) await made[1]?.host.stop();
    }
    assert.ok(Buffer.concat(parts).equals(content));
    const rate = (ms: number) => `${Math.round(content.length / 1e3 / ms)} MB/s`;
    console.log(`push ${rate(pullAt - pushAt)}, pull ${rate(performance.now() - pullAt)}`);
    for (const driver of drivers) driver.stop();
  });
});
