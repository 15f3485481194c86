// The answering side of a handover and of listing: pages of a slot's accepted rows
// (agreement.md H2, T3). A question comes only at the responder's own epoch (M1), so everything
// before that epoch is sealed here; pages need no snapshot. Pages are bounded in rows and bytes.

import type { NodeId, Slot } from "../base/ids.ts";
import { type Core, type Lane, rosterOf } from "./agreement_core.ts";
import { answers } from "./acceptor.ts";
import type { AcceptedRow, RecordBody, SlotAnswer, SlotQuestion } from "./register_message.ts";
import { throughOf } from "./slot_table.ts";

/** Bytes of a row on the wire besides its key and body: ballots, recent versions, framing. */
const rowOverheadBytes = 1_200;

/** Answers as many of the asked slots as fit one message. */
export function answerSlotRead(
  core: Core,
  body: Extract<RecordBody, { kind: "slot-read" }>,
  { from, lane, epoch }: { readonly from: NodeId; readonly lane: Lane; readonly epoch: number },
): void {
  let left = core.settings.pageBytes;
  const slots: SlotAnswer[] = [];
  for (const question of body.slots) {
    if (left <= 0) break;
    const { answer, bytes } = answerOne(core, { question, lane, left });
    if (answer === undefined) continue;
    slots.push(answer);
    left -= bytes;
  }
  if (slots.length > 0) {
    core.send(from, { kind: "slot-rows", ask: body.ask, slots }, { lane, epoch });
  }
}

/** One page of a slot that this node answers for, for a listing. */
export function answerList(
  core: Core,
  body: Extract<RecordBody, { kind: "list" }>,
  from: NodeId,
): void {
  const { ask, slot, after } = body;
  if (!answers(core, slot)) return;
  const page = pageOf(core, { lane: core.live, slot, after, left: core.settings.pageBytes });
  core.send(from, { kind: "listed", ask, slot, rows: page.rows, next: page.next });
}

function answerOne(
  core: Core,
  { question, lane, left }: {
    readonly question: SlotQuestion;
    readonly lane: Lane;
    readonly left: number;
  },
): { readonly answer: SlotAnswer | undefined; readonly bytes: number } {
  const { slot, last, after } = question;
  // Installed but not yet durable: ask again in a moment.
  if (lane.slots.unready.has(slot)) return { answer: undefined, bytes: 0 };
  const epoch = rosterOf(lane)?.epoch ?? 0;
  const yes = throughOf(lane.slots, { slot, epoch }) >= last;
  if (!yes) return { answer: { slot, last, after, yes, rows: [], next: null }, bytes: 64 };
  const { rows, next, bytes } = pageOf(core, { lane, slot, after, left });
  return { answer: { slot, last, after, yes, rows, next }, bytes: bytes + 64 };
}

function pageOf(
  core: Core,
  { lane, slot, after, left }: {
    readonly lane: Lane;
    readonly slot: Slot;
    readonly after: string;
    readonly left: number;
  },
): { readonly rows: AcceptedRow[]; readonly next: string | null; readonly bytes: number } {
  const limit = core.settings.rowsPerPage;
  const found = lane.rows.scan(slot, { after, limit });
  const rows: AcceptedRow[] = [];
  let bytes = 0;
  let next: string | null = found.length < limit ? null : found[found.length - 1]?.key ?? null;
  let previous = after;
  for (const { key, accepted, value } of found) {
    const size = key.length * 3 + (value?.body.byteLength ?? 0) + rowOverheadBytes;
    // At least one row a page, so that a row of any size gets through.
    if (rows.length > 0 && bytes + size > left) {
      next = previous;
      break;
    }
    previous = key;
    if (accepted === null) continue;
    rows.push({ key, accepted, value });
    bytes += size;
  }
  return { rows, next, bytes };
}
