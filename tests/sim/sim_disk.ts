// The disk of a simulated node: what is durable, and what is written but not yet synced. It keeps
// the contract of agreement_port.ts to the letter and no more: single rows and floors show at
// once, everything else only when durable, and a crash keeps a prefix of what was not synced,
// never a part of a transaction. A machine that trusts more than the contract fails here.

import type { Slot } from "../../shared/base/ids.ts";
import type {
  AgreementDisk,
  AgreementWrite,
  RegisterRow,
  RegisterRows,
  SavedAgreement,
  SlotState,
} from "../../shared/record/agreement_port.ts";
import type { AcceptedRow } from "../../shared/record/register_message.ts";
import type { Ballot } from "../../shared/record/value.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import type { CouncilState } from "../../shared/ring/roster_message.ts";
import { compareVersions } from "./history.ts";

/** A disk with its un-synced writes. */
export interface SimDisk {
  /** Start counter; durable before a start says anything. */
  boot: number;
  /** Takes one transaction; it is not durable yet. */
  write(writes: readonly AgreementWrite[]): void;
  readonly unsynced: number;
  /** Makes the oldest `count` un-synced transactions durable. */
  sync(count: number): void;
  /** Drops what is not durable. */
  crash(): void;
  /** What a start finds; the rows it hands out are live. */
  open(): AgreementDisk;
}

interface LaneRows {
  readonly rows: Map<string, RegisterRow>;
  floor: Ballot | null;
  readonly stage: Map<string, AcceptedRow>;
}

interface Lane {
  rosters: Roster[];
  readonly states: Map<Slot, SlotState>;
  readonly slots: Map<Slot, LaneRows>;
}

/** Un-synced single rows (null: deleted) and floors, by lane, slot and key. */
interface Overlay {
  readonly rows: Map<string, { readonly row: RegisterRow | null; readonly transaction: number }>;
  readonly floors: Map<string, { readonly floor: Ballot; readonly transaction: number }>;
}

interface Durable {
  lane: number;
  leaving: boolean;
  council: CouncilState | null;
  readonly lanes: Map<number, Lane>;
}

/** An empty disk. @throws never */
export function createSimDisk(): SimDisk {
  const durable: Durable = { lane: 0, leaving: false, council: null, lanes: new Map() };
  const overlay: Overlay = { rows: new Map(), floors: new Map() };
  let pending: (readonly AgreementWrite[])[] = [];
  let written = 0;
  return {
    boot: 0,
    write(writes) {
      written += 1;
      pending.push(writes);
      for (const write of writes) show(overlay, write, written);
    },
    get unsynced() {
      return pending.length;
    },
    sync(count) {
      for (const writes of pending.slice(0, count)) {
        for (const write of writes) apply(durable, write);
      }
      pending = pending.slice(count);
      settle(overlay, written - pending.length);
    },
    crash() {
      pending = [];
      overlay.rows.clear();
      overlay.floors.clear();
    },
    open: () => ({ saved: saved(durable), rows: (lane) => laneRows({ durable, overlay, lane }) }),
  };
}

const rowName = (lane: number, slot: Slot, key: string) => `${lane}/${slot}/${key}`;
const slotName = (lane: number, slot: Slot) => `${lane}/${slot}`;

/** What the rows port must show before it is durable. */
function show(overlay: Overlay, write: AgreementWrite, transaction: number): void {
  if (write.kind === "row") {
    overlay.rows.set(rowName(write.lane, write.slot, write.row.key), {
      row: write.row,
      transaction,
    });
  } else if (write.kind === "drop row") {
    overlay.rows.set(rowName(write.lane, write.slot, write.key), { row: null, transaction });
  } else if (write.kind === "floor") {
    overlay.floors.set(slotName(write.lane, write.slot), { floor: write.floor, transaction });
  }
}

/** Forgets what transactions up to `durable` showed: the durable state shows it now. */
function settle(overlay: Overlay, durable: number): void {
  for (const [name, { transaction }] of overlay.rows) {
    if (transaction <= durable) overlay.rows.delete(name);
  }
  for (const [name, { transaction }] of overlay.floors) {
    if (transaction <= durable) overlay.floors.delete(name);
  }
}

function laneOf(durable: Durable, lane: number): Lane {
  let found = durable.lanes.get(lane);
  if (found === undefined) {
    found = { rosters: [], states: new Map(), slots: new Map() };
    durable.lanes.set(lane, found);
  }
  return found;
}

function slotOf(durable: Durable, lane: number, slot: Slot): LaneRows {
  const { slots } = laneOf(durable, lane);
  let found = slots.get(slot);
  if (found === undefined) {
    found = { rows: new Map(), floor: null, stage: new Map() };
    slots.set(slot, found);
  }
  return found;
}

function apply(durable: Durable, write: AgreementWrite): void {
  switch (write.kind) {
    case "roster":
      laneOf(durable, write.lane).rosters.push(write.roster);
      return;
    case "trim": {
      const lane = laneOf(durable, write.lane);
      lane.rosters = lane.rosters.filter((roster) => roster.epoch >= write.before);
      return;
    }
    case "council":
      durable.council = write.state;
      return;
    case "slots":
      for (const state of write.slots) {
        laneOf(durable, write.lane).states.set(state.slot, state);
      }
      return;
    case "row":
      slotOf(durable, write.lane, write.slot).rows.set(write.row.key, write.row);
      return;
    case "drop row":
      slotOf(durable, write.lane, write.slot).rows.delete(write.key);
      return;
    case "floor":
      slotOf(durable, write.lane, write.slot).floor = write.floor;
      return;
    case "stage":
      return stage(slotOf(durable, write.lane, write.slot), write.rows);
    case "unstage":
      slotOf(durable, write.lane, write.slot).stage.clear();
      return;
    case "install":
      return install(slotOf(durable, write.lane, write.slot));
    case "drop slot":
      laneOf(durable, write.lane).slots.delete(write.slot);
      return;
    case "node":
      durable.lane = write.lane;
      durable.leaving = write.leaving;
      return;
    case "drop lane":
      durable.lanes.delete(write.lane);
      return;
    default:
      throw write satisfies never;
  }
}

function stage(slot: LaneRows, rows: readonly AcceptedRow[]): void {
  for (const row of rows) {
    const staged = slot.stage.get(row.key);
    if (staged === undefined || compareVersions(row.accepted, staged.accepted) > 0) {
      slot.stage.set(row.key, row);
    }
  }
}

function install(slot: LaneRows): void {
  slot.rows.clear();
  for (const { key, accepted, value } of slot.stage.values()) {
    slot.rows.set(key, { key, promised: accepted, accepted, value });
  }
  slot.stage.clear();
  slot.floor = null;
}

function saved(durable: Durable): SavedAgreement {
  const lanes = [...durable.lanes].map(([lane, { rosters, states }]) => ({
    lane,
    rosters: [...rosters],
    slots: [...states.values()].filter((s) => s.since !== 0 || s.through !== 0 || s.owed),
  }));
  const { lane, leaving, council } = durable;
  return { lane, leaving, council, lanes: lanes.filter(({ rosters }) => rosters.length > 0) };
}

interface Source {
  readonly durable: Durable;
  readonly overlay: Overlay;
  readonly lane: number;
}

function laneRows(source: Source): RegisterRows {
  const { durable, overlay, lane } = source;
  const durableSlot = (slot: Slot) => durable.lanes.get(lane)?.slots.get(slot);
  const get = (slot: Slot, key: string) => {
    const shown = overlay.rows.get(rowName(lane, slot, key));
    return shown === undefined ? durableSlot(slot)?.rows.get(key) : shown.row ?? undefined;
  };
  return {
    get,
    scan: (slot, { after, limit }) =>
      keysOf(source, slot)
        .filter((key) => key > after)
        .sort()
        .flatMap((key) => get(slot, key) ?? [])
        .slice(0, limit),
    empty: () => {
      const slots = [...durable.lanes.get(lane)?.slots.keys() ?? []];
      const shown = [...overlay.rows].some(([name, { row }]) =>
        row !== null && name.startsWith(`${lane}/`)
      );
      return !shown &&
        slots.every((slot) => keysOf(source, slot).every((key) => get(slot, key) === undefined));
    },
    floor: (slot) =>
      overlay.floors.get(slotName(lane, slot))?.floor ?? durableSlot(slot)?.floor ?? null,
    tombstones({ beforeMs, limit }) {
      const slots = [...durable.lanes.get(lane)?.slots.keys() ?? []];
      const found = slots.flatMap((slot) =>
        keysOf(source, slot)
          .filter((key) => isOldTombstone(get(slot, key), beforeMs))
          .map((key) => ({ slot, key }))
      );
      return found.slice(0, limit);
    },
  };
}

function keysOf({ durable, overlay, lane }: Source, slot: Slot): string[] {
  const keys = new Set(durable.lanes.get(lane)?.slots.get(slot)?.rows.keys() ?? []);
  const prefix = rowName(lane, slot, "");
  for (const name of overlay.rows.keys()) {
    if (name.startsWith(prefix)) keys.add(name.slice(prefix.length));
  }
  return [...keys];
}

function isOldTombstone(row: RegisterRow | undefined, beforeMs: number): boolean {
  return row?.value?.deleted === true && row.value.stamp[0] < beforeMs;
}
