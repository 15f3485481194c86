// What members say about the roster chain (ARCHITECTURE.md, "Agreement"). Every message also
// carries the sender's lineage and epoch: see AgreementMessage. Encoded by wire/roster_message.ts.

import type { Lineage, NodeId } from "../base/ids.ts";
import type { Roster } from "./roster.ts";

/** Council ballot, compared left to right. Rounds restart at 0 with each boot. */
export type CouncilBallot = readonly [round: number, node: NodeId, boot: number];

/** A wished change of the roster. Each is conditional (R4): a late copy of it does nothing. */
export type RosterChange =
  | {
    readonly kind: "join";
    readonly id: NodeId;
    /** Epoch at which the joiner knew itself outside: void if a later roster had it. */
    readonly at: number;
    readonly capacity: number;
    readonly zone: string;
  }
  /** Void unless `id` is a member with exactly this `since`. */
  | { readonly kind: "leave" | "expel"; readonly id: NodeId; readonly since: number }
  | {
    readonly kind: "resize";
    readonly id: NodeId;
    readonly since: number;
    readonly capacity: number;
  }
  /** An operator says that this disk is gone: removed if a member, and listed as lost. */
  | { readonly kind: "lost"; readonly id: NodeId }
  /** The last roster of this lineage: its members join the other one (F2). */
  | { readonly kind: "dissolve"; readonly into: Lineage };

export type RosterBody =
  /** "This is my epoch": anti-entropy, and the answer to a message from a later epoch. */
  | { readonly kind: "hello" }
  /**
   * Rosters in order, consecutive; the receiver adopts what follows on its own. `oldest` is the
   * oldest epoch that the sender keeps: a receiver jumps only to that one (R5).
   */
  | { readonly kind: "rosters"; readonly rosters: readonly Roster[]; readonly oldest: number }
  | { readonly kind: "r-prepare"; readonly ballot: CouncilBallot }
  | { readonly kind: "r-accept"; readonly ballot: CouncilBallot; readonly roster: Roster }
  | {
    readonly kind: "r-promise";
    readonly ballot: CouncilBallot;
    readonly accepted: { readonly ballot: CouncilBallot; readonly roster: Roster } | null;
  }
  | { readonly kind: "r-accepted"; readonly ballot: CouncilBallot }
  | {
    readonly kind: "r-no";
    readonly ballot: CouncilBallot;
    readonly promised: CouncilBallot;
  }
  | { readonly kind: "want"; readonly change: RosterChange }
  /** Two lineages of one group met: the sender's newest roster; `bare`: alone, no record (F2). */
  | { readonly kind: "meet"; readonly roster: Roster; readonly bare: boolean };

/** Council state of one node for the successor of its roster; on disk before any reply. */
export interface CouncilState {
  readonly promised: CouncilBallot;
  readonly accepted: { readonly ballot: CouncilBallot; readonly roster: Roster } | null;
}
