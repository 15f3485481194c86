// Who has this: provider records in our own DHT, for peers outside the netmap. Roots only, and
// only with `public`: the owners of a block of a known file are computed, not looked up.

import { CID } from "multiformats/cid";
import { SkyringError } from "../../shared/base/errors.ts";
import { asNodeId, type Cid, type NodeId } from "../../shared/base/ids.ts";
import type { SkyringLibp2p } from "./libp2p_node.ts";

/** A peer that claims to have something, and where it may be dialled. */
export interface Provider {
  readonly id: NodeId;
  readonly addresses: readonly string[];
}

export interface Providers {
  /** Announces that this node has a root; resolves once the peers nearest to it were told. */
  provide(cid: Cid, signal: AbortSignal): Promise<void>;
  /** Peers that announced a root, as they are found, at most `limit`, ourselves left out. */
  findProviders(
    cid: Cid,
    options: { readonly signal: AbortSignal; readonly limit: number },
  ): AsyncIterable<Provider>;
}

/** Provider records on a started node. */
export function createProviders(options: {
  readonly node: () => SkyringLibp2p | undefined;
  readonly self: NodeId;
  readonly public: boolean;
}): Providers {
  function dht() {
    const node = options.node();
    if (node !== undefined) return node.services.dht;
    throw new SkyringError("not_ready", "Cannot use DHT: network is not started");
  }

  return {
    async provide(cid, signal) {
      if (!options.public) {
        throw new SkyringError("forbidden", "Cannot announce root: node is not public");
      }
      const told = dht().provide(CID.parse(cid), { signal });
      while ((await told[Symbol.asyncIterator]().next()).done !== true) signal.throwIfAborted();
    },
    async *findProviders(cid, { signal, limit }) {
      const told = new Set<string>([options.self]);
      for await (const event of dht().findProviders(CID.parse(cid), { signal })) {
        if (event.name !== "PROVIDER") continue;
        for (const { id, multiaddrs } of event.providers) {
          if (told.has(id.toString())) continue;
          told.add(id.toString());
          yield {
            id: asNodeId(id.toString()),
            addresses: multiaddrs.map((address) => address.toString()),
          };
          if (told.size > limit) return;
        }
      }
    },
  };
}
