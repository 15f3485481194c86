// Carries SWIM (shared/ring/swim.ts) out: a timer that ticks it, the channel "swim" that takes
// its messages there and back, and a live view of what it believes. Measures round trips.
//
// Its clock is monotonic: a wall clock that jumps or is wrong changes nothing. A message that
// breaks the protocol is dropped and counted; the sender is admitted, so it is a bug or an
// older version, not an attack to answer.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import {
  controlMessageBytesMax,
  profileIntervalMs,
  swimQueueMax,
  swimTickMs,
} from "../../shared/base/limits.ts";
import type { Prng } from "../../shared/base/prng.ts";
import type { Profile } from "../../shared/ring/profile.ts";
import {
  type Belief,
  createSwim,
  type Swim,
  type SwimInput,
  type SwimOutput,
} from "../../shared/ring/swim.ts";
import type { Liveness } from "../../shared/status.ts";
import {
  decodeProfile,
  decodeSwimMessage,
  encodeProfile,
  encodeSwimMessage,
} from "../../shared/wire/swim_message.ts";
import type { Log } from "../log.ts";
import type { Channel, ChannelLimits } from "./network.ts";

/** How the channel "swim" is opened. */
export const swimChannelLimits: ChannelLimits = {
  messageBytesMax: controlMessageBytesMax,
  concurrencyMax: 16,
  queueMax: swimQueueMax,
  roles: ["member"],
};

/** Time as the driver needs it; tests give their own. */
export interface SwimClock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Runs `tick` again and again. @returns what ends it */
  every(ms: number, tick: () => void): () => void;
}

export interface SwimDriverOptions {
  readonly self: NodeId;
  /** Persisted counter of starts, 1 or more. */
  readonly boot: number;
  readonly prng: Prng;
  /** Members that had said goodbye when this node last ran, by incarnation. */
  readonly left?: ReadonlyMap<NodeId, number>;
  readonly channel: Channel;
  readonly log: Log;
  readonly clock?: SwimClock;
}

/** What changed. `paused` and `resumed` are about this node itself. */
export type LivenessEvent =
  | { readonly kind: "state"; readonly id: NodeId; readonly state: Liveness }
  | { readonly kind: "profile"; readonly id: NodeId; readonly profile: Profile }
  | { readonly kind: "paused" }
  | { readonly kind: "resumed" };

/** A member as it is now. `heardMsAgo` is undefined before its first message. */
export interface Witnessed extends Belief {
  readonly heardMsAgo: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly facts: Profile | undefined;
}

/** Smoothing of round trips: the last eight or so count. */
const roundTripWeight = 1 / 8;

/** Runs SWIM for one node. Methods never throw unless said. */
export class SwimDriver {
  readonly #options: SwimDriverOptions;
  readonly #clock: SwimClock;
  readonly #swim: Swim;
  readonly #listeners = new Set<(event: LivenessEvent) => void>();
  readonly #roundTrips = new Map<NodeId, number>();
  readonly #profiles = new Map<NodeId, Profile>();
  #ownProfile: Profile | undefined;
  #profileDue: Profile | undefined;
  #profileSentAt = -Infinity;
  #endTimer: (() => void) | undefined;
  #stopped = false;

  constructor(options: SwimDriverOptions) {
    const { self, boot, prng, left = new Map() } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#swim = createSwim({ self, boot, prng, left });
    options.channel.handle((from, bytes) => this.#receive(from, bytes));
  }

  get self(): NodeId {
    return this.#options.self;
  }

  start(): void {
    if (this.#stopped || this.#endTimer !== undefined) return;
    this.#endTimer = this.#clock.every(swimTickMs, () => this.#tick());
  }

  /** Ends the timer; `clean` tells all members that this is no death. */
  stop(options: { readonly clean: boolean }): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (options.clean) this.#step({ kind: "leave" });
    this.#stopped = true;
    this.#endTimer?.();
    this.#endTimer = undefined;
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** The roster's members; those not named are forgotten. */
  setMembers(ids: readonly NodeId[]): void {
    const wanted = new Set(ids);
    for (const id of this.#profiles.keys()) if (!wanted.has(id)) this.#profiles.delete(id);
    for (const id of this.#roundTrips.keys()) if (!wanted.has(id)) this.#roundTrips.delete(id);
    this.#step({ kind: "members", ids });
  }

  /** This node's own facts; told at most once each profileIntervalMs, and only when changed. */
  setProfile(profile: Profile): void {
    if (JSON.stringify(profile) === JSON.stringify(this.#ownProfile)) return;
    this.#ownProfile = profile;
    this.#profileDue = profile;
    this.#tellProfile();
  }

  ownProfile(): Profile | undefined {
    return this.#ownProfile;
  }

  /** A connection to a member broke: it is probed now. */
  lost(id: NodeId): void {
    this.#step({ kind: "lost", id });
  }

  /** Probes every member now. */
  discover(): void {
    this.#step({ kind: "discover" });
  }

  /** All other members. */
  witnessed(): Witnessed[] {
    const now = this.#clock.now();
    return this.#swim.beliefs().map((belief) => ({
      ...belief,
      heardMsAgo: belief.heardAt === undefined ? undefined : Math.max(0, now - belief.heardAt),
      roundTripMs: this.#roundTrips.get(belief.id),
      facts: this.#profiles.get(belief.id),
    }));
  }

  /** True after a pause, until one full exchange with another member: answer no quorums. */
  paused(): boolean {
    return this.#swim.paused();
  }

  /** Listens until the returned function is called, or stop(). Listeners must not throw. */
  onEvent(listener: (event: LivenessEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tick(): void {
    this.#step({ kind: "tick" });
    this.#tellProfile();
  }

  #tellProfile(): void {
    const profile = this.#profileDue;
    if (profile === undefined) return;
    if (this.#clock.now() - this.#profileSentAt < profileIntervalMs) return;
    this.#profileDue = undefined;
    this.#profileSentAt = this.#clock.now();
    try {
      this.#step({ kind: "profile", body: encodeProfile(profile) });
    } catch (thrown) {
      if (!(thrown instanceof SkyringError)) throw thrown;
      this.#options.log.error("profile_not_told", { reason: thrown.message });
    }
  }

  #receive(from: NodeId, bytes: Uint8Array): undefined {
    if (this.#stopped) return undefined;
    try {
      this.#step({ kind: "message", from, message: decodeSwimMessage(bytes) });
    } catch (thrown) {
      if (!(thrown instanceof SkyringError)) throw thrown;
      this.#options.log.warn("liveness_message_refused", { from, reason: thrown.message });
    }
    return undefined;
  }

  #step(input: SwimInput): void {
    if (this.#stopped) return;
    for (const output of this.#swim.step(input, this.#clock.now())) this.#carryOut(output);
  }

  #carryOut(output: SwimOutput): void {
    switch (output.kind) {
      case "send":
        this.#options.channel.notify(output.to, encodeSwimMessage(output.message));
        return;
      case "changed":
        this.#options.log.debug("member_" + output.state, { id: output.id });
        this.#emit({ kind: "state", id: output.id, state: output.state });
        return;
      case "profile":
        this.#takeProfile(output.entry.id, output.entry.body);
        return;
      case "answered":
        this.#smooth(output.id, output.roundTripMs);
        return;
      case "paused":
      case "resumed":
        this.#options.log.warn("node_" + output.kind);
        this.#emit({ kind: output.kind });
        return;
      default:
        output satisfies never;
    }
  }

  #takeProfile(id: NodeId, body: Uint8Array): void {
    try {
      const profile = decodeProfile(body);
      this.#profiles.set(id, profile);
      this.#emit({ kind: "profile", id, profile });
    } catch (thrown) {
      this.#options.log.warn("profile_refused", { id, reason: messageOf(thrown) });
    }
  }

  #smooth(id: NodeId, roundTripMs: number): void {
    const before = this.#roundTrips.get(id) ?? roundTripMs;
    this.#roundTrips.set(id, before + (roundTripMs - before) * roundTripWeight);
  }

  #emit(event: LivenessEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

const systemClock: SwimClock = {
  now: () => performance.now(),
  every: (ms, tick) => {
    const timer = setInterval(tick, ms);
    return () => clearInterval(timer);
  },
};
