// The agreement machine of one node: the roster chain and the registers (ARCHITECTURE.md). This
// file takes inputs apart by M1 and hands them to the part whose rule they touch; see
// agreement_port.ts for the driver's contract. Reading order: chain, acceptor, proposer, handover,
// settle.

import type { NodeId, Slot } from "../base/ids.ts";
import { type CouncilHost, createCouncilProposer } from "../ring/council_proposer.ts";
import { has, majority } from "../ring/roster_change.ts";
import type { Roster } from "../ring/roster.ts";
import type { RosterBody } from "../ring/roster_message.ts";
import { arrive } from "./arrival.ts";
import { answeringCount, answers, decide } from "./acceptor.ts";
import { type Core, createCore, isMember, type Lane, rosterOf } from "./agreement_core.ts";
import type {
  Agreement,
  AgreementInput,
  AgreementMessage,
  AgreementOptions,
  AgreementOutput,
  AgreementSettings,
  AgreementStatus,
  Outcome,
} from "./agreement_port.ts";
import { adopt, arrivingSlots, follows, laneOf, sendRosters, trim } from "./chain.ts";
import { createCouncilSeat } from "./council_seat.ts";
import { createDissolved, type Dissolved } from "./dissolved.ts";
import { createHandover } from "./handover.ts";
import { createListings } from "./listing.ts";
import { createMembership } from "./membership.ts";
import { createProposer } from "./proposer.ts";
import type { RecordBody } from "./register_message.ts";
import { createLiveSettling } from "./settle.ts";
import { answerList, answerSlotRead } from "./slot_reader.ts";
import { everySlot } from "./slot_table.ts";
import { createTombstones } from "./tombstone.ts";

/** The timers and sizes of ARCHITECTURE.md, "Agreement". */
export const agreementSettings: AgreementSettings = {
  fastReadMs: 500,
  attemptMs: [400, 600],
  backoffMs: { first: 20, most: 1_000 },
  rosterAttemptMs: 1_500,
  rosterBackoffMs: { least: 300, first: 200, most: 5_000 },
  batchMs: 200,
  helloMs: 1_000,
  handoverRetryMs: [700, 1_200],
  handoverPatienceMs: 300,
  settleMs: 1_000,
  tombstoneAgeMs: 30 * 24 * 3_600_000,
  tombstoneScanMs: 60_000,
  pauseMs: 2_000,
  handoverSlots: 4_096,
  slotsPerMessage: 1_024,
  rowsPerPage: 256,
  pageBytes: 524_288,
  historyKeep: 64,
  operationsMax: 4_096,
};

/** Slots named in the status with those whose answers are awaited. */
const waitingShown = 16;

/** A machine over what its disk holds. @throws {AssertionError} when the saved chain has gaps */
export function createAgreement(options: AgreementOptions): Agreement {
  const core = createCore(options);
  const { self, mutants, placement } = core;
  const seat = createCouncilSeat(core, options.disk.saved.council);
  let lastStepAt: number | undefined;
  let internal = -1;
  const offers = new Map<number, (outcome: Outcome) => void>();

  const proposer = createProposer(core, ended);
  const listings = createListings(core, (id, page) => core.emit({ kind: "listing", id, page }));
  const councilProposer = createCouncilProposer(councilHost(core, decided));
  const membership = createMembership(core, { proposer: councilProposer, take });
  const handover = createHandover(core, {
    lane: () => core.live,
    arrived: (slots) => arrive(core, slots),
  });
  const settling = createLiveSettling(core);
  const tombstones = createTombstones(core);
  const dissolved: Dissolved[] = core.aside.map(offerAgain);
  if (rosterOf(core.live) !== undefined) restart();

  /** An operation ended: the driver's own, or an offer of a dissolved lineage's record. */
  function ended(id: number, outcome: Outcome): void {
    const offered = offers.get(id);
    offers.delete(id);
    if (offered !== undefined) offered(outcome);
    else core.emit({ kind: "result", id, outcome });
  }

  function offerAgain(lane: Lane): Dissolved {
    return createDissolved(core, lane, (request, done) => {
      const id = internal--;
      offers.set(id, done);
      proposer.submit({ id, ...request });
    });
  }

  function restart(): void {
    handover.begin(arrivingSlots(core, core.live), (slot) => lastBefore(slot));
    settling.adopted();
    membership.adopted();
  }

  function lastBefore(slot: Slot): number {
    return (core.live.slots.config[slot] ?? 1) - 1;
  }

  /** Adopts a roster into the live lane, and starts over what depends on it (R5). */
  function take(roster: Roster): void {
    const lane = core.live;
    adopt(core, lane, roster);
    seat.adopted();
    core.emit({ kind: "adopted", roster });
    if (roster.into !== undefined) dissolve(lane);
    councilProposer.adopted(core.now);
    proposer.adopted();
    listings.adopted();
    tombstones.adopted();
    restart();
  }

  function dissolve(lane: Lane): void {
    core.aside.push(lane);
    core.live = core.openLane();
    core.write({ kind: "node", lane: core.live.lane, leaving: core.leaving });
    dissolved.push(offerAgain(lane));
  }

  function decided(roster: Roster): void {
    const before = rosterOf(core.live);
    const lane = core.live;
    take(roster);
    const everyone = new Set([...(before?.members ?? []), ...roster.members].map(({ id }) => id));
    everyone.delete(self);
    for (const to of everyone) sendRosters(core, lane, { to, after: roster.epoch - 1 });
  }

  function onRosters(from: NodeId, message: AgreementMessage): void {
    const { body } = message;
    if (body.kind !== "rosters") return;
    const { oldest } = body;
    let adopted = 0;
    for (const roster of body.rosters) {
      const old = core.aside.find((lane) =>
        // A forced lane that dissolved into its parent's lineage goes back to that chain (F3).
        rosterOf(lane)?.into !== roster.lineage &&
        lane.history.some((past) => past.lineage === roster.lineage)
      );
      if (old !== undefined || !follows(core.live, { roster, oldest, self })) {
        membership.forcedOut(roster);
        continue;
      }
      take(roster);
      adopted += 1;
    }
    const present = rosterOf(core.live);
    if (adopted > 0 && present !== undefined && present.epoch < message.epoch) {
      core.send(from, { kind: "hello" });
    }
  }

  /** M1, then the part that the message is for. */
  function onMessage(from: NodeId, message: AgreementMessage): void {
    const { body, epoch } = message;
    if (body.kind === "installed") return from === self ? onInstalled(body) : undefined;
    if (body.kind === "rosters") return onRosters(from, message);
    if (body.kind === "meet") return membership.met(from, body);
    const lane = message.lineage === "" ? core.live : laneOf(core, message);
    const roster = lane === undefined ? undefined : rosterOf(lane);
    if (lane === undefined || roster === undefined) {
      if (body.kind === "hello") membership.greetStranger(from);
      return;
    }
    const sameLine = message.lineage === roster.lineage;
    if (!sameLine || epoch < roster.epoch) {
      const served = mutants.has("serve-older-epoch") && sameLine && isRegisterRequest(body);
      if (!served) return sendRosters(core, lane, { to: from, after: epoch });
    }
    if (epoch > roster.epoch) {
      const early = mutants.has("handover-before-roster") && body.kind === "slot-read";
      if (!early) return core.send(from, { kind: "hello" }, { lane });
    }
    if (body.kind === "hello") return;
    if (body.kind === "slot-read") return answerSlotRead(core, body, { from, lane, epoch });
    if (lane !== core.live) return onOldLane(lane, { from, body });
    if (isRosterBody(body)) return onRosterBody(from, body);
    onRecordBody(from, { body, epoch });
  }

  function onInstalled(body: Extract<RecordBody, { kind: "installed" }>): void {
    if (body.lane === core.live.lane) {
      core.installed(core.live, body);
    } else dissolved.find(({ lane }) => lane.lane === body.lane)?.installed(body);
  }

  function onOldLane(
    lane: Lane,
    { from, body }: { readonly from: NodeId; readonly body: RosterBody | RecordBody },
  ): void {
    if (isRosterBody(body)) return;
    dissolved.find((one) => one.lane === lane)?.message(from, body);
  }

  function onRosterBody(from: NodeId, body: RosterBody): void {
    if (body.kind === "want") {
      return councilProposer.want(body.change, { own: false, now: core.now });
    }
    if (body.kind !== "r-prepare" && body.kind !== "r-accept") {
      return councilProposer.reply(from, body, core.now);
    }
    seat.answer(from, body);
  }

  function onRecordBody(
    from: NodeId,
    { body, epoch }: { readonly body: RecordBody; readonly epoch: number },
  ): void {
    switch (body.kind) {
      case "get":
      case "prepare":
      case "accept":
        return decide(core, body, { from, epoch });
      case "have":
      case "promise":
      case "accepted":
      case "no":
        return proposer.reply(from, body);
      case "slot-rows":
        return handover.rows(from, body);
      case "settled?": {
        const slots = body.slots.filter((slot) => answers(core, slot));
        if (slots.length > 0) core.send(from, { kind: "settled", ask: body.ask, slots });
        return;
      }
      case "settled":
        return settling.reply(from, body);
      case "tomb?":
      case "tomb":
      case "drop":
        return tombstones.message(from, body);
      case "list":
        return answerList(core, body, from);
      case "listed":
        return listings.reply(from, body);
      case "arriving": // a hint only (M3)
      case "slot-read": // answered before, for any lane
      case "installed":
        return;
      default:
        return body satisfies never;
    }
  }

  function tick(): void {
    membership.tick();
    councilProposer.tick(core.now);
    proposer.tick();
    listings.tick();
    handover.tick();
    settling.tick();
    tombstones.tick();
    for (const old of dissolved) old.tick();
  }

  function dispatch(input: AgreementInput): void {
    switch (input.kind) {
      case "tick":
        return tick();
      case "message":
        return onMessage(input.from, input.message);
      case "operation":
        return proposer.submit(input);
      case "list":
        return listings.submit(input);
      case "found":
        membership.found(input);
        return restart();
      case "propose":
        return membership.propose(input.proposal);
      case "liveness":
        core.alive = new Set([self, ...input.alive]);
        // Who came back is not to be expelled by a wish from before.
        councilProposer.withdraw(({ kind, ...change }) =>
          kind === "expel" && "id" in change && core.alive.has(change.id)
        );
        return;
      case "reports":
        return trim(core, input.reports);
      case "resumed":
        return abandon();
      case "stop":
        core.stopped = true;
        return abandon();
      default:
        return input satisfies never;
    }
  }

  function abandon(): void {
    proposer.abandon();
    listings.abandon();
  }

  function step(input: AgreementInput, now: number): readonly AgreementOutput[] {
    const slept = lastStepAt !== undefined && now - lastStepAt > core.settings.pauseMs;
    core.now = now;
    lastStepAt = now;
    if (slept) abandon();
    dispatch(input);
    return core.flush();
  }

  function status(): AgreementStatus {
    const roster = rosterOf(core.live);
    const up = roster?.council.filter((id) => core.alive.has(id)).length ?? 0;
    const unsettled = settling.unsettled();
    const aside = dissolved.filter((old) => old.unsettled() > 0).length;
    return {
      roster,
      member: isMember(core),
      // Counted when it is read: most who ask for the status want two words of it, often.
      get answering() {
        return answeringCount(core);
      },
      arriving: handover.remaining() + core.live.slots.unready.size,
      waiting: handover.waiting(waitingShown),
      unsettled,
      mayExit: mayExit(roster, { unsettled, aside }),
      readOnly: roster === undefined || up < majority(roster.council.length),
      operations: proposer.count(),
      aside,
      pendingChanges: councilProposer.pending(),
      oldestEpoch: core.live.history[0]?.epoch ?? 0,
    };
  }

  function mayExit(
    roster: Roster | undefined,
    left: { readonly unsettled: number; readonly aside: number },
  ): boolean {
    if (!core.leaving || left.aside > 0) return false;
    if (roster === undefined) return true;
    if (has(roster, self)) return roster.members.length === 1;
    if (membership.joining()) return false;
    if (!mutants.has("leaver-exits-early")) return left.unsettled === 0;
    return [...everySlot(placement)].every((slot) => core.live.slots.through[slot] === 0);
  }

  return {
    step,
    status,
    answers: (slot) => answers(core, slot),
    history: () => core.live.history,
  };
}

function councilHost(core: Core, decided: (roster: Roster) => void): CouncilHost {
  const { self, boot, prng, mutants, settings } = core;
  return {
    ...{ self, boot, prng, mutants, settings, decided },
    history: () => core.live.history,
    alive: () => core.alive,
    send: (to, body) => core.send(to, body),
  };
}

function isRegisterRequest(body: RosterBody | RecordBody): boolean {
  return body.kind === "get" || body.kind === "prepare" || body.kind === "accept";
}

function isRosterBody(body: RosterBody | RecordBody): body is RosterBody {
  return body.kind === "hello" || body.kind === "rosters" || body.kind === "want" ||
    body.kind === "meet" || body.kind.startsWith("r-");
}
