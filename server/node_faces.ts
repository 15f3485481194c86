// The faces of a node: the HTTP app over its parts.

import { createHmac } from "node:crypto";
import { SkyringError } from "../shared/base/errors.ts";
import type { Cid } from "../shared/base/ids.ts";
import { slotOfCid } from "../shared/ring/slot.ts";
import { encodeInvite, inviteAddressesMax } from "../shared/wire/invite.ts";
import type { Config } from "./config.ts";
import type { Workers } from "./engine/workers.ts";
import { createApp } from "./http/app.ts";
import type { EventHub } from "./http/event_hub.ts";
import type { App } from "./http/routes.ts";
import type { Provider, Services } from "./http/services.ts";
import { createLineServer, type LineServer } from "./line/line_server.ts";
import { createNodeLine } from "./line/node_line.ts";
import type { Log } from "./log.ts";
import type { Host } from "./net/host.ts";
import type { NodeDisk } from "./node_disk.ts";
import type { NodeControl } from "./node_control.ts";
import type { NodeEngines } from "./node_engines.ts";
import type { NodeNetwork } from "./node_network.ts";
import { makeTabService } from "./node_tabs.ts";
import { version } from "../shared/base/version.ts";
import type { NodeView } from "./node_view.ts";
import { isLoopback, type Seat } from "./seat.ts";

export interface NodeFacesOptions {
  readonly config: Config;
  readonly seat: Seat;
  readonly log: Log;
  readonly disk: NodeDisk;
  readonly network: NodeNetwork;
  readonly engines: NodeEngines;
  readonly control: NodeControl;
  readonly workers: Workers;
  readonly view: NodeView;
  readonly events: EventHub;
  readonly http: () => string | null;
}

const providersMax = 20;

/** The HTTP app of a node. */
export function makeApp(options: NodeFacesOptions): App {
  const { config, seat, log, disk, network, engines, workers, view, events } = options;
  const services: Services = {
    ...{ pool: engines.pool, events, now: Date.now },
    log: (event, fields) => log.debug(event, fields),
    config: {
      version,
      port: seat.port,
      loopback: isLoopback(config.host),
      token: seat.token ?? null,
      allowHosts: config.allowHosts.map((name) => name.toLowerCase()),
      tls: config.tlsCert !== undefined,
      isPublic: config.public,
    },
    status: () => view.status(),
    nodes: () => view.nodes(),
    ready: () => view.ready(),
    ring: () => view.ring(),
    peers: () => network.host.peers(),
    tabs: makeTabService(network.host, {
      ...{ store: engines.store, exchange: engines.exchange, ring: network.netmap },
      replicasOf: (cid) => engines.repair.replicasOf(cid),
    }),
    workers: {
      list: () => workers.snapshot(),
      pause: (name) => workers.setPaused(name, true),
      resume: (name) => workers.setPaused(name, false),
    },
    invite: () => Promise.resolve(inviteOf(options)),
    wanted: (after, limit) => engines.repair.wantedPage(after, limit),
    holders: (cids) => engines.holdersOf(cids),
    holds: (cid) => disk.blocks.has(cid),
    fileCount: () => engines.catalog.count("file"),
    shareKey: () => shareKeyOf(options),
    nodeActions: options.control.actions,
    lookup: (key, cid) => options.control.lookup(key, cid),
    heal: (signal) => engines.repair.heal(signal),
    ...(config.public
      ? { providers: (cid, signal) => providersOf(network.host, cid, signal) }
      : {}),
  };
  return createApp(services);
}

/** The line protocol of a node; undefined when no port was asked for. */
export function makeLine(
  { config, seat, log, network, engines, view }: Omit<NodeFacesOptions, "http" | "control">,
): LineServer | undefined {
  if (seat.linePort === undefined) return undefined;
  const beyond = !isLoopback(config.lineHost);
  if (beyond && seat.token === undefined) {
    const message = `Cannot listen on line-host ${config.lineHost}: give a token for it`;
    throw new SkyringError("bad_setting", message, { data: { setting: "line-host" } });
  }
  return createLineServer({
    service: createNodeLine({
      self: network.self,
      pool: engines.pool,
      nodes: () => view.nodes(),
      ring: () => view.ring().nodes.map(({ id }) => id),
      ownerOf: (cid) => network.netmap.placement().ownersOf(slotOfCid(cid), 1)[0] ?? null,
      discover: () => network.swim.discover(),
      heal: (signal) => engines.repair.heal(signal),
    }),
    host: config.lineHost,
    port: seat.linePort,
    token: beyond ? seat.token ?? null : null,
    log: (event, fields) => log.debug(event, fields),
  });
}

/** Addresses beyond loopback first; a group on loopback alone has only those. */
function inviteOf({ config, seat, network, http }: NodeFacesOptions): string {
  const url = http();
  const given = [...config.advertise, ...network.host.addresses(), ...(url === null ? [] : [url])];
  const beyond = given.filter((address) => !/\/127\.|\/::1|localhost|\/\/127\./.test(address));
  const addresses = [...new Set(beyond.length > 0 ? beyond : given)].slice(0, inviteAddressesMax);
  return encodeInvite({ group: config.group, addresses, secret: seat.secrets?.[0] });
}

/**
 * The same on all nodes of a group: links made by one are honoured by all. A group without a
 * secret has its lineage, which holds random bytes of its founding: a link must not be forged
 * where a proxy or gateway shows such a group to others.
 */
function shareKeyOf({ config, seat, network }: NodeFacesOptions): Uint8Array {
  const secret = seat.secrets?.[0] ?? network.agreement.roster()?.lineage;
  if (secret === undefined) {
    throw new SkyringError("not_ready", "Cannot sign links: the node has not joined yet");
  }
  return createHmac("sha256", secret).update(`skyring share\0${config.group}`).digest();
}

async function providersOf(host: Host, cid: Cid, signal: AbortSignal): Promise<Provider[]> {
  const found: Provider[] = [];
  for await (const one of host.providers.findProviders(cid, { signal, limit: providersMax })) {
    found.push(one);
  }
  return found;
}
