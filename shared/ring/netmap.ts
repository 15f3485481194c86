// The netmap's rows: the roster (who belongs), liveness (who answers) and profiles (what each
// says of itself) side by side, as the API, the pages and the command line show them. Pure:
// the live view over it is server/engine/netmap.ts.
//
// What a member has not said yet is filled from the roster, never guessed.

import { idEnding } from "../base/ids.ts";
import type { Liveness, NodeSnapshot } from "../status.ts";
import type { Profile } from "./profile.ts";
import type { Member } from "./roster.ts";

/** All that is known of one member. Times are ms since the epoch on this node's clock. */
export interface MemberFacts {
  readonly member: Member;
  readonly state: Liveness;
  readonly profile: Profile | undefined;
  readonly tokens: number;
  /** Part of all owned slots, copies counted. */
  readonly share: number;
  readonly roundTripMs: number | null;
  /** Last message from it; 0 when there was none since this node started. */
  readonly lastSeenAt: number;
}

/** One row of the netmap. Capacity and zone are the roster's: those decide. @throws never */
export function netmapRow(facts: MemberFacts): NodeSnapshot {
  const { member, profile } = facts;
  return {
    id: member.id,
    name: profile?.name ?? idEnding(member.id),
    zone: member.zone,
    state: facts.state,
    phase: profile?.phase ?? unheard,
    http: profile?.http ?? null,
    line: profile?.line ?? null,
    addresses: profile?.addresses ?? [],
    version: profile?.version ?? "",
    capacity: member.capacity,
    used: profile?.used ?? 0,
    metadata: profile?.metadata ?? 0,
    blocks: profile?.blocks ?? { held: 0, wanted: 0, surplus: 0 },
    tokens: facts.tokens,
    share: facts.share,
    roundTripMs: facts.roundTripMs,
    lastSeenAt: facts.lastSeenAt,
    epoch: profile?.epoch ?? 0,
    arriving: profile?.arriving ?? 0,
    ...(profile?.tabs === undefined ? {} : { tabs: profile.tabs }),
  };
}

const unheard = { phase: "looking for peers", since: 0, because: "not heard from yet" } as const;
