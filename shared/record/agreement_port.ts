// Everything that goes in and out of the agreement machine (agreement.ts): inputs, outputs, what
// is on disk, and the rows port. The machine is synchronous and never awaits; its driver carries
// the outputs out in order.
//
// Driver contract. Outputs of all steps form one FIFO. After a `persist`, nothing later (of this
// or a later step) leaves before its writes are durable, all in one transaction. The rows port
// shows a persisted `row`, `floor`, `drop row` at once (before it is durable); `stage`, `install`
// and `drop slot` need only show once durable. A message sent to self is handed back by the same
// FIFO and is never lost. All else may be lost, doubled, late, reordered.
// Lanes: rows of one lineage chain live in one lane; a node that dissolved into another lineage
// keeps the old lane beside the new one until its records have been offered there.

import type { Lineage, NodeId, Slot } from "../base/ids.ts";
import type { Prng } from "../base/prng.ts";
import type { Roster } from "../ring/roster.ts";
import type { CouncilState, RosterBody, RosterChange } from "../ring/roster_message.ts";
import type { Mutants } from "../ring/mutant.ts";
import type { AcceptedRow, RecordBody } from "./register_message.ts";
import type { Ballot, Stamp, Value } from "./value.ts";

/** One message between nodes. `lineage` is "" and `epoch` 0 when the sender has no roster yet. */
export interface AgreementMessage {
  readonly lineage: Lineage;
  readonly epoch: number;
  readonly body: RosterBody | RecordBody;
}

/** One register on disk. `promised` >= `accepted` always; both null never. */
export interface RegisterRow {
  readonly key: string;
  readonly promised: Ballot | null;
  readonly accepted: Ballot | null;
  /** null also when an absent register was re-accepted. */
  readonly value: Value | null;
}

/** Synchronous reads of one lane's rows. Never throws for missing rows. */
export interface RegisterRows {
  get(slot: Slot, key: string): RegisterRow | undefined;
  /** Rows with key > `after`, ascending, at most `limit`. */
  scan(slot: Slot, options: { readonly after: string; readonly limit: number }): RegisterRow[];
  /** Whether the lane holds no row at all. */
  empty(): boolean;
  /** Least promise of a missing row of this slot (T2). */
  floor(slot: Slot): Ballot | null;
  /** Tombstones whose stamp is older than `beforeMs`: candidates, checked again by the machine. */
  tombstones(
    options: { readonly beforeMs: number; readonly limit: number },
  ): { readonly slot: Slot; readonly key: string }[];
}

/** What a slot's registers are to this node; no row on disk when all is 0 and false. */
export interface SlotState {
  readonly slot: Slot;
  /** Epoch since when it answers without a break; 0 while it does not answer. */
  readonly since: number;
  /** While not answering: the last epoch through which it held the slot; 0 nothing held. */
  readonly through: number;
  /** It decided this slot once, and has not seen it settled since (R8). */
  readonly owed: boolean;
}

/** One change of the disk; a `persist` output is one transaction of these, in order. */
export type AgreementWrite =
  | { readonly kind: "roster"; readonly lane: number; readonly roster: Roster }
  /** Deletes the lane's rosters with an epoch below `before`. */
  | { readonly kind: "trim"; readonly lane: number; readonly before: number }
  | { readonly kind: "council"; readonly state: CouncilState | null }
  | { readonly kind: "slots"; readonly lane: number; readonly slots: readonly SlotState[] }
  | { readonly kind: "row"; readonly lane: number; readonly slot: Slot; readonly row: RegisterRow }
  | {
    readonly kind: "drop row";
    readonly lane: number;
    readonly slot: Slot;
    readonly key: string;
  }
  | {
    readonly kind: "floor";
    readonly lane: number;
    readonly slot: Slot;
    readonly floor: Ballot;
  }
  /** Rows read during a handover, set beside the slot: per key the greater ballot stays. */
  | {
    readonly kind: "stage";
    readonly lane: number;
    readonly slot: Slot;
    readonly rows: readonly AcceptedRow[];
  }
  | { readonly kind: "unstage"; readonly lane: number; readonly slot: Slot }
  /** The slot's rows become the staged ones (promised := accepted), floor none, stage empty. */
  | { readonly kind: "install"; readonly lane: number; readonly slot: Slot }
  /** Rows, floor and stage of the slot are deleted (its state comes as a `slots` write). */
  | { readonly kind: "drop slot"; readonly lane: number; readonly slot: Slot }
  /** The live lane from now on; `leaving` and `outside` are this node's persisted intents. */
  | { readonly kind: "node"; readonly lane: number; readonly leaving: boolean }
  /** Deletes everything of a lane. */
  | { readonly kind: "drop lane"; readonly lane: number };

/** One lane as found on disk at start. */
export interface SavedLane {
  readonly lane: number;
  /** Ascending, consecutive epochs. */
  readonly rosters: readonly Roster[];
  readonly slots: readonly SlotState[];
}

/** Everything but the rows, as found on disk at start. */
export interface SavedAgreement {
  /** The live lane; 0 on an empty disk. */
  readonly lane: number;
  readonly leaving: boolean;
  readonly council: CouncilState | null;
  readonly lanes: readonly SavedLane[];
}

export interface AgreementDisk {
  readonly saved: SavedAgreement;
  /** Rows of a lane; called once a lane. */
  rows(lane: number): RegisterRows;
}

/** How keys, slots and deciders hang together; the simulator injects small hand-made ones. */
export interface Placement {
  readonly slotCount: number;
  slotOf(key: string): Slot;
  /** D(e, s): 3 distinct members, or 1 in a roster of one or two. Same order not required. */
  decidersOf(roster: Roster, slot: Slot): readonly NodeId[];
}

/** Times in ms (ARCHITECTURE.md, "Agreement"), sizes as counts. */
export interface AgreementSettings {
  readonly fastReadMs: number;
  readonly attemptMs: readonly [low: number, high: number];
  readonly backoffMs: { readonly first: number; readonly most: number };
  readonly rosterAttemptMs: number;
  readonly rosterBackoffMs: {
    readonly least: number;
    readonly first: number;
    readonly most: number;
  };
  readonly batchMs: number;
  readonly helloMs: number;
  readonly handoverRetryMs: readonly [low: number, high: number];
  /** How long a handover waits for the last answer once a majority answered without agreeing. */
  readonly handoverPatienceMs: number;
  readonly settleMs: number;
  readonly tombstoneAgeMs: number;
  readonly tombstoneScanMs: number;
  readonly pauseMs: number;
  /** Slots read at once, slots in one message, rows in one page. */
  readonly handoverSlots: number;
  readonly slotsPerMessage: number;
  readonly rowsPerPage: number;
  /** Encoded bytes of rows in one slot-rows message. */
  readonly pageBytes: number;
  /** Rosters kept behind the newest at which all were answering. */
  readonly historyKeep: number;
  readonly operationsMax: number;
}

/** Conditions compare `version`, never the accepted ballot; absent and tombstone are one (P7). */
export type Condition =
  | { readonly kind: "any" }
  | { readonly kind: "absent" }
  | { readonly kind: "present" }
  | { readonly kind: "version"; readonly version: Ballot }
  /** Absent, or carrying an older stamp: how records of a dissolved lineage are offered. */
  | { readonly kind: "older"; readonly stamp: Stamp };

/** What a change function makes of the present value: undefined refuses (outcome failed). */
export type Edit = (current: Value | undefined) =>
  | { readonly stamp: Stamp; readonly deleted: boolean; readonly body: Uint8Array }
  | undefined;

export type Change =
  /** `settle`: no short way (P2, P4), so that a rival which nobody chose is gone afterwards. */
  | { readonly kind: "get"; readonly settle?: boolean }
  | {
    readonly kind: "put";
    readonly body: Uint8Array;
    readonly stamp: Stamp;
    readonly condition: Condition;
  }
  | { readonly kind: "delete"; readonly stamp: Stamp; readonly condition: Condition }
  /** Called once an attempt, with a tombstone shown as it is; must be pure. */
  | { readonly kind: "edit"; readonly edit: Edit };

export type Outcome =
  /** The value as decided (a tombstone after a delete), undefined when absent. */
  | { readonly kind: "ok"; readonly value: Value | undefined; readonly version: Ballot | undefined }
  /** The condition failed on this value. */
  | { readonly kind: "failed"; readonly value: Value | undefined }
  /** Nothing was written. */
  | { readonly kind: "no_quorum" }
  /** It may have been written, now or later. */
  | { readonly kind: "unknown" }
  /** Too many operations at once: nothing was tried. */
  | { readonly kind: "busy" };

/** Changes of the roster as the driver asks for them; conditions are filled in by the machine. */
export type Proposal =
  | { readonly kind: "join"; readonly capacity: number; readonly zone: string }
  | { readonly kind: "leave" }
  | { readonly kind: "expel"; readonly id: NodeId }
  | { readonly kind: "resize"; readonly capacity: number }
  | { readonly kind: "forget"; readonly id: NodeId }
  /** F3: the council's majority is gone for good, and these disks with it. */
  | {
    readonly kind: "force";
    readonly lost: readonly NodeId[];
    readonly foundedAt: number;
    readonly salt: string;
  };

export type AgreementInput =
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly from: NodeId; readonly message: AgreementMessage }
  | {
    readonly kind: "operation";
    /** Unique within this boot; comes back in `result`. */
    readonly id: number;
    readonly key: string;
    readonly change: Change;
    readonly deadlineAt: number;
  }
  /** One page of a slot's registers (T3). */
  | {
    readonly kind: "list";
    /** Unique within this boot; comes back in `listing`. */
    readonly id: number;
    readonly slot: Slot;
    /** Keys greater than this only; "" from the start. */
    readonly after: string;
    readonly deadlineAt: number;
  }
  /** F1: roster 1 = this node alone. Only on an empty disk. */
  | {
    readonly kind: "found";
    readonly capacity: number;
    readonly zone: string;
    readonly foundedAt: number;
    readonly salt: string;
  }
  | { readonly kind: "propose"; readonly proposal: Proposal }
  /** Peers believed alive, self included: an opinion, used for councils and pacing only. */
  | { readonly kind: "liveness"; readonly alive: readonly NodeId[] }
  /** What members said of themselves in the netmap: lets history be trimmed. */
  | {
    readonly kind: "reports";
    readonly reports: readonly {
      readonly id: NodeId;
      readonly epoch: number;
      readonly arriving: number;
    }[];
  }
  /** The process slept: outstanding operations end unknown. */
  | { readonly kind: "resumed" }
  /** Outstanding operations end unknown and nothing is begun any more. */
  | { readonly kind: "stop" };

export type AgreementOutput =
  | { readonly kind: "persist"; readonly writes: readonly AgreementWrite[] }
  | { readonly kind: "send"; readonly to: NodeId; readonly message: AgreementMessage }
  | { readonly kind: "result"; readonly id: number; readonly outcome: Outcome }
  /** undefined: no majority of deciders answered in time. */
  | { readonly kind: "listing"; readonly id: number; readonly page: ListingPage | undefined }
  | { readonly kind: "adopted"; readonly roster: Roster }
  /** A value known to be decided, at the node that saw its majority; feeds the catalog. */
  | { readonly kind: "decided"; readonly key: string; readonly value: Value };

/** A page of a slot, ascending. Exact per key, not a snapshot over keys. */
export interface ListingPage {
  /** Keys on which a majority agreed; value null: absent. */
  readonly decided: readonly AcceptedRow[];
  /** Keys that need a normal read each. */
  readonly open: readonly string[];
  /** Where the next page begins, null at the end. */
  readonly next: string | null;
}

export interface AgreementStatus {
  readonly roster: Roster | undefined;
  /** Whether this node is in the roster. */
  readonly member: boolean;
  readonly answering: number;
  readonly arriving: number;
  /** The first arriving slots with the members whose answers are awaited. */
  readonly waiting: readonly { readonly slot: Slot; readonly for: readonly NodeId[] }[];
  /** Slots it no longer decides and still holds or owes an answer for. */
  readonly unsettled: number;
  /** It has left, and every slot it ever decided is settled: it may exit for good (R8). */
  readonly mayExit: boolean;
  /** A majority of the council is not believed alive: no new roster, no writes (R6). */
  readonly readOnly: boolean;
  readonly operations: number;
  /** Old lineages whose records are still being offered. */
  readonly aside: number;
  readonly pendingChanges: readonly RosterChange[];
  readonly oldestEpoch: number;
}

export interface AgreementOptions {
  readonly self: NodeId;
  /** Persisted before the machine starts; +1 at each start. */
  readonly boot: number;
  readonly prng: Prng;
  readonly disk: AgreementDisk;
  readonly placement: Placement;
  readonly settings: AgreementSettings;
  readonly mutants: Mutants;
}

export interface Agreement {
  step(input: AgreementInput, now: number): readonly AgreementOutput[];
  status(): AgreementStatus;
  /** Whether this node answers for the slot's registers now. */
  answers(slot: Slot): boolean;
  /** The roster chain as kept, oldest first. */
  history(): readonly Roster[];
}
