// What proposers, deciders and arriving owners say about registers (ARCHITECTURE.md, "Agreement").
// Every message also carries lineage and epoch: see AgreementMessage. `ask` is a number the asker
// never used before, echoed by the answer: an answer to an earlier question is never counted.
// Encoded by wire/record_message.ts.

import type { Slot } from "../base/ids.ts";
import type { Ballot, Value } from "./value.ts";

/** One accepted row as it travels: handover and listing. */
export interface AcceptedRow {
  readonly key: string;
  readonly accepted: Ballot;
  /** null when an absent register was re-accepted: it still outranks older rivals. */
  readonly value: Value | null;
}

/** Asks for the rows of one slot, for the configuration that ended with epoch `last`. */
export interface SlotQuestion {
  readonly slot: Slot;
  readonly last: number;
  /** Keys greater than this only; "" from the start. */
  readonly after: string;
}

export interface SlotAnswer {
  readonly slot: Slot;
  readonly last: number;
  readonly after: string;
  /** Whether the responder holds the slot through epoch `last` (H2). */
  readonly yes: boolean;
  readonly rows: readonly AcceptedRow[];
  /** Where the next page begins, or null when this was the last. */
  readonly next: string | null;
}

export type RecordBody =
  | { readonly kind: "get"; readonly ask: number; readonly key: string }
  | {
    readonly kind: "have";
    readonly ask: number;
    readonly key: string;
    readonly accepted: Ballot | null;
    readonly value: Value | null;
  }
  | { readonly kind: "prepare"; readonly key: string; readonly ballot: Ballot }
  | {
    readonly kind: "promise";
    readonly key: string;
    readonly ballot: Ballot;
    readonly accepted: Ballot | null;
    readonly value: Value | null;
  }
  | {
    readonly kind: "accept";
    readonly key: string;
    readonly ballot: Ballot;
    /** null: the register stays absent (a read's or failed condition's write-back). */
    readonly value: Value | null;
  }
  | { readonly kind: "accepted"; readonly key: string; readonly ballot: Ballot }
  | {
    readonly kind: "no";
    readonly key: string;
    readonly ballot: Ballot;
    readonly promised: Ballot;
  }
  /** A hint to ask someone else: never counts (M3). */
  | { readonly kind: "arriving"; readonly key: string }
  /** Many slots of one peer in one message; pages bounded in bytes by the responder. */
  | { readonly kind: "slot-read"; readonly ask: number; readonly slots: readonly SlotQuestion[] }
  /** Answers for a prefix of the questions; the rest is asked again. */
  | { readonly kind: "slot-rows"; readonly ask: number; readonly slots: readonly SlotAnswer[] }
  | { readonly kind: "settled?"; readonly ask: number; readonly slots: readonly Slot[] }
  /** Those of the asked slots for which the responder answers at this epoch. */
  | { readonly kind: "settled"; readonly ask: number; readonly slots: readonly Slot[] }
  | { readonly kind: "tomb?"; readonly key: string; readonly ballot: Ballot }
  | { readonly kind: "tomb"; readonly key: string; readonly ballot: Ballot }
  | { readonly kind: "drop"; readonly key: string; readonly ballot: Ballot }
  /** Rows of a slot at an answering decider, for listing (T3). */
  | {
    readonly kind: "list";
    readonly ask: number;
    readonly slot: Slot;
    readonly after: string;
  }
  | {
    readonly kind: "listed";
    readonly ask: number;
    readonly slot: Slot;
    readonly rows: readonly AcceptedRow[];
    readonly next: string | null;
  }
  /** To itself only: these slots' installed rows are durable and may be read and answered from. */
  | {
    readonly kind: "installed";
    readonly ask: number;
    readonly lane: number;
    readonly slots: readonly Slot[];
  };
