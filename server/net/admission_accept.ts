// The side of the admission exchange that was dialled, over a mailbox (messages:
// shared/wire/admission.ts; the dialler's side: web/peer/admission_dial.ts).

import {
  encodeAdmission,
  judgeTicket,
  nonceBytes,
  ownSpeech,
  proofOf,
  type RefusalReason,
  type Ticket,
  type Transcript,
  understands,
} from "../../shared/wire/admission.ts";
import { type DialContext, isOlder } from "../../web/peer/admission_dial.ts";
import {
  ended,
  type ExchangeOutcome,
  hear,
  type Judged,
  judgeProofs,
  refuse,
  refused,
  refuseVersion,
} from "../../web/peer/admission_words.ts";
import type { PeerRole } from "../../web/peer/caller.ts";
import type { Mailbox } from "../../web/peer/mailbox.ts";

/** What the dialled side knows before a word is said. */
export interface AcceptContext extends Omit<DialContext, "ticket"> {
  /** Keys that tickets are made with; never none. */
  readonly tickets: readonly Uint8Array[];
  readonly now: () => number;
  /** A last word before a proven peer is let in: what speaks against one more of its role. */
  readonly refusalOf: (role: PeerRole) => RefusalReason | undefined;
}

/** The side that was dialled. Never throws for the peer's fault. */
export async function acceptExchange(
  mail: Mailbox,
  context: AcceptContext,
): Promise<ExchangeOutcome> {
  const hello = await hear(mail, "hello");
  if (!hello.ok) return ended(mail, hello);
  const speaks = context.speaks ?? ownSpeech;
  const other = hello.message.speaks;
  if (!understands(speaks, other)) return refuseVersion(mail, { own: speaks, other });
  const { proofs } = context;
  if (proofs.length === 0 && !context.loopback) return refuse(mail, "not_loopback");
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  const starts = context.starts === undefined ? {} : { starts: context.starts };
  mail.send(encodeAdmission({ t: "challenge", nonce, boot: context.bootId, speaks, ...starts }));
  const proof = await hear(mail, "proof");
  if (!proof.ok) return ended(mail, proof);
  const transcript: Transcript = {
    group: context.group,
    role: hello.message.role,
    diallerId: context.remoteId,
    acceptorId: context.selfId,
    diallerNonce: hello.message.nonce,
    acceptorNonce: nonce,
    diallerBoot: hello.message.boot,
    acceptorBoot: context.bootId,
  };
  const judged = hello.message.role === "member"
    ? judgeProofs(transcript, { ...context, macs: proof.message.macs, side: "dialler" })
    : judgeTab(hello.message.ticket, context);
  if (!judged.ok) return refuse(mail, judged.reason);
  const macs = judged.key === undefined
    ? []
    : [proofOf(transcript, { key: judged.key, side: "acceptor" })];
  if (await context.isCopied(hello.message.boot)) return refuse(mail, "copied_identity", macs);
  if (hello.message.role === "member" && isOlder(hello.message, context)) {
    return refuse(mail, "restored_disk", macs);
  }
  const refusal = context.refusalOf(hello.message.role);
  if (refusal !== undefined) return refuse(mail, refusal);
  mail.send(encodeAdmission({ t: "welcome", macs }));
  const done = await hear(mail, "done");
  if (!done.ok) {
    const proven = done.refused?.macs !== undefined &&
      judgeProofs(transcript, { ...context, macs: done.refused.macs, side: "dialler" }).ok;
    return ended(mail, done, proven);
  }
  const { role, boot, starts: told } = hello.message;
  return { ok: true, role, bootId: boot, starts: role === "member" ? told : undefined };
}

function judgeTab(ticket: Ticket | undefined, context: AcceptContext): Judged {
  if (ticket === undefined) return refused("bad_ticket");
  const verdict = judgeTicket(ticket, {
    keys: context.tickets,
    group: context.group,
    peerId: context.remoteId,
    now: context.now(),
    equal: context.equal,
  });
  return verdict === "good" ? { ok: true, key: undefined } : refused(verdict);
}
