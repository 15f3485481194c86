// What this node says to the agreement of who lives and who is to be expelled. Dead is a matter of
// time, and time counts only while this node hears most of the council: on the small side of a cut
// all others are silent, and connections outlive the cut by half a minute, so that neither the
// silence nor an open connection says who is gone.

import type { NodeId } from "../../shared/base/ids.ts";
import type { AgreementDriverOptions } from "./agreement_driver.ts";
import type { Netmap } from "./netmap.ts";

export interface OpinionPorts {
  readonly netmap: Pick<Netmap, "roster" | "alive" | "stateOf" | "deadFor" | "profileOf">;
  readonly self: NodeId;
  readonly connected: () => readonly NodeId[];
  readonly graceMs: number;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/** The opinions of one node; overdue() is asked at every tick of the agreement. @throws never */
export function opinionsOf(ports: OpinionPorts): AgreementDriverOptions["opinions"] {
  const { netmap, self, graceMs, now } = ports;
  let apartAt = -Infinity;
  const hearsCouncil = () => {
    const council = netmap.roster()?.council ?? [];
    return council.filter((id) => netmap.stateOf(id) === "alive").length > council.length / 2;
  };
  return {
    alive: () => [...new Set([self, ...netmap.alive(), ...ports.connected()])],
    overdue: (inTouchMs) => {
      if (!hearsCouncil()) apartAt = now();
      const judgingMs = Math.min(inTouchMs, now() - apartAt);
      return (netmap.roster()?.members ?? []).map(({ id }) => id)
        .filter((id) => Math.min(netmap.deadFor(id) ?? 0, judgingMs) > graceMs);
    },
    reports: () =>
      (netmap.roster()?.members ?? []).flatMap(({ id }) => {
        const profile = netmap.profileOf(id);
        if (profile === undefined) return [];
        return [{ id, epoch: profile.epoch, arriving: profile.arriving }];
      }),
  };
}
