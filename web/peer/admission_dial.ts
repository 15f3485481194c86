// The dialler's side of the admission exchange, of a node (it proves a secret) and of a tab (it
// shows a ticket). The dialler proves first, so that a scanner of ports learns nothing.

import {
  encodeAdmission,
  type Equal,
  nonceBytes,
  ownSpeech,
  proofOf,
  type Speaks,
  type StartMark,
  type Ticket,
  type Transcript,
  understands,
} from "../../shared/wire/admission.ts";
import {
  ended,
  type ExchangeOutcome,
  hear,
  judgeProofs,
  refuse,
  refuseVersion,
} from "./admission_words.ts";
import type { PeerRole } from "./caller.ts";
import type { Mailbox } from "./mailbox.ts";

/** What the side that dials knows before a word is said. */
export interface DialContext {
  readonly group: string;
  readonly selfId: string;
  readonly remoteId: string;
  readonly bootId: string;
  /** Keys of the group's secrets, newest first; none without a secret, and none in a tab. */
  readonly proofs: readonly Uint8Array[];
  readonly equal: Equal;
  /** Whether the remote address can only be this machine. */
  readonly loopback: boolean;
  /** A permit instead of a secret: this side is a tab. */
  readonly ticket?: Ticket;
  /** What this program speaks; replaced in tests only. */
  readonly speaks?: Speaks;
  /** Starts that this node has counted; none in a tab. */
  readonly starts?: number;
  /** Whether a later start of the peer was met before. */
  readonly isRestored?: (start: StartMark) => boolean;
  /** Whether the peer id is connected, and answers, under another boot id. */
  readonly isCopied: (bootId: string) => Promise<boolean>;
}

/** The side that dialled. Never throws for the peer's fault. */
export async function dialExchange(
  mail: Mailbox,
  context: DialContext,
): Promise<ExchangeOutcome> {
  const { proofs } = context;
  if (proofs.length === 0 && context.ticket === undefined && !context.loopback) {
    return refuse(mail, "not_loopback");
  }
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  const speaks = context.speaks ?? ownSpeech;
  const role: PeerRole = context.ticket === undefined ? "member" : "tab";
  mail.send(encodeAdmission({
    t: "hello",
    nonce,
    boot: context.bootId,
    role,
    speaks,
    ...(context.starts === undefined ? {} : { starts: context.starts }),
    ...(context.ticket === undefined ? {} : { ticket: context.ticket }),
  }));
  const challenge = await hear(mail, "challenge");
  if (!challenge.ok) return ended(mail, challenge);
  const other = challenge.message.speaks;
  if (!understands(speaks, other)) return refuseVersion(mail, { own: speaks, other });
  const transcript: Transcript = {
    group: context.group,
    role,
    diallerId: context.selfId,
    acceptorId: context.remoteId,
    diallerNonce: nonce,
    acceptorNonce: challenge.message.nonce,
    diallerBoot: context.bootId,
    acceptorBoot: challenge.message.boot,
  };
  const macs = proofs.map((key) => proofOf(transcript, { key, side: "dialler" }));
  mail.send(encodeAdmission({ t: "proof", macs }));
  const welcome = await hear(mail, "welcome");
  if (!welcome.ok) {
    const proven = welcome.refused?.macs !== undefined &&
      judgeProofs(transcript, { ...context, macs: welcome.refused.macs, side: "acceptor" }).ok;
    return ended(mail, welcome, proven);
  }
  if (role === "member") {
    const judged = judgeProofs(transcript, {
      ...context,
      macs: welcome.message.macs,
      side: "acceptor",
    });
    if (!judged.ok) return refuse(mail, judged.reason);
    if (await context.isCopied(challenge.message.boot)) return refuse(mail, "copied_identity");
    // With its proofs: who is told so must believe it.
    if (isOlder(challenge.message, context)) return refuse(mail, "restored_disk", macs);
  }
  mail.send(encodeAdmission({ t: "done" }));
  const { boot, starts } = challenge.message;
  return { ok: true, role: "member", bootId: boot, starts };
}

/** Whether a peer's disk is older than one that was met before. */
export function isOlder(
  said: { readonly boot: string; readonly starts?: number | undefined },
  { isRestored }: Pick<DialContext, "isRestored">,
): boolean {
  const { boot, starts } = said;
  return starts !== undefined && isRestored?.({ boot, starts }) === true;
}
