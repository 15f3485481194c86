// What the parts of the agreement machine share: identity, lanes, and the outputs of the step
// under way. All writes of a step become one `persist` in front of everything that it sends, so
// "persist, then reply" holds by construction and not by care in each part.

import { asLineage, type NodeId, type Slot } from "../base/ids.ts";
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import type { Mutants } from "../ring/mutant.ts";
import { has } from "../ring/roster_change.ts";
import type { Roster } from "../ring/roster.ts";
import type { RosterBody } from "../ring/roster_message.ts";
import type {
  AgreementOptions,
  AgreementOutput,
  AgreementSettings,
  AgreementWrite,
  Placement,
  RegisterRows,
} from "./agreement_port.ts";
import type { RecordBody } from "./register_message.ts";
import { createSlotTable, slotState, type SlotTable } from "./slot_table.ts";

/** One chain with its slots and rows: the live one, or an old one still to be offered (F2). */
export interface Lane {
  readonly lane: number;
  /** Ascending, consecutive; the last is the present roster. */
  readonly history: Roster[];
  readonly slots: SlotTable;
  readonly rows: RegisterRows;
}

/** State and outputs of the step under way. */
export interface Core {
  readonly self: NodeId;
  readonly boot: number;
  readonly prng: Prng;
  readonly placement: Placement;
  readonly settings: AgreementSettings;
  readonly mutants: Mutants;
  now: number;
  live: Lane;
  readonly aside: Lane[];
  leaving: boolean;
  stopped: boolean;
  alive: ReadonlySet<NodeId>;
  write(write: AgreementWrite): void;
  /** To a peer, or to itself (comes back after what was persisted), under the lane's epoch. */
  send(to: NodeId, body: RosterBody | RecordBody, under?: { lane?: Lane; epoch?: number }): void;
  emit(output: AgreementOutput): void;
  /** Writes the state of slots to disk. */
  saveSlots(lane: Lane, slots: readonly Slot[]): void;
  /** Installs the staged rows of slots that are open now; they are answered from once durable. */
  install(lane: Lane, slots: readonly Slot[]): void;
  /** The installed rows are durable, unless a later install is under way. */
  installed(lane: Lane, body: { readonly ask: number; readonly slots: readonly Slot[] }): Slot[];
  /** A number never used before by this node. */
  ask(): number;
  /** An empty lane for another lineage. */
  openLane(): Lane;
  /** The outputs of this step, in order; starts the next. */
  flush(): readonly AgreementOutput[];
}

/** Present roster of a lane. */
export function rosterOf(lane: Lane): Roster | undefined {
  return lane.history[lane.history.length - 1];
}

/** Whether this node is in the live roster. */
export function isMember(core: Core): boolean {
  const roster = rosterOf(core.live);
  return roster !== undefined && has(roster, core.self);
}

/** Core over what the disk holds. @throws {AssertionError} when a lane's rosters have gaps */
export function createCore(options: AgreementOptions): Core {
  const { self, boot, prng, disk, placement, settings, mutants } = options;
  const lanes = disk.saved.lanes.map((saved): Lane => {
    assertChain(saved.rosters);
    const slots = createSlotTable(saved.slots, { rosters: saved.rosters, placement });
    return { lane: saved.lane, history: [...saved.rosters], slots, rows: disk.rows(saved.lane) };
  });
  const emptyLane = (lane: number): Lane => ({
    lane,
    history: [],
    slots: createSlotTable([], { rosters: [], placement }),
    rows: disk.rows(lane),
  });
  const live = lanes.find((lane) => lane.lane === disk.saved.lane) ?? emptyLane(disk.saved.lane);
  let writes: AgreementWrite[] = [];
  let outputs: AgreementOutput[] = [];
  let asked = 0;

  const core: Core = {
    self,
    boot,
    prng,
    placement,
    settings,
    mutants,
    now: 0,
    live,
    aside: lanes.filter((lane) => lane !== live),
    leaving: disk.saved.leaving,
    stopped: false,
    alive: new Set([self]),
    write: (write) => void writes.push(write),
    send(to, body, under = {}) {
      const roster = rosterOf(under.lane ?? core.live);
      const lineage = roster?.lineage ?? asLineage("");
      const epoch = under.epoch ?? roster?.epoch ?? 0;
      outputs.push({ kind: "send", to, message: { lineage, epoch, body } });
    },
    emit: (output) => void outputs.push(output),
    saveSlots(lane, slots) {
      if (slots.length === 0) return;
      const rows = slots.map((slot) => slotState(lane.slots, slot));
      core.write({ kind: "slots", lane: lane.lane, slots: rows });
    },
    install(lane, slots) {
      const ask = core.ask();
      for (const slot of slots) {
        lane.slots.unready.set(slot, ask);
        core.write({ kind: "install", lane: lane.lane, slot });
      }
      core.saveSlots(lane, slots);
      core.send(self, { kind: "installed", ask, lane: lane.lane, slots });
    },
    installed(lane, { ask, slots }) {
      const ready = slots.filter((slot) => lane.slots.unready.get(slot) === ask);
      for (const slot of ready) lane.slots.unready.delete(slot);
      return ready;
    },
    ask: () => boot * 2 ** 32 + asked++,
    openLane: () => emptyLane(Math.max(core.live.lane, ...core.aside.map((old) => old.lane)) + 1),
    flush() {
      const persist: AgreementOutput[] = writes.length === 0 ? [] : [{ kind: "persist", writes }];
      const flushed = mutants.has("reply-before-disk")
        ? [...outputs, ...persist]
        : [...persist, ...outputs];
      writes = [];
      outputs = [];
      return flushed;
    },
  };
  return core;
}

function assertChain(rosters: readonly Roster[]): void {
  for (const [at, roster] of rosters.entries()) {
    const before = rosters[at - 1];
    assert(before === undefined || roster.epoch === before.epoch + 1, "a chain has no gaps");
  }
}
