// Decides which holder is asked for which block of a pull, when, and what to do when it fails:
// a window of wanted blocks in order, several holders at once, the fastest first.
//
//   wanted -> asked of one holder -> (overdue: asked of a second one too) -> ready
//        \-> failed there -> next holder -> ... -> search everyone -> next -> fail, loudly
//
// A holder that is slow to answer or away rests a while; one that sent wrong bytes is banned for
// the whole pull; busy ones are asked again with a growing pause. Every request has a deadline
// of its own here, so a driver that never reports back cannot hang the pull.
// Invariants: a block is ready at most once, and only after a verified answer; no holder has
// more than `perPeerMax` requests; every wanted block ends as ready or failed in bounded time.
// Source of the second request: Dean and Barroso, The Tail at Scale, CACM 2013.

import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";
import {
  createPeer,
  hasRoom,
  overdueAt,
  type Peer,
  recordAnswer,
  recordOverdue,
  restPeer,
} from "./fetch_peer.ts";

/** Someone who may have a block, and how long one block is expected to take there. */
export interface Holder {
  readonly id: NodeId;
  readonly expectedMs: number;
}

/** Why one request brought no block. */
export type FetchFault = "dont_have" | "busy" | "bad_block" | "unreachable" | "timeout";

export type FetchInput =
  /** A block enters the window; `holders` nearest guesses first. Indexes only grow. */
  | { readonly kind: "want"; readonly index: number; readonly holders: readonly Holder[] }
  /** The answer to a search: all who say that they hold it. */
  | { readonly kind: "holders"; readonly index: number; readonly holders: readonly Holder[] }
  /** Verified bytes came. */
  | { readonly kind: "done"; readonly request: number }
  | { readonly kind: "failed"; readonly request: number; readonly fault: FetchFault }
  | { readonly kind: "tick" };

export type FetchOutput =
  | {
    readonly kind: "fetch";
    readonly request: number;
    readonly index: number;
    readonly peer: NodeId;
    readonly timeoutMs: number;
  }
  /** Nobody waits for this request any more; reports about it are ignored. */
  | { readonly kind: "cancel"; readonly request: number }
  /** All known holders failed: ask everyone, then give "holders" for this index. */
  | { readonly kind: "search"; readonly index: number }
  | { readonly kind: "ready"; readonly index: number; readonly request: number }
  | { readonly kind: "ban"; readonly peer: NodeId }
  /** No holder gave it. `faults` counts what each request met. */
  | {
    readonly kind: "fail";
    readonly index: number;
    readonly faults: Readonly<Partial<Record<FetchFault, number>>>;
  };

export interface FetchLimits {
  /** Requests at one holder at once. */
  readonly perPeerMax: number;
  /** Second and third requests at once, in all. */
  readonly hedgesMax: number;
  readonly requestTimeoutMs: number;
  /** A search that does not answer counts as one that found nobody. */
  readonly searchTimeoutMs: number;
  /** How long after its first request a block may begin another round of them. */
  readonly patienceMs: number;
  /** Times that holders which failed without a lie are asked again; busy ones more often. */
  readonly roundsMax: number;
}

export interface FetchPlan {
  step(input: FetchInput, now: number): readonly FetchOutput[];
  /** When to step again with "tick" at the latest; undefined when nothing is wanted. */
  wakeAt(): number | undefined;
  /** Holders that gave wrong bytes. */
  banned(): readonly NodeId[];
}

interface Request {
  readonly id: number;
  readonly peer: Peer;
  readonly task: Task;
  readonly startedAt: number;
  /** Requests at the peer when this one began, itself included. */
  readonly depth: number;
  overdue: boolean;
}

interface Task {
  readonly index: number;
  /** When its first request began. */
  askedAt: number | undefined;
  readonly candidates: Peer[];
  readonly tried: Set<Peer>;
  /** Tried in this round and failed in a way that may pass. */
  readonly soft: Map<Peer, FetchFault>;
  readonly running: Request[];
  readonly faults: Partial<Record<FetchFault, number>>;
  search: "not yet" | { readonly until: number } | "done";
  round: number;
  pauseUntil: number;
}

const pauseFirstMs = 100;
const pauseMaxMs = 1_000;
const unreachableRestMs = 5_000;
const busyRestMs = 100;
const timeoutGraceMs = 1_000;
/** Holders asked for one block at the same time at most. */
const requestsPerBlockMax = 3;

/** A plan for one pull. @throws {AssertionError} on limits below 1 */
export function createFetchPlan(limits: FetchLimits): FetchPlan {
  assert(limits.perPeerMax >= 1 && limits.roundsMax >= 1, "a pull asks someone, once");
  return new Plan(limits);
}

class Plan implements FetchPlan {
  readonly #limits: FetchLimits;
  readonly #peers = new Map<NodeId, Peer>();
  /** In order of index, because wants come in order. */
  readonly #tasks = new Map<number, Task>();
  readonly #requests = new Map<number, Request>();
  #lastIndex = -1;
  #lastRequest = 0;
  #hedges = 0;
  #wakeAt: number | undefined;

  constructor(limits: FetchLimits) {
    this.#limits = limits;
  }

  step(input: FetchInput, now: number): readonly FetchOutput[] {
    const outputs: FetchOutput[] = [];
    if (input.kind === "want") this.#want(input);
    else if (input.kind === "holders") this.#found(input, now);
    else if (input.kind === "done") this.#done(input.request, { now, outputs });
    else if (input.kind === "failed") this.#failed(input.request, input.fault, { now, outputs });
    else input.kind satisfies "tick";
    this.#expire(now, outputs);
    for (const task of this.#tasks.values()) this.#advance(task, { now, outputs });
    this.#wakeAt = this.#earliest(now);
    return outputs;
  }

  wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  banned(): readonly NodeId[] {
    return [...this.#peers.values()].filter((peer) => peer.banned).map((peer) => peer.id);
  }

  #want(input: FetchInput & { kind: "want" }): void {
    assert(input.index > this.#lastIndex, "blocks are wanted once, in order");
    this.#lastIndex = input.index;
    this.#tasks.set(input.index, {
      index: input.index,
      askedAt: undefined,
      candidates: [...new Set(input.holders.map((holder) => this.#peer(holder)))],
      tried: new Set(),
      soft: new Map(),
      running: [],
      faults: {},
      search: "not yet",
      round: 0,
      pauseUntil: 0,
    });
  }

  #found(input: FetchInput & { kind: "holders" }, now: number): void {
    const task = this.#tasks.get(input.index);
    if (task === undefined || task.search === "done" || task.search === "not yet") return;
    task.search = "done";
    task.pauseUntil = now;
    for (const peer of input.holders.map((holder) => this.#peer(holder))) {
      if (!task.candidates.includes(peer)) task.candidates.push(peer);
      // Who says now that it has the block is asked again, whatever happened before.
      if (task.running.some((request) => request.peer === peer)) continue;
      task.tried.delete(peer);
      task.soft.delete(peer);
    }
  }

  #done(id: number, at: Context): void {
    const request = this.#take(id);
    if (request === undefined) return;
    const { peer, task } = request;
    recordAnswer(peer, { elapsedMs: at.now - request.startedAt, depth: request.depth });
    for (const other of task.running.slice()) {
      this.#take(other.id);
      at.outputs.push({ kind: "cancel", request: other.id });
    }
    this.#tasks.delete(task.index);
    at.outputs.push({ kind: "ready", index: task.index, request: id });
  }

  #failed(id: number, fault: FetchFault, at: Context): void {
    const request = this.#take(id);
    if (request === undefined) return;
    const { peer, task } = request;
    task.faults[fault] = (task.faults[fault] ?? 0) + 1;
    if (fault === "bad_block") {
      if (!peer.banned) at.outputs.push({ kind: "ban", peer: peer.id });
      peer.banned = true;
    } else if (fault !== "dont_have") {
      task.soft.set(peer, fault);
      restPeer(peer, at.now + (fault === "busy" ? busyRestMs : unreachableRestMs));
    }
  }

  /** Requests and searches past their deadlines end here, whatever the driver does. */
  #expire(now: number, outputs: FetchOutput[]): void {
    const limit = this.#limits.requestTimeoutMs + timeoutGraceMs;
    for (const request of [...this.#requests.values()]) {
      if (now - request.startedAt < limit) continue;
      this.#failed(request.id, "timeout", { now, outputs });
      outputs.push({ kind: "cancel", request: request.id });
    }
    for (const task of this.#tasks.values()) {
      if (typeof task.search === "object" && now >= task.search.until) task.search = "done";
    }
  }

  #advance(task: Task, at: Context): void {
    const latest = task.running.at(-1);
    if (latest !== undefined) {
      this.#hedge(task, latest, at);
      return;
    }
    if (typeof task.search === "object" || at.now < task.pauseUntil) return;
    const peer = this.#choose(task, { now: at.now, hedge: false });
    if (peer !== undefined) {
      this.#start(task, peer, at);
    } else if (!task.candidates.some((candidate) => isOpen(task, candidate))) {
      this.#exhausted(task, at);
    }
  }

  /** All candidates were tried: search, begin another round, or give up. */
  #exhausted(task: Task, at: Context): void {
    if (task.search === "not yet") {
      this.#search(task, at);
      return;
    }
    const soft = [...task.soft].filter(([peer]) => !peer.banned);
    const busy = soft.some(([, fault]) => fault === "busy");
    const patient = at.now - (task.askedAt ?? at.now) < this.#limits.patienceMs;
    const more = patient && (busy || task.round < this.#limits.roundsMax);
    if (soft.length === 0 || !more) {
      this.#tasks.delete(task.index);
      at.outputs.push({ kind: "fail", index: task.index, faults: task.faults });
      return;
    }
    task.pauseUntil = at.now + Math.min(pauseMaxMs, pauseFirstMs * 2 ** task.round);
    task.round++;
    for (const [peer, fault] of soft) {
      if (fault === "busy" || task.round <= this.#limits.roundsMax) task.tried.delete(peer);
    }
    task.soft.clear();
  }

  #search(task: Task, at: Context): void {
    task.search = { until: at.now + this.#limits.searchTimeoutMs };
    at.outputs.push({ kind: "search", index: task.index });
  }

  /** The latest request of a block is late: ask another holder too, or look for one. */
  #hedge(task: Task, latest: Request, at: Context): void {
    if (at.now < overdueAt(latest)) return;
    if (!latest.overdue) {
      latest.overdue = true;
      recordOverdue(latest.peer, at.now);
    }
    if (task.running.length >= requestsPerBlockMax) return;
    if (!task.candidates.some((peer) => isOpen(task, peer))) {
      if (task.search === "not yet") this.#search(task, at);
      return;
    }
    if (this.#hedges >= this.#limits.hedgesMax) return;
    const peer = this.#choose(task, { now: at.now, hedge: true });
    if (peer === undefined) return;
    this.#hedges++;
    this.#start(task, peer, at);
  }

  /** The open candidate that should answer first; resting ones only where no other is left. */
  #choose(task: Task, options: { now: number; hedge: boolean }): Peer | undefined {
    const open = task.candidates.filter((peer) => isOpen(task, peer));
    const awake = open.filter((peer) => peer.restUntil <= options.now);
    const from = awake.length > 0 || options.hedge ? awake : open;
    let best: Peer | undefined;
    for (const peer of from) {
      if (!hasRoom(peer, this.#limits.perPeerMax)) continue;
      if (best === undefined || costOf(peer) < costOf(best)) best = peer;
    }
    return best;
  }

  #start(task: Task, peer: Peer, at: Context): void {
    peer.inFlight++;
    task.tried.add(peer);
    const request: Request = {
      id: ++this.#lastRequest,
      peer,
      task,
      startedAt: at.now,
      depth: peer.inFlight,
      overdue: false,
    };
    task.askedAt ??= at.now;
    task.running.push(request);
    this.#requests.set(request.id, request);
    at.outputs.push({
      kind: "fetch",
      request: request.id,
      index: task.index,
      peer: peer.id,
      timeoutMs: this.#limits.requestTimeoutMs,
    });
  }

  /** Ends a request's bookkeeping; undefined when it had ended before. */
  #take(id: number): Request | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return undefined;
    this.#requests.delete(id);
    request.peer.inFlight--;
    const { running } = request.task;
    if (running.length >= 2) this.#hedges--;
    running.splice(running.indexOf(request), 1);
    return request;
  }

  #peer(holder: Holder): Peer {
    let peer = this.#peers.get(holder.id);
    if (peer === undefined) {
      peer = createPeer(holder.id, holder.expectedMs);
      this.#peers.set(holder.id, peer);
    }
    return peer;
  }

  #earliest(now: number): number | undefined {
    let earliest: number | undefined;
    const note = (time: number) => {
      if (time > now && (earliest === undefined || time < earliest)) earliest = time;
    };
    for (const task of this.#tasks.values()) {
      if (typeof task.search === "object") note(task.search.until);
      else if (task.running.length === 0) {
        note(task.pauseUntil);
        for (const peer of task.candidates) note(peer.restUntil);
      }
    }
    for (const request of this.#requests.values()) {
      note(overdueAt(request));
      note(request.startedAt + this.#limits.requestTimeoutMs + timeoutGraceMs);
    }
    return earliest;
  }
}

interface Context {
  readonly now: number;
  readonly outputs: FetchOutput[];
}

function isOpen(task: Task, peer: Peer): boolean {
  return !peer.banned && !task.tried.has(peer);
}

function costOf(peer: Peer): number {
  return peer.serviceMs * (peer.inFlight + 1);
}
