// The tabs of a node, composed: who is let in and dropped, what they hold for others, and what
// they are told to take.

import { tabsMax } from "../shared/base/tab_limits.ts";
import { systemClock } from "./engine/clock.ts";
import { RareBlocks, type RarePorts } from "./engine/rare_blocks.ts";
import { TabBlocks } from "./engine/tab_blocks.ts";
import type { TabService } from "./http/services.ts";
import type { BlockDriver } from "./net/block_driver.ts";
import type { Host } from "./net/host.ts";

/** Follows the tabs that come and go. `exchange` is asked once the network runs. */
export function makeTabBlocks(host: Host, exchange: () => BlockDriver): TabBlocks {
  const tabs = new TabBlocks({
    exchange: {
      want: (peer, cid, options) => exchange().want(peer, cid, options),
      have: (peer, cids, options) => exchange().have(peer, cids, options),
    },
    clock: systemClock,
    drop: (tab, reason) => host.punish(tab, reason),
  });
  host.onPeer((event) => {
    if (event.kind === "admitted" && event.role === "tab") tabs.add(event.id);
    if (event.kind === "gone") tabs.remove(event.id);
  });
  return tabs;
}

/** What the HTTP routes of tabs need. */
export function makeTabService(
  host: Host,
  blocks: Omit<RarePorts, "clock" | "randomDigest">,
): TabService {
  const rare = new RareBlocks({
    ...{ ...blocks, clock: systemClock },
    randomDigest: () => crypto.getRandomValues(new Uint8Array(32)),
  });
  return {
    max: tabsMax,
    ticket: (peer) => host.issueTicket(peer),
    rare: (options) => rare.list(options),
    addresses: () => host.addresses(),
  };
}
