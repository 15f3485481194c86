// This node's seat in the council: its promises for the successor of the present roster, kept on
// disk and cleared with the transaction that adopts the successor (ARCHITECTURE.md R1, section 2).

import type { NodeId } from "../base/ids.ts";
import { councilAccept, councilPrepare } from "../ring/council_acceptor.ts";
import type { CouncilState, RosterBody } from "../ring/roster_message.ts";
import { type Core, rosterOf } from "./agreement_core.ts";

export interface CouncilSeat {
  /** Answers a proposer, if this node is in the council of the live roster. */
  answer(from: NodeId, body: Extract<RosterBody, { kind: "r-prepare" | "r-accept" }>): void;
  /** A successor was adopted: chain.ts clears the disk, this the memory. */
  adopted(): void;
}

/** A seat with the promises found on disk. @throws never */
export function createCouncilSeat(core: Core, saved: CouncilState | null): CouncilSeat {
  let held = saved;
  return {
    answer(from, body) {
      if (rosterOf(core.live)?.council.includes(core.self) !== true) return;
      const known = core.mutants.has("council-forgets-promises") ? null : held;
      const { state, reply } = body.kind === "r-prepare"
        ? councilPrepare(known, body.ballot)
        : councilAccept(known, body);
      if (state !== undefined) {
        held = state;
        core.write({ kind: "council", state });
      }
      core.send(from, reply);
    },
    adopted() {
      held = null;
    },
  };
}
