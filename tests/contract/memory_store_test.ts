// The memory store keeps the block store's contract.

import { createMemoryStore } from "../../shared/block/memory_store.ts";
import { createVerifiedStore } from "../../server/disk/verified_store.ts";
import { type OpenStore, testBlockStore } from "./block_store_contract.ts";

const open: OpenStore = ({ capacityBytes, metadataRoomBytes: metadataBytesMax }) => {
  const clock = { at: 1_000 };
  const store = createMemoryStore({ capacityBytes, metadataBytesMax, now: () => clock.at });
  return Promise.resolve({ store, clock, close: () => store.stop() });
};

testBlockStore("memory store", open);
testBlockStore("verified memory store", async (settings) => {
  const under = await open(settings);
  return { ...under, store: createVerifiedStore(under.store) };
});
