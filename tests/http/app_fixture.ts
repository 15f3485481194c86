// An app over a memory pool and fixed snapshots, for tests of routes without sockets.

import type { NodeSnapshot, StatusSnapshot } from "../../shared/status.ts";
import { createApp } from "../../server/http/app.ts";
import { createEventHub } from "../../server/http/event_hub.ts";
import type { App } from "../../server/http/routes.ts";
import type { HttpConfig, Services, TabService } from "../../server/http/services.ts";
import { asCid, asNodeId } from "../../shared/base/ids.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import { createFakeActions, healLines } from "./fake_actions.ts";
import { createMemoryPool, type MemoryPool } from "./memory_pool.ts";

export const fixturePort = 7_000;
export const now = 1_700_000_000_000;

export const node: NodeSnapshot = {
  id: "12D3KooWA",
  name: "node-1",
  zone: "z1",
  state: "alive",
  phase: { phase: "seeding", since: now, because: "all wanted blocks are held" },
  http: "http://127.0.0.1:7000",
  line: null,
  addresses: [],
  version: "0.0.0",
  capacity: 1_000,
  used: 10,
  metadata: 5,
  blocks: { held: 1, wanted: 2, surplus: 3 },
  tokens: 512,
  share: 1,
  roundTripMs: null,
  lastSeenAt: now,
  epoch: 4,
  arriving: 0,
};

export const status: StatusSnapshot = {
  ...node,
  group: "skyring",
  startedAt: now - 3_600_000,
  bootId: "b1",
  roster: { epoch: 4, lineage: "00", members: 1, council: ["12D3KooWA"] },
  writable: true,
  rates: { bytesIn: 0, bytesOut: 0 },
  workers: [{ name: "scrub", state: "idle", progress: "", lastError: null, lastErrorAt: null }],
};

/** Tabs of the fixture: one peer is kept out, and there is one rare block. */
export const fixtureTabs: TabService = {
  max: 4,
  ticket: (peer) => {
    if (peer === keptOutPeer) throw new SkyringError("busy", "Cannot make ticket: kept out");
    return { expiresAt: now + 1_000, mac: new Uint8Array(32).fill(1) };
  },
  rare: ({ limit, seed }) => {
    const rows = [
      { cid: asCid("bafkreih" + "a".repeat(51)), size: 5, copies: 1, wanted: 3 },
      { cid: asCid("bafkreig" + "a".repeat(51)), size: seed, copies: 2, wanted: 3 },
    ];
    return Promise.resolve(rows.slice(0, limit));
  },
  addresses: () => ["/ip4/127.0.0.1/tcp/1/p2p/12D3KooWA", "/ip4/127.0.0.1/tcp/2/ws/p2p/12D3KooWA"],
};
/** A peer id that the fixture gives no ticket. */
export const keptOutPeer = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";

export interface Fixture {
  readonly app: App;
  readonly pool: MemoryPool;
  readonly services: Services;
  readonly logged: string[];
  /** A request to this node from its own machine. */
  ask(path: string, init?: RequestInit & { headers?: Record<string, string> }): Promise<Response>;
}

/** An app with every optional service; `config` and `services` override. */
export function createFixture(
  config: Partial<HttpConfig> = {},
  services: Partial<Services> = {},
): Fixture {
  const pool = createMemoryPool(() => now);
  const logged: string[] = [];
  const paused = new Set<string>();
  const full: Services = {
    pool,
    config: {
      version: "1.2.3",
      port: fixturePort,
      loopback: true,
      token: null,
      allowHosts: [],
      tls: false,
      isPublic: false,
      ...config,
    },
    log: (event, fields) => void logged.push(`${event} ${JSON.stringify(fields)}`),
    now: () => now,
    events: createEventHub({ boot: "b1", now: () => now }),
    status: () => status,
    nodes: () => [node, { ...node, id: "12D3KooWB", name: "node-2", state: "dead" }],
    ready: () => ({ ready: true }),
    ring: () => ({
      epoch: 4,
      slotCount: 16_384,
      nodes: [{
        id: "12D3KooWA",
        name: 'a"b',
        position: "00",
        tokens: 512,
        predecessor: null,
        successor: "12D3KooWB",
      }],
      zones: [{ zone: "attic", share: 1, fair: 1, tooSmall: false }],
      slots: [{ from: 0, to: 16_383, owners: ["12D3KooWA"] }],
    }),
    peers: () => [{
      id: asNodeId("12D3KooWB"),
      role: "member",
      address: "/ip4/127.0.0.1/tcp/1",
      direction: "inbound",
      since: now,
      bytesIn: 1,
      bytesOut: 2,
    }],
    workers: {
      list: () =>
        status.workers.map((each) => paused.has(each.name) ? { ...each, state: "paused" } : each),
      pause: (name) => name === "scrub" && Boolean(paused.add(name)),
      resume: (name) => name === "scrub" && (paused.delete(name) || true),
    },
    tabs: fixtureTabs,
    invite: () => Promise.resolve("skyring-invite"),
    wanted: () => ({ items: [], next: null }),
    holds: (cid) => pool.blockMap.has(cid),
    providers: () => Promise.resolve([{ id: "12D3KooWB", addresses: ["/ip4/127.0.0.1/tcp/1"] }]),
    shareKey: () => new Uint8Array(32).fill(7),
    nodeActions: createFakeActions(),
    lookup: (key, cid) =>
      Promise.resolve({
        ...{ key, kind: cid === undefined ? "file" as const : "block" as const },
        ...{ slot: 7, owners: [asNodeId("12D3KooWA")], content: null },
      }),
    heal: healLines,
    ...services,
  };
  const app = createApp(full);
  const ask: Fixture["ask"] = async (path, init = {}) => {
    const url = path.startsWith("http") ? path : `http://127.0.0.1:${fixturePort}${path}`;
    return await app.request(new Request(url, init));
  };
  return { app, pool, services: full, logged, ask };
}
