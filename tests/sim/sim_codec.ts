// What a message loses on the wire. Simulated nodes hand each other objects; real ones send bytes
// that a strict decoder reads. So some of the messages of every run go through the real codecs,
// and must come out as they went in: a field too many would be refused by every peer.

import { isDeepStrictEqual } from "node:util";
import type { AgreementMessage } from "../../shared/record/agreement_port.ts";
import { decodeRecordMessage, encodeRecordMessage } from "../../shared/wire/record_message.ts";
import { decodeRosterMessage, encodeRosterMessage } from "../../shared/wire/roster_message.ts";

const rosterKinds: ReadonlySet<string> = new Set(["hello", "rosters", "want", "meet"]);

/** Why a message would not arrive as it was sent; undefined when it would. @throws never */
export function codecFault(message: AgreementMessage): string | undefined {
  const { kind } = message.body;
  const decoded = rosterKinds.has(kind) || kind.startsWith("r-")
    ? decodeRosterMessage(encodeRosterMessage(message))
    : decodeRecordMessage(encodeRecordMessage(message));
  if (!decoded.ok) return `${kind} would be refused: ${decoded.reason}`;
  return isDeepStrictEqual(decoded.message, message) ? undefined : `${kind} arrives otherwise`;
}
