// The answering side of a handover and of listing: pages of a slot's accepted rows
// (ARCHITECTURE.md H2, T3). A question comes only at the responder's own epoch (M1), so everything
// before that epoch is sealed here; pages need no snapshot. Pages are bounded in rows and bytes.

import type { NodeId, Slot } from "../base/ids.ts";
import { type Core, type Lane, rosterOf } from "./agreement_core.ts";
import { answers } from "./acceptor.ts";
import type { AcceptedRow, RecordBody, SlotAnswer, SlotQuestion } from "./register_message.ts";
import { throughOf } from "./slot_table.ts";

/** Bytes of a row on the wire besides its key and body: ballots, recent versions, framing. */
const rowOverheadBytes = 1_200;
/** Bytes of an answer about a slot without rows. */
const answerBytes = 128;

/** Rows read from the disk at once: a page of large values must not fill the memory. */
const rowsPerScan = 16;

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
    // Installed but not yet durable: to be asked again in a moment.
    if (lane.slots.unready.has(question.slot)) continue;
    const { answer, bytes } = answerOne(core, { question, lane, left });
    // A row of any size gets through, but only alone.
    if (bytes > left && slots.length > 0) break;
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

interface Page {
  readonly rows: AcceptedRow[];
  readonly next: string | null;
  readonly bytes: number;
}

function answerOne(
  core: Core,
  { question, lane, left }: {
    readonly question: SlotQuestion;
    readonly lane: Lane;
    readonly left: number;
  },
): { readonly answer: SlotAnswer; readonly bytes: number } {
  const { slot, last, after } = question;
  const epoch = rosterOf(lane)?.epoch ?? 0;
  const yes = throughOf(lane.slots, { slot, epoch }) >= last;
  const { rows, next, bytes }: Page = yes
    ? pageOf(core, { lane, slot, after, left })
    : { rows: [], next: null, bytes: 0 };
  return { answer: { slot, last, after, yes, rows, next }, bytes: bytes + answerBytes };
}

/** Accepted rows after a key: as many as fit, and one at least. */
function pageOf(
  core: Core,
  { lane, slot, after, left }: {
    readonly lane: Lane;
    readonly slot: Slot;
    readonly after: string;
    readonly left: number;
  },
): Page {
  const rows: AcceptedRow[] = [];
  const limit = Math.min(rowsPerScan, core.settings.rowsPerPage);
  let bytes = 0;
  let previous = after;
  for (;;) {
    const found = lane.rows.scan(slot, { after: previous, limit });
    for (const { key, accepted, value } of found) {
      const size = key.length * 3 + (value?.body.byteLength ?? 0) + rowOverheadBytes;
      const full = bytes + size > left || rows.length >= core.settings.rowsPerPage;
      if (rows.length > 0 && full) return { rows, next: previous, bytes };
      previous = key;
      if (accepted === null) continue;
      rows.push({ key, accepted, value });
      bytes += size;
    }
    if (found.length < limit) return { rows, next: null, bytes };
  }
}
