// Arrival (ARCHITECTURE.md H3): what a handover read becomes the slot's registers, in one
// transaction with the slot's state; own older rows count only as far as they were read like
// everyone else's. The slot is answered from once that is durable.

import type { Slot } from "../base/ids.ts";
import { type Core, rosterOf } from "./agreement_core.ts";

/** Installs the staged rows of these slots of the live lane, which answer from now on. */
export function arrive(core: Core, slots: readonly Slot[]): void {
  const { live } = core;
  const epoch = rosterOf(live)?.epoch ?? 0;
  for (const slot of slots) {
    if (core.mutants.has("keep-own-rows")) stageOwn(core, slot);
    live.slots.since[slot] = epoch;
  }
  core.install(live, slots);
}

/** Only the mutant keep-own-rows comes here: what H3 forbids. */
function stageOwn(core: Core, slot: Slot): void {
  const { lane, rows: registers } = core.live;
  const own = registers.scan(slot, { after: "", limit: Number.MAX_SAFE_INTEGER });
  const rows = own.flatMap(({ key, accepted, value }) =>
    accepted === null ? [] : [{ key, accepted, value }]
  );
  core.write({ kind: "stage", lane, slot, rows });
}
