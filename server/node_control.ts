// What operators do to a node, composed: jobs, the control channel, leaving, resizing, forgetting,
// collecting, and the watch over the clock. Made with the engines, started after them.

import { SkyringError } from "../shared/base/errors.ts";
import type { Cid, NodeId } from "../shared/base/ids.ts";
import { httpIdleTimeoutMs } from "../shared/base/limits.ts";
import type { JobSnapshot } from "../shared/job.ts";
import type { NodeSnapshot } from "../shared/status.ts";
import type { Config } from "./config.ts";
import { putCapacity } from "./disk/capacity_row.ts";
import { markDeparted } from "./disk/departed.ts";
import { systemClock } from "./engine/clock.ts";
import { ClockWatch } from "./engine/clock_watch.ts";
import { collectAll } from "./engine/collect_job.ts";
import { Control, controlChannelLimits } from "./engine/control.ts";
import { Jobs } from "./engine/jobs.ts";
import type { LeavePorts } from "./engine/leave.ts";
import { LeaveTurn } from "./engine/leave_turn.ts";
import { createLocalActions, type LocalActions } from "./engine/local_actions.ts";
import { type Lookup, lookup } from "./engine/lookup.ts";
import { lossesOf } from "./engine/losses.ts";
import { createNodeActions, type NodeActions } from "./engine/node_actions.ts";
import { fetchBlock } from "./engine/pull.ts";
import type { Workers } from "./engine/workers.ts";
import type { EventHub } from "./http/event_hub.ts";
import type { Log } from "./log.ts";
import { type NodeDisk, possibleCapacity } from "./node_disk.ts";
import type { NodeEngines } from "./node_engines.ts";
import type { NodeNetwork } from "./node_network.ts";
import type { Seat } from "./seat.ts";

export interface NodeControlOptions {
  readonly config: Config;
  readonly seat: Seat;
  readonly log: Log;
  readonly disk: NodeDisk;
  readonly network: NodeNetwork;
  readonly engines: NodeEngines;
  readonly workers: Workers;
  readonly events: EventHub;
  readonly nodes: () => readonly NodeSnapshot[];
  /** Stops the node, which then exits with 0. Must not throw. */
  readonly end: () => void;
}

export interface NodeControl {
  readonly actions: NodeActions;
  readonly clock: ClockWatch;
  /** Whether this node leaves, and whether there is no way back. */
  leaving(): "no" | "begun" | "proposed";
  /** While true this node vouches for no copy and drops none. */
  handingOff(): boolean;
  lookup(key: string, cid: Cid | undefined): Promise<Lookup>;
  /** Goes on with what an earlier process left; after the loops have started. */
  start(): void;
  stop(): Promise<void>;
}

const askMs = 2_000;
const answerFirstMs = 150;

/** The control of a node, not started. @throws {SkyringError} corrupt */
export function makeControl(options: NodeControlOptions): NodeControl {
  const { seat, network: { self, host, agreement }, engines, log, events } = options;
  const now = Date.now;
  const jobs = new Jobs({
    ...{ database: options.disk.database, node: self, name: seat.name, now },
    onChange: (job) => changed(job),
    onFailed: ({ id, what }, error) => log.warn("job_failed", { id, what, error }),
  });
  const state = { handingOff: false };
  const channel = host.channel("control", controlChannelLimits);
  const control: Control = new Control({
    ...{ channel, name: seat.name, open: options.config.control === "any", now },
    obey: (order) => local.obey(order),
    turnOf: (from) => turn.answer(from),
    jobs: () => jobs.list(),
    collect: () => engines.repair.collect(),
    onTold: (job) => events.publish("job", { ...job }),
  });
  const turn = makeTurn(options, control);
  const local: LocalActions = createLocalActions({
    ...{ jobs, name: seat.name },
    ...portsOf(options, { turn, setHandingOff: (on) => void (state.handingOff = on) }),
    stop: () => void setTimeout(options.end, answerFirstMs),
  });
  jobs.register("collect", (run) =>
    collectAll(run, {
      ...{ self, control, peers: () => aliveOthers(options) },
      collect: (signal) => engines.repair.collect(signal),
    }));
  const changed = (job: JobSnapshot) => {
    events.publish("job", { ...job });
    if (job.kind === "leave" && job.state === "done") void farewell(options, control, job);
    else control.tell(job, reachable(options));
  };
  const actions = createNodeActions({
    ...{
      self,
      name: seat.name,
      agreement,
      control,
      jobs,
      nodes: options.nodes,
      clock: systemClock,
    },
    obey: (order) => local.obey(order),
    peers: () => reachable(options),
    losses: (roster, gone) => lossesOf(lossPorts(options), { roster, gone, signal: soon() }),
  });
  const clock = makeClock(options, control);
  return {
    actions,
    clock,
    leaving: () => local.leaving(),
    handingOff: () => state.handingOff,
    lookup: (key, cid) => lookup(lookupPorts(options), { key, cid }),
    start: () => {
      clock.start();
      jobs.resume();
    },
    stop: () => jobs.stop(),
  };
}

/** Half of what an HTTP request may take in silence; deciding takes the rest. */
function soon(): AbortSignal {
  return AbortSignal.timeout(httpIdleTimeoutMs / 2);
}

/** Everyone who leaves hears of the end from the leaver itself, then it goes. */
async function farewell(
  options: NodeControlOptions,
  control: Control,
  job: JobSnapshot,
): Promise<void> {
  const told = await Promise.allSettled(
    reachable(options).map((id) => control.ask(id, { kind: "told", job }, { timeoutMs: askMs })),
  );
  options.log.info("node_left", {
    told: told.filter(({ status }) => status === "fulfilled").length,
  });
  options.end();
}

function portsOf(
  options: NodeControlOptions,
  { turn, setHandingOff }: {
    readonly turn: LeaveTurn;
    readonly setHandingOff: (on: boolean) => void;
  },
) {
  const { disk, seat, config, engines, network: { netmap, agreement, self } } = options;
  const rowOf = (id: string) => options.nodes().find((row) => row.id === id);
  const { folder } = seat.lock;
  const shared = {
    ...{ store: engines.store, exchange: engines.exchange, ring: netmap, clock: systemClock },
    ...{ agreement, setHandingOff },
    replicasOf: (cid: Cid) => engines.repair.replicasOf(cid),
    freeOf: (id: NodeId) => {
      const row = rowOf(id);
      return row === undefined ? 0 : Math.max(0, row.capacity - row.used);
    },
    booksKnown: () => engines.repair.view.known,
  };
  const leave: LeavePorts = {
    ...{ ...shared, turn },
    nameOf: (id) => rowOf(id)?.name ?? id,
    markDeparted: () => markDeparted(folder, self),
  };
  const resize = {
    ...shared,
    possible: () => possibleCapacity(disk.blocks, folder),
    keep: (bytes: number) => disk.database.write([putCapacity(bytes, config.capacity)]),
  };
  return { leave, resize };
}

function makeTurn(options: NodeControlOptions, control: Control): LeaveTurn {
  const { network: { self, netmap } } = options;
  return new LeaveTurn({
    ...{ self, clock: systemClock, peers: () => reachable(options) },
    ask: async (peer, signal) => {
      try {
        const reply = await control.ask(peer, { kind: "turn" }, { timeoutMs: askMs, signal });
        return reply.kind === "turn" ? reply.free : undefined;
      } catch (error) {
        if (!(error instanceof SkyringError)) throw error;
        // Who is gone is in nobody's way; who only did not answer may be.
        return netmap.isUsable(peer) ? undefined : true;
      }
    },
  });
}

function makeClock(options: NodeControlOptions, control: Control): ClockWatch {
  return new ClockWatch({
    peers: () => aliveOthers(options),
    ask: async (peer, signal) => {
      try {
        const reply = await control.ask(peer, { kind: "time" }, { timeoutMs: askMs, signal });
        return reply.kind === "time" ? reply.at : undefined;
      } catch (error) {
        if (error instanceof SkyringError) return undefined;
        throw error;
      }
    },
    ...{ workers: options.workers, now: Date.now, monotonic: () => performance.now() },
  });
}

function aliveOthers({ network: { self, netmap } }: NodeControlOptions): NodeId[] {
  return netmap.alive().filter((id) => id !== self);
}

/** Members alive, and admitted peers that are no members (any more). */
function reachable(options: NodeControlOptions): NodeId[] {
  const { self, host } = options.network;
  const ids = new Set([...aliveOthers(options), ...host.connected()]);
  ids.delete(self);
  return [...ids];
}

function lossPorts({ engines, network: { netmap } }: NodeControlOptions) {
  const { store, exchange, catalog } = engines;
  const ports = { store, exchange, ring: netmap, self: netmap.self, clock: systemClock };
  return { ...ports, catalog, loadInner: (cid: Cid) => fetchBlock(ports, cid) };
}

function lookupPorts(options: NodeControlOptions) {
  const { engines, config, network: { netmap } } = options;
  const { store, exchange, catalog, repair } = engines;
  const ports = { store, exchange, catalog, ring: netmap, replicas: config.replicas };
  return { ...ports, replicasOf: (cid: Cid) => repair.replicasOf(cid) };
}
