// Gathers what pages are made of: snapshots of the node's parts, put into the plain shapes of
// web/pages/. Pages ask nothing themselves.

import type { FrameView, PageName, Theme } from "../../web/pages/frame.tsx";
import type { PoolEvent, PoolView } from "../../web/pages/pool_view.ts";
import { signOf } from "../../web/charts/glyph.ts";
import type { SentEvent } from "./event_hub.ts";
import { readWord } from "./gateway_word.ts";
import type { Services } from "./services.ts";
import { assetAddresses } from "./static_files.ts";
import { createRingReader, type RingReader } from "./ui_ring.ts";
import { canSeed } from "./tab_bundle.ts";
import { createTrafficLog } from "./traffic_log.ts";
import { copiesKnown, isSettled } from "./copies_known.ts";
import { withSilence } from "./ui_silence.ts";
import { eventsKeptMax } from "../../shared/base/limits.ts";
import { wantedOf } from "../../web/pages/health.ts";

/** More than are shown: some kinds have no words. Older ones of members are shown all the same. */
const eventsRead = 100;
/** Name of the cookie with the theme; a taste, not a secret. */
export const themeCookie = "skyring-theme";
export interface Views {
  readonly ring: RingReader | undefined;
  /** The pool; `request` tells by which way the page is seen. */
  pool(request?: Request): PoolView;
  frame(request: Request): FrameView;
  /** Whether it is known what the others hold: not before this node has heard from them. */
  copiesKnown(): boolean;
  /** Names of members by id, and which of them answer. */
  members(): ReadonlyMap<string, { readonly name: string; readonly answers: boolean }>;
  /** Bytes that new files may have, their copies counted. */
  room(): number;
}

/** The views of a node's services. @throws never */
export function createViews(services: Services): Views {
  const traffic = createTrafficLog();
  const ring = services.ring === undefined ? undefined : createRingReader(services.ring);
  const byName = new Intl.Collator("en", { numeric: true });
  const nodes = () =>
    [...services.nodes()].sort((left, right) => byName.compare(left.name, right.name));
  return {
    ring,
    pool(request) {
      const word = request && readWord(request.headers, services.config.token);
      const status = services.status();
      const now = services.now();
      const peers = services.peers?.() ?? [];
      const events = services.events.recent(eventsKeptMax)
        .filter(({ kind }, index) => kind === "member" || index < eventsRead)
        .slice(0, eventsRead * 2).flatMap(eventOf);
      const members = withSilence(nodes(), events);
      const seen = { cluster: word?.cluster ?? null, settled: isSettled(status, members, now) };
      return {
        now,
        status,
        ...seen,
        nodes: members,
        ring: ring?.view(members, { epoch: status.roster.epoch, now, ...seen }) ?? null,
        traffic: traffic.sample(now, { wanted: wantedOf(members), peers }),
        events,
        files: services.fileCount?.() ?? null,
        takesOrders: services.nodeActions !== undefined,
        heals: services.heal !== undefined,
      };
    },
    frame: (request) => frameOf(services, request),
    copiesKnown: () => copiesKnown(services),
    members: () =>
      new Map(nodes().map(({ id, name, state }) => [id, { name, answers: state === "alive" }])),
    room: () => {
      const members = nodes().filter(({ state }) => state === "alive");
      const free = members.map(({ capacity, used }) => Math.max(0, capacity * .9 - used));
      return free.reduce((sum, bytes) => sum + bytes, 0) / Math.min(3, Math.max(1, members.length));
    },
  };
}

function frameOf(services: Services, request: Request): FrameView {
  const status = services.status();
  const url = new URL(request.url);
  const present: Readonly<Record<PageName, boolean>> = {
    overview: true,
    nodes: true,
    files: true,
    ring: services.ring !== undefined,
    wanted: services.wanted !== undefined,
    peers: services.peers !== undefined,
    workers: services.workers !== undefined,
    jobs: services.nodeActions !== undefined,
    tab: canSeed(services),
  };
  const names = Object.keys(present) as PageName[];
  return {
    version: services.config.version,
    group: status.group,
    node: {
      name: status.name,
      id: status.id,
      sign: signOf("alive", status.phase.phase),
    },
    epoch: status.roster.epoch,
    theme: themeOf(request.headers.get("cookie") ?? ""),
    pages: names.filter((name) => present[name]),
    here: request.method === "GET" ? url.pathname + url.search : "/",
    assets: assetAddresses,
  };
}

/** The theme in a Cookie header; anything else is auto. @throws never */
export function themeOf(cookie: string): Theme {
  const value = new RegExp(`(?:^|;\\s*)${themeCookie}=(light|dark)(?:;|$)`).exec(cookie)?.[1];
  return value === "light" || value === "dark" ? value : "auto";
}

function eventOf(event: SentEvent): PoolEvent[] {
  const data: unknown = JSON.parse(event.data);
  if (typeof data !== "object" || data === null || event.kind === "resync") return [];
  const fields = Object.fromEntries(Object.entries(data));
  return [{ kind: event.kind, at: Number(fields["at"] ?? 0), data: fields }];
}
