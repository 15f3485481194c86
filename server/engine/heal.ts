// "Check everything and repair it now": every node is asked, each walks all its files, compares
// what it holds and fetches what it lacks; the one that was asked follows them all and reports.
// Nodes that do not answer are found dead; their blocks come to others once the roster expels
// them (--grace), so healing right after a death ends before that.

import type { Cid, NodeId } from "../../shared/base/ids.ts";
import type { HealState, RepairReply } from "../../shared/wire/repair_message.ts";
import type { Clock } from "./clock.ts";
import type { ReferenceSweep } from "./reference_sweep.ts";
import type { References } from "./references.ts";
import type { Repair } from "./repair.ts";
import type { RepairTalk } from "./repair_talk.ts";

export interface HealOptions {
  readonly self: NodeId;
  readonly references: References;
  readonly sweep: ReferenceSweep;
  readonly repair: Repair;
  readonly talk: RepairTalk;
  readonly clock: Clock;
  /** All members of the roster, this node included. */
  readonly members: () => readonly NodeId[];
  /** Compares the catalog with another node soon. */
  readonly compare: () => void;
}

/** One line of a healing: how far it is, then once the report. */
export type HealLine =
  | {
    readonly kind: "progress";
    readonly nodesDone: number;
    readonly nodes: number;
    readonly blocksWanted: number;
    readonly blocksRestored: number;
  }
  | {
    readonly kind: "report";
    readonly nodesChecked: number;
    readonly nodesDead: number;
    readonly blocksRestored: number;
    /** Wanted, and no node that answers has them; lost for good when no node was dead. */
    readonly blocksLost: number;
  };

const pollMs = 500;
/** A member that answers nothing for so many polls is dead to this healing. */
const silentPollsMax = 4;

interface Patient {
  readonly id: NodeId;
  state: HealState | undefined;
  silent: number;
  dead: boolean;
}

/** Heals the pool on demand, and answers others who do. */
export class Heal {
  readonly #options: HealOptions;
  #mine: { readonly pass: number; readonly before: number } | undefined;

  constructor(options: HealOptions) {
    this.#options = options;
  }

  /** Answers one who heals. */
  answer(begin: boolean): RepairReply {
    if (begin) this.#begin();
    return { kind: "healing", state: this.#state() };
  }

  /** Heals; the last line is the report. Ends early only by the signal. @throws its reason */
  async *run(signal: AbortSignal): AsyncGenerator<HealLine, void, void> {
    const { self, members, clock } = this.#options;
    const patients = members().map((id): Patient => {
      return { id, state: undefined, silent: 0, dead: false };
    });
    this.#begin();
    for (let first = true;; first = false) {
      await Promise.all(patients.map(async (patient) => {
        if (patient.id === self) patient.state = this.#state();
        else if (!patient.dead) await this.#ask(patient, { begin: first, signal });
      }));
      signal.throwIfAborted();
      const alive = patients.filter(({ dead }) => !dead);
      yield progressOf(patients);
      if (alive.every(({ state }) => state?.done === true)) break;
      await clock.sleep(pollMs, signal);
      signal.throwIfAborted();
    }
    yield reportOf(patients);
  }

  #begin(): void {
    const { sweep, repair, compare } = this.#options;
    compare();
    this.#mine = { pass: sweep.request(), before: repair.counts.blocks };
    repair.retry();
  }

  #state(): HealState {
    const { references: { wanted }, sweep, repair } = this.#options;
    const lost = wanted.lost();
    const mine = this.#mine;
    const walked = mine !== undefined && (sweep.whole?.pass ?? -1) >= mine.pass;
    return {
      done: walked && wanted.size === lost.length && repair.idle,
      wanted: wanted.size,
      restored: repair.counts.blocks - (mine?.before ?? repair.counts.blocks),
      lost,
    };
  }

  async #ask(
    patient: Patient,
    how: { readonly begin: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const begin = how.begin || patient.state === undefined;
    const reply = await this.#options.talk.ask(patient.id, { kind: "heal", begin }, how.signal);
    if (reply?.kind === "healing") {
      patient.state = reply.state;
      patient.silent = 0;
    } else if (++patient.silent >= silentPollsMax) patient.dead = true;
  }
}

function progressOf(patients: readonly Patient[]): HealLine {
  const known = patients.filter(({ dead }) => !dead);
  return {
    kind: "progress",
    nodesDone: known.filter(({ state }) => state?.done === true).length,
    nodes: patients.length,
    blocksWanted: known.reduce((sum, { state }) => sum + (state?.wanted ?? 0), 0),
    blocksRestored: known.reduce((sum, { state }) => sum + (state?.restored ?? 0), 0),
  };
}

/** A block that several nodes miss is lost once. */
function reportOf(patients: readonly Patient[]): HealLine {
  const lost = new Set<Cid>(patients.flatMap(({ state, dead }) => dead ? [] : state?.lost ?? []));
  return {
    kind: "report",
    nodesChecked: patients.length,
    nodesDead: patients.filter(({ dead }) => dead).length,
    blocksRestored: patients.reduce((sum, { state }) => sum + (state?.restored ?? 0), 0),
    blocksLost: lost.size,
  };
}
