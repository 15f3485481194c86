// What a page that seeds asks of its node: a ticket for its peer id with the addresses where it is
// good, the blocks most worth keeping, and, for people, the tabs that are connected. Tickets let a
// peer in to read and hold blocks, so they are given only to who passed the checks of a write.

import { peerIdFromString } from "@libp2p/peer-id";
import * as v from "valibot";
import { SkyringError } from "../../shared/base/errors.ts";
import { encodeTicket } from "../../shared/wire/ticket_text.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { PeerInfo } from "../net/network.ts";
import { listOf } from "./nodes.ts";
import { queryInteger, readJson } from "./requests.ts";
import { jsonResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Services, TabService } from "./services.ts";

const ticketBody = v.strictObject({ peer: v.pipe(v.string(), v.maxLength(128)) });
const rareLimitDefault = 256;
const rareLimitMax = 1_024;
const seedMax = 2 ** 31 - 1;
/** More than a tab dials: it stops at a few that answer. */
const nodesMax = 16;

/** Adds the routes, when this node lets tabs in. @throws never */
export function routeTabs(app: App, services: Services): void {
  const { tabs, peers } = services;
  if (tabs === undefined || peers === undefined) return;
  app.post("/api/tab/ticket", async ({ req }) => {
    const { peer } = await readJson(req.raw, ticketBody);
    const ticket = tabs.ticket(peerId(peer));
    return jsonResponse({
      ticket: encodeTicket(ticket),
      expiresAt: ticket.expiresAt,
      group: services.status().group,
      nodes: nodesFor(services, tabs),
    });
  });
  app.get("/api/tab/rare", async ({ req }) => {
    const limit = queryInteger(req.query("limit") ?? String(rareLimitDefault), {
      ...{ name: "limit", min: 1, max: rareLimitMax },
    });
    const seed = queryInteger(req.query("seed") ?? String(services.now() % seedMax), {
      ...{ name: "seed", min: 0, max: seedMax },
    });
    return jsonResponse({ items: await tabs.rare({ limit, seed }) });
  });
  app.get("/api/tabs", ({ req }) => {
    const rows = tabRows(peers());
    return listOf(rows, { url: req.url, keyOf: (tab) => `${tab.id} ${tab.address}` });
  });
}

/** Connections of tabs. `given` and `taken` are what the tab gave to and took from this node. */
function tabRows(peers: readonly PeerInfo[]) {
  return peers.filter(({ role }) => role === "tab").map((peer) => ({
    ...{ id: peer.id, address: peer.address, since: peer.since },
    ...{ given: peer.bytesIn, taken: peer.bytesOut },
  }));
}

/** This node first, then the living, each under its WebSocket addresses without its peer id. */
export function nodesFor({ status, nodes }: Services, tabs: TabService) {
  const { id, name } = status();
  const others = nodes().filter((node) => node.id !== id && node.state === "alive");
  const all: Pick<NodeSnapshot, "id" | "name" | "addresses">[] = [
    { id, name, addresses: tabs.addresses() },
    ...others,
  ];
  return all.map((node) => ({
    id: node.id,
    name: node.name,
    addresses: node.addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, ""))
      .filter((address) => /\/wss?$/.test(address)),
  })).filter(({ addresses }) => addresses.length > 0).slice(0, nodesMax);
}

/** The text of an Ed25519 peer id. @throws {SkyringError} bad_setting */
function peerId(text: string): string {
  try {
    const id = peerIdFromString(text);
    if (id.type === "Ed25519") return id.toString();
  } catch (cause) {
    throw new SkyringError("bad_setting", "Cannot make ticket: peer is not a peer id", { cause });
  }
  throw new SkyringError("bad_setting", "Cannot make ticket: peer is not an Ed25519 peer id");
}
