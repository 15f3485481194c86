// What nodes tell each other about who answers. Every message may carry facts: updates about
// members' states, and profiles; all of them merge in any order, any number of times.
// The bytes are made and checked in shared/wire/swim_message.ts.

import type { NodeId } from "../base/ids.ts";
import type { Liveness } from "../status.ts";

/** What `by` says of a member. Newer is the higher incarnation, then the worse state. */
export interface Update {
  readonly id: NodeId;
  /** boot * 2^20 + refutations since that boot: only the member itself raises it. */
  readonly incarnation: number;
  readonly state: Liveness;
  readonly by: NodeId;
}

/** A member's own facts, as bytes; newer is the higher boot, then the higher version. */
export interface ProfileEntry {
  readonly id: NodeId;
  readonly boot: number;
  readonly version: number;
  readonly body: Uint8Array;
}

/** One row of a full exchange: what the sender knows, without the profile's bytes. */
export interface Known {
  readonly id: NodeId;
  readonly incarnation: number;
  readonly state: Liveness;
  readonly boot: number;
  readonly version: number;
}

/** What a message is for. `seq` is the asker's number, returned by whoever answers. */
export type SwimBody =
  | { readonly kind: "ping"; readonly seq: number }
  | { readonly kind: "ack"; readonly seq: number }
  /** Please ping `target` for me, and tell me: ack, or nack when it did not answer you. */
  | { readonly kind: "ask"; readonly seq: number; readonly target: NodeId }
  | { readonly kind: "nack"; readonly seq: number }
  | { readonly kind: "gossip" }
  /** Round 0 asks, 1 answers with own rows and newer profiles, 2 returns newer profiles. */
  | { readonly kind: "exchange"; readonly round: 0 | 1 | 2; readonly known: readonly Known[] };

export interface SwimMessage {
  readonly body: SwimBody;
  readonly updates: readonly Update[];
  readonly profiles: readonly ProfileEntry[];
}

const severity: Readonly<Record<Liveness, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 };

/** Whether one statement about a member supersedes another. @throws never */
export function supersedes(
  one: Pick<Update, "incarnation" | "state">,
  other: Pick<Update, "incarnation" | "state">,
): boolean {
  if (one.incarnation !== other.incarnation) return one.incarnation > other.incarnation;
  return severity[one.state] > severity[other.state];
}

/** Whether one profile is newer than another, or than none. @throws never */
export function isNewerProfile(
  one: Pick<ProfileEntry, "boot" | "version">,
  other: Pick<ProfileEntry, "boot" | "version"> | undefined,
): boolean {
  if (other === undefined) return true;
  return one.boot === other.boot ? one.version > other.version : one.boot > other.boot;
}
