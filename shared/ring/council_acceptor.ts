// The council member's half of the roster chain (ARCHITECTURE.md R1): one single-decree Paxos for
// the successor of each roster. Pure: the state it returns must be durable before its reply leaves.
// Source: Lamport, Paxos Made Simple (2001); Reconfiguring a State Machine (2010).

import type { Roster } from "./roster.ts";
import type { CouncilBallot, CouncilState, RosterBody } from "./roster_message.ts";

/** Order of two council ballots; null is the least. @throws never */
export function compareCouncilBallots(
  left: CouncilBallot | null,
  right: CouncilBallot | null,
): number {
  if (left === null || right === null) return (left === null ? 0 : 1) - (right === null ? 0 : 1);
  const nodes = left[1] < right[1] ? -1 : left[1] > right[1] ? 1 : 0;
  return left[0] - right[0] || nodes || left[2] - right[2];
}

/** A reply, with the new state when there is one to persist first. */
export interface CouncilReply {
  readonly state: CouncilState | undefined;
  readonly reply: RosterBody;
}

/** Promises a ballot above all promised so far, else refuses. @throws never */
export function councilPrepare(state: CouncilState | null, ballot: CouncilBallot): CouncilReply {
  if (state !== null && compareCouncilBallots(ballot, state.promised) <= 0) {
    return refuse(ballot, state.promised);
  }
  const accepted = state?.accepted ?? null;
  return {
    state: { promised: ballot, accepted },
    reply: { kind: "r-promise", ballot, accepted },
  };
}

/** Accepts a roster at a ballot not below the promised one, else refuses. @throws never */
export function councilAccept(
  state: CouncilState | null,
  proposal: { readonly ballot: CouncilBallot; readonly roster: Roster },
): CouncilReply {
  const { ballot, roster } = proposal;
  if (state !== null && compareCouncilBallots(ballot, state.promised) < 0) {
    return refuse(ballot, state.promised);
  }
  return {
    state: { promised: ballot, accepted: { ballot, roster } },
    reply: { kind: "r-accepted", ballot },
  };
}

function refuse(ballot: CouncilBallot, promised: CouncilBallot): CouncilReply {
  return { state: undefined, reply: { kind: "r-no", ballot, promised } };
}
