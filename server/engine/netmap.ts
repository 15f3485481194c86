// The netmap, live: the roster this node has adopted, and what liveness says of its members.
// Engines ask here who owns (placement) and who can be asked now (isUsable); faces take rows.
//
// Roster and liveness stay two things: setRoster() alone changes owners, SWIM never does.

import { assert } from "../../shared/base/assert.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import { replicasDefault } from "../../shared/base/limits.ts";
import { netmapRow } from "../../shared/ring/netmap.ts";
import { type Placement, placement } from "../../shared/ring/placement.ts";
import type { Profile } from "../../shared/ring/profile.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import type { Liveness, NodeSnapshot } from "../../shared/status.ts";
import type { LivenessEvent, SwimDriver } from "../net/swim_driver.ts";
import type { Goodbyes } from "./goodbyes.ts";
import type { RingView } from "./place.ts";

/** What engines may wait for. */
export type NetmapEvent = LivenessEvent | { readonly kind: "roster"; readonly roster: Roster };

/** Who belongs and who answers, now. No method throws unless said. */
export interface Netmap extends RingView {
  /** The roster adopted last; undefined before the first. */
  roster(): Roster | undefined;
  /** Takes the roster that agreement adopted; liveness watches its members from now on. */
  setRoster(roster: Roster): void;
  /** Owners under the present roster. @throws {AssertionError} before the first roster */
  placement(): Placement;
  /**
   * `alive`, or this node itself; suspects are passed over until they refute. While this node is
   * not in the roster nobody refutes its suspicions: then whoever is connected is usable.
   */
  isUsable(id: NodeId): boolean;
  /** What is believed of a member; undefined for who is not in the roster. */
  stateOf(id: NodeId): Liveness | undefined;
  /** Members that are alive, this node included when it is one. */
  alive(): readonly NodeId[];
  /** Milliseconds for which a member has been seen dead; undefined when it is not, or excused. */
  deadFor(id: NodeId): number | undefined;
  /** What a member said of itself last. */
  profileOf(id: NodeId): Profile | undefined;
  /** After a pause: no quorum answers, no trimming, no collecting until it is over. */
  paused(): boolean;
  /** Members whose own word is that they are full. */
  fullMembers(): ReadonlySet<NodeId>;
  /** A row a member, in order of id. */
  snapshot(): NodeSnapshot[];
  /** Listens until the returned function is called. Listeners must not throw. */
  onEvent(listener: (event: NetmapEvent) => void): () => void;
}

export interface NetmapOptions {
  readonly liveness: SwimDriver;
  /** What was known of members before this start: who is excused is not dead but `left`. */
  readonly goodbyes: Pick<Goodbyes, "excuses" | "lastWord">;
  /** Whether a member is connected and admitted now. */
  readonly connected?: (id: NodeId) => boolean;
  /** Milliseconds since the epoch: for what people see. */
  readonly wallNow: () => number;
  /** Milliseconds that never go back: for how long something has been so. */
  readonly now: () => number;
}

/** A netmap over a running SWIM driver. @throws never */
export function createNetmap(options: NetmapOptions): Netmap {
  const { liveness } = options;
  const self = liveness.self;
  const listeners = new Set<(event: NetmapEvent) => void>();
  const states = new Map<NodeId, Liveness>();
  const deadSince = new Map<NodeId, number>();
  let roster: Roster | undefined;

  const emit = (event: NetmapEvent) => {
    for (const listener of listeners) listener(event);
  };
  const note = (id: NodeId, state: Liveness) => {
    states.set(id, state);
    if (state !== "dead") deadSince.delete(id);
    else if (!deadSince.has(id)) deadSince.set(id, options.now());
  };
  liveness.onEvent((event) => {
    if (event.kind === "state") note(event.id, event.state);
    if (event.kind === "profile") full = undefined;
    emit(event.kind === "state" ? { ...event, state: shown(event.id, event.state) } : event);
  });
  const shown = (id: NodeId, state: Liveness): Liveness =>
    state === "dead" && options.goodbyes.excuses(id) ? "left" : state;
  let full: ReadonlySet<NodeId> | undefined;
  const fullMembers = () => {
    full ??= new Set(
      liveness.witnessed().filter(({ facts }) => facts?.phase.phase === "full").map(({ id }) => id),
    );
    return full;
  };
  const placed = () => {
    assert(roster !== undefined, "owners are asked for before the first roster");
    return placement(roster);
  };
  const setRoster = (next: Roster) => {
    roster = next;
    full = undefined;
    liveness.setMembers(next.members.map((member) => member.id));
    states.clear();
    for (const { id, state } of liveness.witnessed()) note(id, state);
    for (const id of deadSince.keys()) if (!states.has(id)) deadSince.delete(id);
    emit({ kind: "roster", roster: next });
  };
  const stateOf = (id: NodeId): Liveness | undefined => {
    if (id === self) return roster?.members.some((one) => one.id === id) ? "alive" : undefined;
    const state = states.get(id);
    return state === undefined ? undefined : shown(id, state);
  };
  return {
    self,
    roster: () => roster,
    setRoster,
    fullMembers,
    placement: placed,
    isUsable: (id) =>
      id === self || states.get(id) === "alive" ||
      (isOutside(roster, self) && options.connected?.(id) === true),
    stateOf,
    alive: () =>
      (roster?.members ?? []).map((one) => one.id).filter((id) => stateOf(id) === "alive"),
    deadFor: (id) => {
      const since = deadSince.get(id);
      if (since === undefined || options.goodbyes.excuses(id)) return undefined;
      return options.now() - since;
    },
    profileOf: (id) =>
      id === self
        ? liveness.ownProfile()
        : liveness.witnessed().find((member) => member.id === id)?.facts,
    paused: () => liveness.paused(),
    snapshot: () =>
      roster === undefined
        ? []
        : rowsOf({ ...options, placed: placed(), wallNow: options.wallNow(), shown }),
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function isOutside(roster: Roster | undefined, self: NodeId): boolean {
  return roster !== undefined && !roster.members.some(({ id }) => id === self);
}

function rowsOf(
  view: {
    readonly liveness: SwimDriver;
    readonly goodbyes: NetmapOptions["goodbyes"];
    readonly placed: Placement;
    readonly wallNow: number;
    readonly shown: (id: NodeId, state: Liveness) => Liveness;
  },
): NodeSnapshot[] {
  const { liveness, goodbyes, placed, wallNow, shown } = view;
  const shares = placed.shares(replicasDefault);
  const witnessed = new Map(liveness.witnessed().map((member) => [member.id, member]));
  return placed.members.map((member) => {
    const seen = witnessed.get(member.id);
    const own = member.id === liveness.self;
    const state = own ? "alive" : shown(member.id, seen?.state ?? "alive");
    const lastWord = state === "alive" ? undefined : goodbyes.lastWord(member.id);
    return netmapRow({
      member,
      state,
      profile: own ? liveness.ownProfile() : seen?.facts ?? lastWord,
      tokens: placed.tokenCountOf(member.id),
      share: shares.get(member.id) ?? 0,
      roundTripMs: own ? 0 : seen?.roundTripMs ?? null,
      lastSeenAt: own
        ? wallNow
        : seen?.heardMsAgo === undefined
        ? 0
        : Math.round(wallNow - seen.heardMsAgo),
    });
  });
}
