// Tabs at real nodes: a ticket by HTTP, a connection by WebSocket, and a file's blocks to hold.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Cid } from "../../shared/base/ids.ts";
import { chunkBytesDefault, linksMaxDefault } from "../../shared/base/limits.ts";
import { cidOfDigest } from "../../shared/block/cid.ts";
import { createDagBuilder } from "../../shared/block/dag_builder.ts";
import type { BlockStore } from "../../shared/block/block_store.ts";
import { decodeTicket } from "../../shared/wire/ticket_text.ts";
import { connectTab, type RawTab, type RawTabOptions } from "../unit/server/net/raw_tab.ts";
import type { NodeChild } from "./node_child.ts";
import { until } from "./until.ts";

/** Some peer id, for who only wants to know where tickets are good. */
export const anyPeer = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";

/** A tab of a node, let in. The caller stops it. */
export async function openTab(
  node: NodeChild,
  more: Partial<RawTabOptions> = {},
): Promise<RawTab> {
  const { group, nodes } = await askTicket(node, anyPeer);
  const address = nodes[0]?.addresses[0];
  assert.ok(address !== undefined, `${node.name} tells no address for tabs`);
  const tab = await connectTab({
    ...{ group, address },
    ticket: async (peer) => {
      const ticket = decodeTicket((await askTicket(node, peer)).ticket);
      assert.ok(ticket !== undefined);
      return ticket;
    },
    ...more,
  });
  await until(`${node.name} to let the tab in`, async () => {
    const { items } = await node.json("/api/tabs?limit=1000");
    return items.some(({ id }: { id: string }) => id === tab.id);
  });
  return tab;
}

interface TicketAnswer {
  readonly ticket: string;
  readonly group: string;
  readonly nodes: readonly { readonly id: string; readonly addresses: readonly string[] }[];
}

/** The answer that a page gets. */
export async function askTicket(node: NodeChild, peer: string): Promise<TicketAnswer> {
  const response = await node.request("/api/tab/ticket", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ peer }),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

/** Cuts a file into a store as a push would. @returns its root */
export async function cutInto(store: BlockStore, content: Uint8Array): Promise<Cid> {
  const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
  const builder = createDagBuilder({ linksMax: linksMaxDefault, hash });
  for (let start = 0; start < content.length; start += chunkBytesDefault) {
    const leaf = content.slice(start, start + chunkBytesDefault);
    const cid = cidOfDigest(hash(leaf), "raw");
    await store.put(cid, leaf, "leaf");
    for (const inner of builder.add({ cid, size: leaf.length })) {
      await store.put(inner.cid, inner.bytes, "inner");
    }
  }
  const { root, inner } = builder.finish();
  for (const block of inner) await store.put(block.cid, block.bytes, "inner");
  return root;
}
