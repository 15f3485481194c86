// A node in its own process, for the tests that kill one: it serves blocks that it makes up from
// their number, and ends when its standard input closes.

import { createBlockDriver } from "../../../../server/net/block_driver.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { makeHost } from "./test_hosts.ts";
import { makeBlock } from "./made_block.ts";

const [count, bytes] = Deno.args.map(Number);
const { host } = await makeHost();
const store = createMemoryStore({ capacityBytes: 2 ** 32, now: Date.now });
createBlockDriver({ streams: host.streams, group: "test", store, public: false });
for (let seed = 0; seed < (count ?? 0); seed++) {
  const block = makeBlock(bytes ?? 0, seed);
  await store.put(block.cid, block.bytes, "leaf");
}
const [address] = await host.start();
console.log(address);
for await (const _ of Deno.stdin.readable) continue;
Deno.exit(0);
