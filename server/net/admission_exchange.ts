// The admission exchange itself, both sides, over a mailbox (messages: shared/wire/admission.ts).
// The dialler proves first, so that a scanner of ports learns nothing. Whoever refuses says why.

import {
  type AdmissionMessage,
  decodeAdmission,
  encodeAdmission,
  judgeTicket,
  nonceBytes,
  proofOf,
  provenKey,
  type RefusalReason,
  type Ticket,
  type Transcript,
} from "../../shared/wire/admission.ts";
import type { PeerRole } from "./network.ts";
import { equalInConstantTime, type GroupKeys } from "./group_keys.ts";
import type { Mailbox } from "./mailbox.ts";

/** What one side knows before a word is said. */
export interface ExchangeContext {
  readonly group: string;
  readonly selfId: string;
  readonly remoteId: string;
  readonly bootId: string;
  readonly keys: GroupKeys;
  /** Whether the remote address can only be this machine. */
  readonly loopback: boolean;
  readonly now: () => number;
  /** A permit instead of a secret: this side is a tab. */
  readonly ticket?: Ticket;
  /** Whether the peer id is connected, and answers, under another boot id. */
  readonly isCopied: (bootId: string) => Promise<boolean>;
  /** A last word before a proven peer is let in, on connections held. */
  readonly hasRoom: () => boolean;
}

/** How an exchange ended. `proven`: the refusal came from one who knows the secret. */
export type ExchangeOutcome =
  | { readonly ok: true; readonly role: PeerRole; readonly bootId: string }
  | {
    readonly ok: false;
    readonly reason: RefusalReason;
    readonly by: "us" | "them";
    readonly proven: boolean;
  };

type Said<T extends AdmissionMessage["t"]> = Extract<AdmissionMessage, { t: T }>;
type Heard<T extends AdmissionMessage["t"]> =
  | { readonly ok: true; readonly message: Said<T> }
  | { readonly ok: false; readonly refused: Said<"refused"> | undefined };

/** Waits for one message of a kind; a refusal or anything else ends the exchange. */
async function hear<T extends AdmissionMessage["t"]>(mail: Mailbox, kind: T): Promise<Heard<T>> {
  const bytes = await mail.next();
  const message = bytes === undefined ? undefined : decodeAdmission(bytes);
  if (message?.t === kind) return { ok: true, message: message as Said<T> };
  return { ok: false, refused: message?.t === "refused" ? message : undefined };
}

function refuse(
  mail: Mailbox,
  reason: RefusalReason,
  macs?: Uint8Array[],
): ExchangeOutcome {
  mail.send(encodeAdmission({ t: "refused", reason, ...(macs === undefined ? {} : { macs }) }));
  return { ok: false, reason, by: "us", proven: false };
}

/** What a broken or refused answer means. */
function ended(
  mail: Mailbox,
  heard: { readonly refused: Said<"refused"> | undefined },
  proven = false,
): ExchangeOutcome {
  if (heard.refused === undefined) return refuse(mail, "bad_message");
  return { ok: false, reason: heard.refused.reason, by: "them", proven };
}

/** The side that dialled. Never throws for the peer's fault. */
export async function dialExchange(
  mail: Mailbox,
  context: ExchangeContext,
): Promise<ExchangeOutcome> {
  const { keys } = context;
  if (keys.proofs.length === 0 && context.ticket === undefined && !context.loopback) {
    return refuse(mail, "not_loopback");
  }
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  const role: PeerRole = context.ticket === undefined ? "member" : "tab";
  mail.send(encodeAdmission({
    t: "hello",
    nonce,
    boot: context.bootId,
    role,
    ...(context.ticket === undefined ? {} : { ticket: context.ticket }),
  }));
  const challenge = await hear(mail, "challenge");
  if (!challenge.ok) return ended(mail, challenge);
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
  const macs = keys.proofs.map((key) => proofOf(transcript, { key, side: "dialler" }));
  mail.send(encodeAdmission({ t: "proof", macs }));
  const welcome = await hear(mail, "welcome");
  if (!welcome.ok) {
    const proven = welcome.refused?.macs !== undefined &&
      judgeProofs(transcript, { keys, macs: welcome.refused.macs, side: "acceptor" }).ok;
    return ended(mail, welcome, proven);
  }
  if (role === "member") {
    const judged = judgeProofs(transcript, {
      keys,
      macs: welcome.message.macs,
      side: "acceptor",
    });
    if (!judged.ok) return refuse(mail, judged.reason);
    if (await context.isCopied(challenge.message.boot)) return refuse(mail, "copied_identity");
  }
  mail.send(encodeAdmission({ t: "done" }));
  return { ok: true, role: "member", bootId: challenge.message.boot };
}

/** The side that was dialled. Never throws for the peer's fault. */
export async function acceptExchange(
  mail: Mailbox,
  context: ExchangeContext,
): Promise<ExchangeOutcome> {
  const hello = await hear(mail, "hello");
  if (!hello.ok) return ended(mail, hello);
  const { keys } = context;
  if (keys.proofs.length === 0 && !context.loopback) return refuse(mail, "not_loopback");
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  mail.send(encodeAdmission({ t: "challenge", nonce, boot: context.bootId }));
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
    ? judgeProofs(transcript, { keys, macs: proof.message.macs, side: "dialler" })
    : judgeTab(hello.message.ticket, context);
  if (!judged.ok) return refuse(mail, judged.reason);
  const macs = judged.key === undefined
    ? []
    : [proofOf(transcript, { key: judged.key, side: "acceptor" })];
  if (await context.isCopied(hello.message.boot)) return refuse(mail, "copied_identity", macs);
  if (!context.hasRoom()) return refuse(mail, "too_many_connections");
  mail.send(encodeAdmission({ t: "welcome", macs }));
  const done = await hear(mail, "done");
  if (!done.ok) return ended(mail, done);
  return { ok: true, role: hello.message.role, bootId: hello.message.boot };
}

type Judged =
  | { readonly ok: true; readonly key: Uint8Array | undefined }
  | { readonly ok: false; readonly reason: RefusalReason };

/** Both without a secret is fine here: the loopback rule was applied before. */
function judgeProofs(
  transcript: Transcript,
  options: {
    readonly keys: GroupKeys;
    readonly macs: readonly Uint8Array[];
    readonly side: "dialler" | "acceptor";
  },
): Judged {
  const ours = options.keys.proofs.length;
  const theirs = options.macs.length;
  if (ours === 0) {
    return theirs === 0 ? { ok: true, key: undefined } : refused("secret_here_missing");
  }
  if (theirs === 0) return refused("no_secret");
  const key = provenKey(transcript, {
    keys: options.keys.proofs,
    macs: options.macs,
    side: options.side,
    equal: equalInConstantTime,
  });
  return key === undefined ? refused("wrong_secret") : { ok: true, key };
}

function judgeTab(ticket: Ticket | undefined, context: ExchangeContext): Judged {
  if (ticket === undefined) return refused("bad_ticket");
  const verdict = judgeTicket(ticket, {
    keys: context.keys.tickets,
    group: context.group,
    peerId: context.remoteId,
    now: context.now(),
    equal: equalInConstantTime,
  });
  return verdict === "good" ? { ok: true, key: undefined } : refused(verdict);
}

function refused(reason: RefusalReason): Judged {
  return { ok: false, reason };
}
