// The composition root: makes the parts of a node, starts them in order, and stops them in
// reverse. No logic lives here.
//
//   node_disk (database, blocks, identity) -> node_network (HTTP port, libp2p, liveness,
//   agreement) -> node_engines (catalog, records, pool) -> node_faces (HTTP app)

import { SkyringError } from "../shared/base/errors.ts";
import { createPrng } from "../shared/base/prng.ts";
import type { AgreementStatus } from "../shared/record/agreement_port.ts";
import type { Roster } from "../shared/ring/roster.ts";
import type { Speaks } from "../shared/wire/admission.ts";
import type { Config } from "./config.ts";
import { disownDatabase } from "./disk/identity.ts";
import { startProviding } from "./engine/provide.ts";
import { type RecordSweep, startRecordSweep } from "./engine/record_sweep.ts";
import { Workers } from "./engine/workers.ts";
import { createEventHub, type EventHub } from "./http/event_hub.ts";
import { lineAddress } from "./line/line_address.ts";
import type { Log } from "./log.ts";
import { type NodeDisk, openNodeDisk } from "./node_disk.ts";
import { makeEngines, type NodeEngines } from "./node_engines.ts";
import { makeControl, type NodeControl } from "./node_control.ts";
import { makeApp, makeLine } from "./node_faces.ts";
import { makeNetwork, type NodeNetwork } from "./node_network.ts";
import type { RunningNode } from "./node_process.ts";
import { createNodeView, type NodeView } from "./node_view.ts";
import type { Seat } from "./seat.ts";

interface NodeOptions {
  readonly config: Config;
  readonly seat: Seat;
  readonly log: Log;
  /** What this program speaks; replaced in tests only. */
  readonly speaks?: Speaks;
}

/** Everything made, nothing started. */
interface NodeParts extends NodeOptions {
  readonly disk: NodeDisk;
  readonly network: NodeNetwork;
  readonly engines: NodeEngines;
  readonly control: NodeControl;
  readonly workers: Workers;
  readonly view: NodeView;
  readonly events: EventHub;
  /** HTTP base URL once it listens. */
  readonly reach: { http: string | null; line: string | null };
  /** The sweep over the registers once it runs. */
  readonly sweeping: { records: RecordSweep | undefined };
  readonly fail: (error: unknown) => void;
}

const viewEveryMs = 500;
/** An end that takes longer than this is one all the same. */
const endMsMax = 10_000;

/** Opens and starts a node. @throws {SkyringError} corrupt, disk_failed, bad_setting, conflict */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const exit = Promise.withResolvers<number>();
  const fail = (error: unknown) => {
    options.log.error("node_failed", { error });
    exit.resolve(1);
  };
  const disk = await openNodeDisk({
    folder: options.seat.lock.folder,
    capacityBytes: options.config.capacity,
    now: Date.now,
    log: options.log,
    onFailed: fail,
  });
  const end = () => {
    const late = new Promise((resolve) => setTimeout(resolve, endMsMax));
    void Promise.race([stop(), late]).catch(fail).then(() => exit.resolve(0));
  };
  const parts = await makeParts(options, { disk, fail, end }).catch(async (error) => {
    await disk.stop();
    throw error;
  });
  const stopping: (() => unknown)[] = [() => disk.stop()];
  const stop = async () => {
    for (const stopPart of stopping.splice(0).reverse()) await stopPart();
    exit.resolve(0);
  };
  try {
    await startParts(parts, stopping);
  } catch (error) {
    await stop();
    throw error;
  }
  const { identity: { id, bootId } } = disk;
  const { reach, network } = parts;
  const p2p = network.host.addresses();
  const { line } = reach;
  return { id, bootId, http: reach.http ?? "", p2p, line, exited: exit.promise, stop };
}

async function makeParts(
  options: NodeOptions,
  given: {
    readonly disk: NodeDisk;
    readonly fail: (error: unknown) => void;
    readonly end: () => void;
  },
): Promise<NodeParts> {
  const { config, seat, log } = options;
  const { disk, fail } = given;
  const reach: NodeParts["reach"] = { http: null, line: null };
  const sweeping: NodeParts["sweeping"] = { records: undefined };
  const prng = createPrng(crypto.getRandomValues(new Int32Array(1))[0] ?? 1);
  const workers = new Workers((name, error) => log.warn("worker_failed", { name, error }));
  const network = await makeNetwork({ ...options, disk, prng, fail });
  const shared = { ...options, disk, network, workers };
  const engines = await makeEngines({
    ...{ ...shared, prng },
    assertWritable: () => assertWritable({ view, network, control }),
    assertClock: () => control.clock.assertRight(),
    writable: () => view.maintains() && !control.handingOff(),
    quietMs: () => sweeping.records?.quietMs(),
  });
  const view = createNodeView({
    name: seat.name,
    group: config.group,
    zone: seat.zone,
    bootId: disk.identity.bootId,
    network: network.host,
    store: engines.store,
    netmap: network.netmap,
    agreement: network.agreement,
    catalog: engines.catalog,
    sync: engines.sync,
    ...{ workers, wanted: engines.repair.view, now: Date.now },
    tabs: () => engines.tabs.sketch(),
    leaving: () => control.leaving() !== "no",
    clockFault: () => control.clock.fault(),
    http: () => reach.http,
    line: () => reach.line,
  });
  const events = createEventHub({ boot: disk.identity.bootId, now: Date.now });
  const faces = { ...shared, engines, view, events };
  const nodes = () => view.nodes();
  const control = makeControl({ ...faces, nodes, end: given.end });
  network.serve(makeApp({ ...faces, control, http: () => reach.http }));
  return { ...faces, control, reach, sweeping, fail };
}

/** Starts everything; what must be stopped is pushed to `stopping` as it starts. */
async function startParts(parts: NodeParts, stopping: (() => unknown)[]): Promise<void> {
  const { network, engines, workers, seat, config, disk } = parts;
  const { http, host, swim, goodbyes, netmap, agreement } = network;
  connect(parts);
  stopping.push(() => http.stop());
  const port = await http.start();
  const scheme = config.tlsCert === undefined ? "http" : "https";
  const name = ["0.0.0.0", "::"].includes(config.host) ? "127.0.0.1" : config.host;
  parts.reach.http = config.advertise.find((one) => one.startsWith("http")) ??
    `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}`;
  stopping.push(() => host.stop());
  await host.start();
  stopping.push(() => engines.exchange.stop());
  swim.start();
  stopping.push(async () => {
    await goodbyes.close(swim.witnessed());
    await swim.stop({ clean: true });
  });
  const saved = agreement.roster();
  if (saved !== undefined) await adopt(parts, saved);
  const { capacityBytes: capacity } = disk.blocks.use();
  const salt = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const founds = saved === undefined && seat.join.length === 0;
  const kind = founds ? "found" : "join";
  const leaving = parts.control.leaving() === "proposed";
  agreement.start(leaving ? { kind: "leave" } : { kind, capacity, zone: seat.zone, salt });
  stopping.push(() => agreement.stop());
  stopping.push(async () => {
    await workers.stop();
    engines.sync.stop();
    await engines.catalog.settled();
  });
  await startLoops(parts);
  await startLine(parts, stopping);
  stopping.push(() => parts.control.stop());
  parts.control.start();
  const timer = setInterval(() => refresh(parts), viewEveryMs);
  stopping.push(() => clearInterval(timer), () => parts.events.stop());
  parts.log.info("node_started", {
    id: disk.identity.id,
    members: netmap.roster()?.members.length,
  });
}

/** The line protocol, when it is asked for. */
async function startLine(parts: NodeParts, stopping: (() => unknown)[]): Promise<void> {
  const server = makeLine(parts);
  if (server === undefined) return;
  stopping.push(() => server.stop());
  const port = await server.start();
  parts.reach.line = lineAddress(parts.config.lineHost, port, parts.network.host.addresses());
}

async function startLoops(parts: NodeParts): Promise<void> {
  const { network: { host, netmap, agreement }, engines, workers, config, view } = parts;
  const { database } = parts.disk;
  const { catalog, records } = engines;
  engines.mesh.start();
  await engines.sync.start();
  engines.inner.start();
  engines.repair.start();
  parts.sweeping.records = startRecordSweep({
    ...{ database, catalog, workers },
    ready: () => view.ready().ready && !agreement.stuck(),
    settledIn: () => settledIn(agreement.status()),
    flushed: () => agreement.flushed(),
    read: (key, options) => records.read(key, options),
  });
  if (!config.public) return;
  startProviding({
    ...{ catalog, workers, ring: netmap, now: Date.now },
    providers: host.providers,
  });
}

/** The epoch whose registers are all in their places here. */
function settledIn({ roster, arriving, aside }: AgreementStatus): number | undefined {
  return arriving === 0 && aside === 0 ? roster?.epoch : undefined;
}

/** What one part tells another. */
function connect(parts: NodeParts): void {
  const { network: { host, swim, netmap, agreement }, engines, events, log, fail } = parts;
  let givingUp: Promise<void> | undefined;
  const trouble = (event: string) => (error: unknown) => log.warn(event, { error });
  agreement.onRoster((roster) => void adopt(parts, roster).catch(trouble("roster_not_followed")));
  agreement.onDecided((key, value) =>
    void engines.records.decided(key, value).catch(trouble("catalog_merge_failed"))
  );
  host.onDiscovered((found) => engines.mesh.discovered(found));
  host.onPeer((event) => {
    if (event.kind === "gone") swim.lost(event.id);
    if (event.kind === "refused") log.warn("peer_refused", { ...event });
    if (event.kind === "copied_identity") fail(copied(parts, event.address));
    if (event.kind === "restored_disk") givingUp ??= giveUp(parts, event.address).then(fail, fail);
    if (event.kind === "admitted") engines.sync.wake();
    if (event.kind === "admitted") parts.control.clock.wake();
  });
  netmap.onEvent((event) => {
    if (event.kind === "profile") {
      engines.mesh.wake();
      engines.repair.profilesChanged();
    }
    if (event.kind !== "state") return;
    if (event.state === "alive") engines.repair.memberBack();
    const level = event.state === "suspect" ? "debug" : "info";
    log[level]("member_state", { id: event.id, state: event.state });
    events.publish("member", { id: event.id, state: event.state });
  });
  engines.catalog.onChange((changes) => {
    for (const { entry: { key, value } } of changes) {
      if (key.kind !== "file") continue;
      events.publish("file", { name: key.name, deleted: value.deleted });
    }
  });
}

async function adopt({ network, engines, log, events }: NodeParts, roster: Roster): Promise<void> {
  network.netmap.setRoster(roster);
  const members = roster.members.length;
  log.info("roster_adopted", { epoch: roster.epoch, members });
  events.publish("member", { epoch: roster.epoch, members });
  engines.mesh.wake();
  engines.repair.rosterChanged();
  await engines.sync.follow(roster);
}

/** Keeps the phase and the profile that others see up to date. */
function refresh({ view, network, events, log }: NodeParts): void {
  if (view.update()) {
    const { phase, because } = view.profile().phase;
    log.info("phase", { phase, because });
    events.publish("phase", { phase, because });
  }
  network.swim.setProfile(view.profile());
  network.goodbyes.follow(network.swim.witnessed());
}

function assertWritable(
  { view, network: { agreement }, control }: Pick<NodeParts, "view" | "network" | "control">,
): void {
  if (agreement.stuck()) {
    const text = "Cannot change files: the disk of this node has no room for its votes";
    throw new SkyringError("metadata_full", text, { retriable: true });
  }
  const may = view.writable();
  if (may.ready) return;
  const { readOnly, member } = agreement.status();
  if (member && !readOnly) control.clock.assertRight();
  const code = readOnly ? "read_only" : "not_ready";
  throw new SkyringError(code, `Cannot change files: ${may.reason}`, { retriable: true });
}

/** The next start takes a new identity: this one forgot what it promised. */
async function giveUp({ seat }: NodeParts, address: string): Promise<SkyringError> {
  const { folder } = seat.lock;
  await disownDatabase(folder);
  const text = `Cannot go on: the member at ${address} met a later start of this node, so data ` +
    `folder ${folder} was restored from a backup; it starts again as a new node`;
  return new SkyringError("restored_disk", text, { data: { folder, address } });
}

function copied({ seat }: NodeParts, address: string): SkyringError {
  const { folder } = seat.lock;
  return new SkyringError(
    "copied_identity",
    `Cannot go on: another process at ${address} runs with a copy of data folder ${folder}`,
    { data: { folder, address } },
  );
}
