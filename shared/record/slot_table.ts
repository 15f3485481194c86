// What each slot's registers are to this node (ARCHITECTURE.md, "Agreement" `through`). While a
// slot answers, `through` is the present epoch and only the epoch of its opening is stored; so a
// new roster writes a row only for slots that change, not for all of them.
//
//   since[s] > 0    answering since that epoch without a break
//   since[s] = 0    through[s]: the last epoch through which the slot was held, 0 nothing
//   config[s]       first epoch of the present run of the same deciders: since(e, s)
//   unready         installed (under that number), rows not yet known durable: not answered from

import { asSlot, type NodeId, type Slot } from "../base/ids.ts";
import type { Roster } from "../ring/roster.ts";
import type { Placement, SlotState } from "./agreement_port.ts";

export interface SlotTable {
  readonly since: Uint32Array;
  readonly through: Uint32Array;
  readonly owed: Uint8Array;
  readonly config: Uint32Array;
  readonly unready: Map<Slot, number>;
}

/** A table of `count` slots as saved. `config` is filled from the chain. @throws never */
export function createSlotTable(
  saved: readonly SlotState[],
  chain: { readonly rosters: readonly Roster[]; readonly placement: Placement },
): SlotTable {
  const count = chain.placement.slotCount;
  const table: SlotTable = {
    since: new Uint32Array(count),
    through: new Uint32Array(count),
    owed: new Uint8Array(count),
    config: new Uint32Array(count),
    unready: new Map(),
  };
  for (const { slot, since, through, owed } of saved) {
    table.since[slot] = since;
    table.through[slot] = through;
    table.owed[slot] = owed ? 1 : 0;
  }
  fillConfigurations(table, chain);
  return table;
}

/** The row of one slot as it goes to disk. @throws never */
export function slotState(table: SlotTable, slot: Slot): SlotState {
  return {
    slot,
    since: table.since[slot] ?? 0,
    through: table.through[slot] ?? 0,
    owed: table.owed[slot] === 1,
  };
}

/** `through[s]` of ARCHITECTURE.md at epoch `epoch`. @throws never */
export function throughOf(table: SlotTable, at: { slot: Slot; epoch: number }): number {
  return (table.since[at.slot] ?? 0) > 0 ? at.epoch : table.through[at.slot] ?? 0;
}

/** Whether two sets of deciders are one, whatever their order. @throws never */
export function sameDeciders(left: readonly NodeId[], right: readonly NodeId[]): boolean {
  return left === right || (left.length === right.length && left.every((id) => right.includes(id)));
}

/** All slots, in order. */
export function* everySlot(placement: Placement): Generator<Slot> {
  for (let index = 0; index < placement.slotCount; index++) yield asSlot(index);
}

function fillConfigurations(
  table: SlotTable,
  { rosters, placement }: { readonly rosters: readonly Roster[]; readonly placement: Placement },
): void {
  let open = [...everySlot(placement)];
  for (let at = rosters.length - 1; at >= 0; at--) {
    const roster = rosters[at];
    const older = rosters[at - 1];
    if (roster === undefined) return;
    open = open.filter((slot) => {
      table.config[slot] = roster.epoch;
      return older !== undefined && sameDeciders(
        placement.decidersOf(roster, slot),
        placement.decidersOf(older, slot),
      );
    });
  }
}
