// The network side of a node, made but not started: the HTTP port with its app slot, libp2p on
// it and on TCP, liveness, the netmap and the agreement that feeds it.

import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { SkyringError } from "../shared/base/errors.ts";
import type { NodeId } from "../shared/base/ids.ts";
import { version } from "../shared/base/version.ts";
import { chunkBytesDefault } from "../shared/base/limits.ts";
import type { Prng } from "../shared/base/prng.ts";
import type { Speaks } from "../shared/wire/admission.ts";
import type { Config } from "./config.ts";
import { createStartMarks } from "./disk/start_marks.ts";
import { type AgreementDriver, createAgreementDriver } from "./engine/agreement_driver.ts";
import { type Goodbyes, openGoodbyes } from "./engine/goodbyes.ts";
import { createNetmap, type Netmap } from "./engine/netmap.ts";
import { opinionsOf } from "./engine/opinions.ts";
import { problemResponse } from "./http/problems.ts";
import type { App } from "./http/routes.ts";
import { createHttpServer, type HttpServer } from "./http/server.ts";
import { type BlockRooms, createBlockRooms } from "./net/block_rooms.ts";
import type { Log } from "./log.ts";
import { createHost, type Host } from "./net/host.ts";
import { swimChannelLimits, SwimDriver } from "./net/swim_driver.ts";
import type { NodeDisk } from "./node_disk.ts";
import { isLoopback, type Seat } from "./seat.ts";

const starting = new SkyringError("not_ready", "Cannot answer yet: the node is starting");

export interface NodeNetworkOptions {
  readonly config: Config;
  readonly seat: Seat;
  readonly log: Log;
  readonly disk: NodeDisk;
  readonly prng: Prng;
  readonly fail: (error: unknown) => void;
  /** What this program speaks; replaced in tests only. */
  readonly speaks?: Speaks;
}

export interface NodeNetwork {
  readonly self: NodeId;
  readonly http: HttpServer;
  /** Takes the app that answers requests; before it, they get 503. */
  serve(app: App): void;
  readonly host: Host;
  /** Where blocks from peers go, until clients have them. */
  readonly rooms: BlockRooms;
  readonly swim: SwimDriver;
  readonly goodbyes: Goodbyes;
  readonly netmap: Netmap;
  readonly agreement: AgreementDriver;
}

/** Makes the network of a node. @throws {SkyringError} bad_setting */
export async function makeNetwork(options: NodeNetworkOptions): Promise<NodeNetwork> {
  const { disk: { identity, database }, log, prng, fail } = options;
  const self = identity.id;
  const rooms = createBlockRooms(chunkBytesDefault);
  const { http, serve } = makeHttp(options, rooms);
  const host = await makeHost(options, { http, origins: () => netmap });
  const goodbyes = openGoodbyes(database, (error) => log.warn("goodbye_not_kept", { error }));
  const swim = new SwimDriver({
    ...{ self, boot: identity.boot, prng, log, left: goodbyes.left },
    channel: host.channel("swim", swimChannelLimits),
  });
  const netmap: Netmap = createNetmap({
    ...{ liveness: swim, goodbyes },
    connected: (id) => host.connected().includes(id),
    wallNow: Date.now,
    now: () => performance.now(),
  });
  const agreement = createAgreementDriver({
    ...{ self, boot: identity.boot, database, network: host, now: Date.now, onFailed: fail },
    seed: prng.int(2 ** 31),
    opinions: opinionsOf({
      ...{ netmap, self, graceMs: options.config.graceMs },
      connected: () => host.connected(),
      now: () => performance.now(),
    }),
    onBadMessage: (from, reason) => log.warn("agreement_bad_message", { from, reason }),
    onNoRoom: () => {
      if (!options.disk.blocks.use().full) log.warn("disk_full", { what: "votes wait for room" });
      options.disk.blocks.noteDiskFull().catch(fail);
    },
  });
  return { self, http, serve, host, rooms, swim, goodbyes, netmap, agreement };
}

function makeHttp({ config, seat, log }: NodeNetworkOptions, rooms: BlockRooms) {
  let app: App | undefined;
  const tls = config.tlsCert === undefined || config.tlsKey === undefined ? {} : {
    tls: {
      cert: readFileSync(config.tlsCert, "utf8"),
      key: readFileSync(config.tlsKey, "utf8"),
    },
  };
  const http = createHttpServer(
    async (request, connection) =>
      await app?.fetch(request, connection) ?? problemResponse(starting),
    {
      host: config.host,
      port: seat.port,
      version,
      log: (event, fields) => log.debug(event, fields),
      onWritten: rooms.giveBack,
      ...tls,
    },
  );
  const serve = (served: App) => {
    app = served;
  };
  return { http, serve };
}

async function makeHost(
  { config, seat, disk: { identity, database }, log, speaks }: NodeNetworkOptions,
  { http, origins }: { http: HttpServer; origins: () => Netmap },
): Promise<Host> {
  return await createHost({
    group: config.group,
    privateKey: identity.privateKey,
    secrets: seat.secrets ?? [],
    bootId: identity.bootId.slice(0, 16),
    starts: identity.boot,
    onChannelFailure: (channel, error) => log.warn("channel_failed", { channel, error }),
    marks: createStartMarks(database, (error) => log.warn("start_mark_failed", { error })),
    ...(speaks === undefined ? {} : { speaks }),
    listen: [listenAddress(config.host, seat.p2pPort)],
    announce: config.advertise.filter((address) => address.startsWith("/")),
    upgrade: {
      server: http.node,
      allows: ({ origin, ...headers }) =>
        (origin === undefined || isOwnOrigin(origin, seat, origins()) ||
          isOriginOfHost(origin, headers.host, config)) &&
        (seat.secrets !== undefined || comesDirectly(headers)),
    },
    mdns: !config.noMdns,
    public: config.public,
    profile: isLoopback(config.host) ? "local" : "normal",
  });
}

/**
 * A peer from behind a proxy seems to sit on this machine, where a group without a secret admits
 * everybody: then only those are taken that surely do.
 */
function comesDirectly(headers: IncomingHttpHeaders): boolean {
  const host = `http://${headers.host ?? ""}`;
  return URL.canParse(host) && isLoopback(new URL(host).hostname) &&
    !Object.keys(headers).some((name) => name === "forwarded" || name.startsWith("x-forwarded-"));
}

/** A page may open a socket only if this node or another member served it. */
function isOwnOrigin(origin: string, seat: Seat, netmap: Netmap): boolean {
  if (!URL.canParse(origin)) return false;
  const { hostname, port, origin: given } = new URL(origin);
  if (isLoopback(hostname) && port === String(seat.port)) return true;
  return netmap.snapshot().some(({ http }) =>
    http !== null && URL.canParse(http) && new URL(http).origin === given
  );
}

/**
 * Or the page came under the very name that is asked now: a name of the network, of --allow-host.
 * On loopback only names that HTTP takes too, else any name made to point here would do.
 */
function isOriginOfHost(origin: string, host: string | undefined, config: Config): boolean {
  if (!URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase()) return false;
  const { hostname } = new URL(origin);
  return !isLoopback(config.host) || isLoopback(hostname) || config.allowHosts.includes(hostname);
}

function listenAddress(host: string, port: number): string {
  const bare = host.replace(/^\[|\]$/g, "");
  if (bare === "localhost") return `/ip4/127.0.0.1/tcp/${port}`;
  return `/${
    bare.includes(":") ? "ip6" : /^[\d.]+$/.test(bare) ? "ip4" : "dns"
  }/${bare}/tcp/${port}`;
}
