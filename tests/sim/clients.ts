// Clients of the simulated pool: each asks one operation after another, of any node, for one of
// five keys, and writes down what it was told. Conditions name the version that the client saw
// last, so some hold and some do not. An operation's number travels in its stamp's counter and in
// its body, which is how a version is traced back to the operation that made it.

import type { Change, Outcome } from "../../shared/record/agreement_port.ts";
import type { Ballot, Value } from "../../shared/record/value.ts";
import { type Condition, historyOf, type Operation, versionText } from "./history.ts";
import { simDeadlineMs } from "./sim_settings.ts";
import { feed, type SimNode } from "./sim_node.ts";
import { bodyText, complain, upNodes, type World } from "./world.ts";

/** Keys that clients write; the last digit chooses the slot. */
export const simKeys: readonly string[] = ["k0", "k1", "k2", "k3", "k4"];

/** What a client asks. */
export interface Request {
  readonly key: string;
  readonly kind: "get" | "put" | "delete";
  /** A get that takes no short way. */
  readonly settle?: boolean;
  readonly condition: Condition;
  /** Version behind a version condition. */
  readonly ballot?: Ballot;
  readonly final?: boolean;
  /** Sent as a change function instead of a plain change. */
  readonly asEdit?: boolean;
}

/** Asks `node`; `then` is called with the operation when it is answered, never on a crash. */
export function ask(
  world: World,
  { node, request, then }: {
    node: SimNode;
    request: Request;
    then: (operation: Operation, outcome: Outcome) => void;
  },
): Operation {
  const now = world.queue.now;
  const id = ++world.counts.operations;
  const operation: Operation = {
    id,
    key: request.key,
    kind: request.kind,
    condition: request.condition,
    body: `#${id}`,
    invoked: ++world.counts.moments,
    responded: Infinity,
    outcome: "pending",
    version: null,
    seen: null,
    final: request.final ?? false,
  };
  historyOf(world.history, request.key).operations.push(operation);
  world.results.set(`${node.id}/${id}`, ({ outcome }) => {
    settleOperation(world, operation, outcome);
    world.trace?.(`${Math.round(world.queue.now)} told ${JSON.stringify(operation)}`);
    then(operation, outcome);
  });
  const change = changeOf(operation, { request, now });
  world.trace?.(`${Math.round(now)} ask ${node.id} ${JSON.stringify(operation)}`);
  feed(world, node, {
    kind: "operation",
    id,
    key: request.key,
    change,
    deadlineAt: now + simDeadlineMs,
  });
  return operation;
}

function changeOf(
  operation: Operation,
  { request, now }: { request: Request; now: number },
): Change {
  const stamp = [Math.round(now), operation.id] as const;
  if (request.kind === "get") return { kind: "get", settle: request.settle === true };
  const deleted = request.kind === "delete";
  const body = deleted ? new Uint8Array() : bytesOf(operation.body);
  if (request.asEdit === true) {
    return {
      kind: "edit",
      edit: (current) => holds(request.condition, current) ? { stamp, deleted, body } : undefined,
    };
  }
  const condition = portCondition(request);
  return deleted ? { kind: "delete", stamp, condition } : { kind: "put", body, stamp, condition };
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function portCondition({ condition, ballot }: Request) {
  if (condition.kind === "version" && ballot !== undefined) {
    return { kind: "version", version: ballot } as const;
  }
  if (condition.kind === "absent" || condition.kind === "present") {
    return { kind: condition.kind } as const;
  }
  return { kind: "any" } as const;
}

function holds(condition: Condition, current: Value | undefined): boolean {
  const live = current === undefined || current.deleted ? undefined : current;
  if (condition.kind === "none") return true;
  if (condition.kind === "absent") return live === undefined;
  if (condition.kind === "present") return live !== undefined;
  return live !== undefined && versionText(live.version) === condition.version;
}

function settleOperation(world: World, operation: Operation, outcome: Outcome): void {
  operation.responded = ++world.counts.moments;
  switch (outcome.kind) {
    case "ok":
      operation.outcome = "ok";
      operation.version = outcome.version === undefined ? null : versionText(outcome.version);
      if (operation.kind === "get" && outcome.value !== undefined && !outcome.value.deleted) {
        operation.seen = bodyText(outcome.value);
      }
      return;
    case "failed":
      operation.outcome = "failed";
      operation.version = outcome.value === undefined ? null : versionText(outcome.value.version);
      if (operation.kind === "get") complain(world, `get ${operation.id} failed its condition`);
      return;
    case "unknown":
      operation.outcome = "unknown";
      world.counts.unknown += 1;
      if (operation.kind === "get") operation.outcome = "unsent";
      return;
    case "no_quorum":
    case "busy":
      operation.outcome = "unsent";
      world.counts.refused += 1;
      return;
    default:
      throw outcome satisfies never;
  }
}

/** Starts the profile's clients; they stop asking at `until`. */
export function startClients(world: World, until: number): void {
  const clients = 1 + world.prng.int(world.profile.clients);
  // Few keys press on contention, many on handover; hurried clients on queues.
  const keys = simKeys.slice(0, world.prng.pick([1, 2, 5, 5]) ?? 5);
  const thinkMs = world.profile.thinkMs * (world.prng.pick([0.3, 1, 1.5]) ?? 1);
  for (let client = 0; client < clients; client++) {
    const seen = new Map<string, Ballot>();
    const next = () => {
      const wait = -Math.log(1 - world.prng.next()) * thinkMs;
      world.queue.put(world.queue.now + wait, () => act(world, { seen, keys, until, next }));
    };
    next();
  }
}

interface Client {
  /** Versions this client saw last. */
  readonly seen: Map<string, Ballot>;
  readonly keys: readonly string[];
  readonly until: number;
  readonly next: () => void;
}

function act(world: World, client: Client): void {
  const { seen, until, next } = client;
  if (world.queue.now >= until) return;
  const node = world.prng.pick(upNodes(world).filter(({ isPaused }) => !isPaused));
  if (node === undefined) return next();
  const { incarnation } = node;
  const request = randomRequest(world, client);
  const operation = ask(world, {
    node,
    request,
    then: (_, outcome) => {
      if (outcome.kind === "ok" && outcome.version !== undefined) {
        seen.set(request.key, outcome.version);
      } else if (outcome.kind === "failed" && outcome.value !== undefined) {
        seen.set(request.key, outcome.value.version);
      }
      next();
    },
  });
  watch(world, { node, incarnation, operation, next });
}

/** A client whose node crashed will hear nothing any more, and goes on elsewhere. */
function watch(
  world: World,
  watching: { node: SimNode; incarnation: number; operation: Operation; next: () => void },
): void {
  const { node, incarnation, operation, next } = watching;
  world.queue.put(world.queue.now + 500, () => {
    if (operation.outcome !== "pending") return;
    if (node.incarnation !== incarnation) next();
    else watch(world, watching);
  });
}

function randomRequest(world: World, { seen, keys }: Client): Request {
  const { prng, profile } = world;
  const key = prng.pick(keys) ?? "k0";
  const draw = prng.next();
  if (draw < profile.gets) return { key, kind: "get", condition: { kind: "none" } };
  const kind = prng.chance(profile.deletes / (1 - profile.gets)) ? "delete" : "put";
  const asEdit = prng.chance(0.2);
  const ballot = seen.get(key);
  if (!prng.chance(profile.conditional / (1 - profile.gets))) {
    return { key, kind, condition: { kind: "none" }, asEdit };
  }
  const conditionKind = kind === "delete" ? "present" : "absent";
  if (ballot === undefined || prng.chance(0.3)) {
    return { key, kind, condition: { kind: conditionKind }, asEdit };
  }
  return {
    key,
    kind,
    condition: { kind: "version", version: versionText(ballot) },
    ballot,
    asEdit,
  };
}
