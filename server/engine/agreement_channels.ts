// The two channels of the agreement, "roster" and "record": which message goes by which, and in
// what bytes. Messages are notices, never requests: the machine asks again by itself.

import type { NodeId } from "../../shared/base/ids.ts";
import { controlMessageBytesMax, recordMessageBytesMax } from "../../shared/base/limits.ts";
import type { AgreementMessage } from "../../shared/record/agreement_port.ts";
import { decodeRecordMessage, encodeRecordMessage } from "../../shared/wire/record_message.ts";
import {
  type DecodedMessage,
  decodeRosterMessage,
  encodeRosterMessage,
} from "../../shared/wire/roster_message.ts";
import type { Network } from "../net/network.ts";

const limits = { concurrencyMax: 64, queueMax: 1_024, roles: ["member"] } as const;

/**
 * Opens both channels; `receive` hears of every message that comes.
 * @returns the way out to other nodes; throws never
 */
export function openAgreementChannels(
  network: Pick<Network, "channel">,
  receive: (from: NodeId, decoded: DecodedMessage) => undefined,
): (to: NodeId, message: AgreementMessage) => void {
  const roster = network.channel("roster", { ...limits, messageBytesMax: controlMessageBytesMax });
  const record = network.channel("record", { ...limits, messageBytesMax: recordMessageBytesMax });
  roster.handle((from, bytes) => receive(from, decodeRosterMessage(bytes)));
  record.handle((from, bytes) => receive(from, decodeRecordMessage(bytes)));
  return (to, message) => {
    if (isRosterMessage(message)) roster.notify(to, encodeRosterMessage(message));
    else record.notify(to, encodeRecordMessage(message));
  };
}

function isRosterMessage({ body: { kind } }: AgreementMessage): boolean {
  return kind === "hello" || kind === "rosters" || kind === "want" || kind === "meet" ||
    kind.startsWith("r-");
}
