// What both sides of the admission exchange share: hearing one message of a kind, refusing, and
// judging proofs (messages: shared/wire/admission.ts). Whoever refuses says why.

import {
  type AdmissionMessage,
  decodeAdmission,
  encodeAdmission,
  type Equal,
  provenKey,
  type RefusalReason,
  type Speaks,
  type Transcript,
} from "../../shared/wire/admission.ts";
import type { PeerRole } from "./caller.ts";
import type { Mailbox } from "./mailbox.ts";

/** How an exchange ended. `proven`: the refusal came from one who knows the secret. */
export type ExchangeOutcome =
  | {
    readonly ok: true;
    readonly role: PeerRole;
    readonly bootId: string;
    /** Starts that a member has counted, when it says so. */
    readonly starts?: number | undefined;
  }
  | {
    readonly ok: false;
    readonly reason: RefusalReason;
    readonly by: "us" | "them";
    readonly proven: boolean;
    /** What the peer speaks, where that is why. */
    readonly speaks?: Speaks | undefined;
  };

/** One kind of message. */
export type Said<T extends AdmissionMessage["t"]> = Extract<AdmissionMessage, { t: T }>;
/** What came instead of silence. */
export type Heard<T extends AdmissionMessage["t"]> =
  | { readonly ok: true; readonly message: Said<T> }
  | { readonly ok: false; readonly refused: Said<"refused"> | undefined };

/** Waits for one message of a kind; a refusal or anything else ends the exchange. */
export async function hear<T extends AdmissionMessage["t"]>(
  mail: Mailbox,
  kind: T,
): Promise<Heard<T>> {
  const bytes = await mail.next();
  const message = bytes === undefined ? undefined : decodeAdmission(bytes);
  if (message?.t === kind) return { ok: true, message: message as Said<T> };
  return { ok: false, refused: message?.t === "refused" ? message : undefined };
}

/** Says why not, and ends. */
export function refuse(
  mail: Mailbox,
  reason: RefusalReason,
  macs?: Uint8Array[],
): ExchangeOutcome {
  mail.send(encodeAdmission({ t: "refused", reason, ...(macs === undefined ? {} : { macs }) }));
  return { ok: false, reason, by: "us", proven: false };
}

/** Says that the other side speaks another protocol, and which one this side speaks. */
export function refuseVersion(
  mail: Mailbox,
  speaks: { readonly own: Speaks; readonly other: Speaks | undefined },
): ExchangeOutcome {
  const reason = "other_version";
  mail.send(encodeAdmission({ t: "refused", reason, speaks: speaks.own }));
  return { ok: false, reason, by: "us", proven: false, speaks: speaks.other };
}

/** What a broken or refused answer means. */
export function ended(
  mail: Mailbox,
  heard: { readonly refused: Said<"refused"> | undefined },
  proven = false,
): ExchangeOutcome {
  if (heard.refused === undefined) return refuse(mail, "bad_message");
  const { reason, speaks } = heard.refused;
  return { ok: false, reason, by: "them", proven, speaks };
}

/** Whether the other side knows a secret, and which key says so. */
export type Judged =
  | { readonly ok: true; readonly key: Uint8Array | undefined }
  | { readonly ok: false; readonly reason: RefusalReason };

/** Judges proofs. Both without a secret is fine here: the loopback rule was applied before. */
export function judgeProofs(
  transcript: Transcript,
  options: {
    readonly proofs: readonly Uint8Array[];
    readonly equal: Equal;
    readonly macs: readonly Uint8Array[];
    readonly side: "dialler" | "acceptor";
  },
): Judged {
  const ours = options.proofs.length;
  const theirs = options.macs.length;
  if (ours === 0) {
    return theirs === 0 ? { ok: true, key: undefined } : refused("secret_here_missing");
  }
  if (theirs === 0) return refused("no_secret");
  const key = provenKey(transcript, {
    keys: options.proofs,
    macs: options.macs,
    side: options.side,
    equal: options.equal,
  });
  return key === undefined ? refused("wrong_secret") : { ok: true, key };
}

/** Judged and found wanting. */
export function refused(reason: RefusalReason): Judged {
  return { ok: false, reason };
}
