// This node's own place in the roster (ARCHITECTURE.md, "Agreement" R7, R8): founding, asking to
// join, to leave or to resize until it took effect, greeting peers, and what happens when two
// lineages of one group meet. Wishes are renewed at each roster, because their conditions name
// epochs.

import { assert } from "../base/assert.ts";
import type { Lineage, NodeId } from "../base/ids.ts";
import type { CouncilProposer } from "../ring/council_proposer.ts";
import { forcedRoster, foundingRoster, has } from "../ring/roster_change.ts";
import type { Roster } from "../ring/roster.ts";
import type { RosterBody } from "../ring/roster_message.ts";
import { type Core, isMember, rosterOf } from "./agreement_core.ts";
import type { AgreementInput, Proposal } from "./agreement_port.ts";
import { found, laneOf, sendRosters } from "./chain.ts";

export interface Membership {
  found(input: Extract<AgreementInput, { kind: "found" }>): void;
  propose(proposal: Proposal): void;
  adopted(): void;
  tick(): void;
  /** A peer of an unknown lineage said hello: shows it our roster. */
  greetStranger(to: NodeId): void;
  met(from: NodeId, body: Extract<RosterBody, { kind: "meet" }>): void;
  /** A force declared this node lost: if its council lives, it goes on without who forced. */
  forcedOut(roster: Roster): void;
  /** Whether a request of its own to join may still take effect. */
  joining(): boolean;
}

/** Wishes of this node through `proposer`; `take` adopts a forced roster. @throws never */
export function createMembership(
  core: Core,
  { proposer, take }: {
    readonly proposer: CouncilProposer;
    readonly take: (roster: Roster) => void;
  },
): Membership {
  const lanes = [core.live, ...core.aside];
  const self = (roster: Roster) => roster.members.find((member) => member.id === core.self);
  const entries = lanes.flatMap((lane) => lane.history.map(self));
  /** What to offer when joining: as in the last roster that had this node, or as told. */
  let offer: { capacity: number; zone: string } | undefined = entries.findLast((entry) =>
    entry !== undefined
  );
  let asked = false;
  let helloAt = 0;
  let contacts: readonly NodeId[] = [];

  function wish(): void {
    const roster = rosterOf(core.live);
    if (roster === undefined) return;
    const member = self(roster);
    const now = core.now;
    proposer.withdraw((change) => change.kind === "join" && change.id === core.self);
    if (member !== undefined) {
      offer = { capacity: offer?.capacity ?? member.capacity, zone: member.zone };
      asked = false;
      const { id, since } = member;
      if (core.leaving && roster.members.length > 1) {
        proposer.want({ kind: "leave", id, since }, { own: true, now });
      } else if (offer.capacity !== member.capacity) {
        const { capacity } = offer;
        proposer.want({ kind: "resize", id, since, capacity }, { own: true, now });
      }
      return;
    }
    // A request under way may still admit this node: then it must be admitted, and leave (R8).
    if (offer === undefined || (core.leaving && !asked)) return;
    asked = true;
    const { capacity, zone } = offer;
    const at = roster.epoch;
    proposer.want({ kind: "join", id: core.self, at, capacity, zone }, { own: true, now });
  }

  function hello(): void {
    helloAt = core.now + core.settings.helloMs;
    const members = rosterOf(core.live)?.members.map(({ id }) => id) ?? [];
    const peers = new Set([...members, ...core.alive, ...contacts]);
    peers.delete(core.self);
    const to = core.prng.pick([...peers]);
    if (to === undefined) return;
    core.send(to, { kind: "hello" });
    for (const lane of core.aside) {
      const old = core.prng.pick(
        (rosterOf(lane)?.members ?? []).map(({ id }) => id).filter((id) => id !== core.self),
      );
      if (old !== undefined) core.send(old, { kind: "hello" }, { lane });
    }
  }

  function bare(roster: Roster): boolean {
    return roster.members.length === 1 && has(roster, core.self) && core.live.rows.empty();
  }

  function propose(proposal: Proposal): void {
    const now = core.now;
    const roster = rosterOf(core.live);
    switch (proposal.kind) {
      case "join":
        offer = { capacity: proposal.capacity, zone: proposal.zone };
        if (core.leaving) {
          core.leaving = false;
          core.write({ kind: "node", lane: core.live.lane, leaving: false });
        }
        return wish();
      case "leave":
        core.leaving = true;
        core.write({ kind: "node", lane: core.live.lane, leaving: true });
        return wish();
      case "resize":
        if (offer !== undefined) offer = { ...offer, capacity: proposal.capacity };
        proposer.withdraw((change) => change.kind === "resize" && change.id === core.self);
        return wish();
      case "expel": {
        const member = roster?.members.find(({ id }) => id === proposal.id);
        if (member === undefined) return;
        const { id, since } = member;
        return proposer.want({ kind: "expel", id, since }, { own: true, now });
      }
      case "forget":
        return proposer.want({ kind: "lost", id: proposal.id }, { own: true, now });
      case "force": {
        if (roster === undefined || !isMember(core) || roster.into !== undefined) return;
        const { lost, foundedAt, salt } = proposal;
        const forced = forcedRoster(roster, { by: core.self, lost, foundedAt, salt });
        take(forced);
        for (const { id } of forced.members) {
          if (id !== core.self) sendRosters(core, core.live, { to: id, after: roster.epoch });
        }
        return;
      }
      default:
        return proposal satisfies never;
    }
  }

  function met(from: NodeId, body: Extract<RosterBody, { kind: "meet" }>): void {
    const theirs = body.roster;
    const ours = rosterOf(core.live);
    if (laneOf(core, theirs) !== undefined) {
      // One of our own chains, or the parent that a force left: it only has to catch up.
      const lane = laneOf(core, theirs);
      if (lane !== undefined) sendRosters(core, lane, { to: from, after: theirs.epoch });
      return;
    }
    if (core.aside.some((lane) => rosterOf(lane)?.into === theirs.lineage) && ours === undefined) {
      contacts = theirs.members.map(({ id }) => id);
      return core.send(from, { kind: "hello" });
    }
    if (ours === undefined || !isMember(core)) return;
    const { parent } = theirs;
    if (parent?.lineage === ours.lineage && ours.epoch <= parent.epoch) {
      return core.send(from, { kind: "hello" });
    }
    if (!yields(ours, { theirs, bare: body.bare })) return;
    contacts = theirs.members.map(({ id }) => id);
    const into: Lineage = theirs.lineage;
    proposer.want({ kind: "dissolve", into }, { own: true, now: core.now });
  }

  /** The order is fixed for life, but for one node without a record, which cannot cross (F2). */
  function yields(
    ours: Roster,
    { theirs, bare: theyAreBare }: { readonly theirs: Roster; readonly bare: boolean },
  ): boolean {
    const weAreBare = bare(ours);
    if (weAreBare !== theyAreBare) return weAreBare;
    const order = theirs.foundedAt - ours.foundedAt ||
      compareText(theirs.founder, ours.founder) || compareText(theirs.lineage, ours.lineage);
    return order < 0;
  }

  /**
   * The council's proof that it lives is a roster later than the force's parent: then the forced
   * side yields (F2). Those who forced do not answer here any more, so they are expelled.
   */
  function forcedOut(forced: Roster): void {
    const ours = rosterOf(core.live);
    if (ours === undefined || forced.parent?.lineage !== ours.lineage) return;
    if (!isMember(core) || !forced.lost.includes(core.self)) return;
    for (const { id, since } of ours.members) {
      if (!has(forced, id)) continue;
      proposer.want({ kind: "expel", id, since }, { own: true, now: core.now });
    }
  }

  return {
    forcedOut,
    found(input) {
      assert(rosterOf(core.live) === undefined, "a node founds on an empty disk only");
      const { capacity, zone, foundedAt, salt } = input;
      offer = { capacity, zone };
      found(core, foundingRoster({ founder: core.self, capacity, zone, foundedAt, salt }));
      const roster = rosterOf(core.live);
      if (roster !== undefined) core.emit({ kind: "adopted", roster });
    },
    propose,
    adopted() {
      wish();
      helloAt = core.now + core.prng.between(0, core.settings.helloMs / 4);
    },
    tick() {
      if (core.now >= helloAt) hello();
    },
    greetStranger(to) {
      const roster = rosterOf(core.live);
      if (roster === undefined || !isMember(core)) return;
      core.send(to, { kind: "meet", roster, bare: bare(roster) });
    },
    met,
    joining: () => asked,
  };
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
