// The channel "repair" between members: owners vouch for blocks, nodes are told to heal, and who
// wants to collect asks for running pushes. Questions and answers are shared/wire/repair_message.

import type { NodeId } from "../../shared/base/ids.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import { repairMessageBytesMax } from "../../shared/base/limits.ts";
import {
  decodeRepairReply,
  decodeRepairRequest,
  encodeRepairReply,
  encodeRepairRequest,
  type RepairReply,
  type RepairRequest,
} from "../../shared/wire/repair_message.ts";
import type { Channel } from "../net/network.ts";

/** Limits of the channel: owners read and hash blocks for an answer, so few at once. */
export const repairChannelLimits = {
  messageBytesMax: repairMessageBytesMax,
  concurrencyMax: 2,
  queueMax: 64,
  roles: ["member"],
} as const;

const requestTimeoutMs = 8_000;

/** Questions to members. */
export interface RepairTalk {
  /** @returns the answer, or undefined when the peer does not give one in time; throws never */
  ask<Kind extends RepairRequest["kind"]>(
    peer: NodeId,
    request: Extract<RepairRequest, { kind: Kind }>,
    signal?: AbortSignal,
  ): Promise<RepairReply | undefined>;
  /** Sets who answers others; undefined is no answer. */
  answer(handler: (request: RepairRequest) => Promise<RepairReply | undefined>): void;
}

/** Talk over a channel. @throws never */
export function createRepairTalk(channel: Channel): RepairTalk {
  return {
    ask: async (peer, request, signal) => {
      try {
        const options = {
          timeoutMs: requestTimeoutMs,
          ...(signal === undefined ? {} : { signal }),
        };
        const bytes = await channel.request(peer, encodeRepairRequest(request), options);
        return decodeRepairReply(bytes);
      } catch (error) {
        if (error instanceof SkyringError || signal?.aborted) return undefined;
        throw error;
      }
    },
    answer: (handler) =>
      channel.handle(async (_from, message) => {
        let request: RepairRequest;
        try {
          request = decodeRepairRequest(message);
        } catch (error) {
          if (error instanceof SkyringError) return undefined; // no answer is the answer
          throw error;
        }
        const reply = await handler(request);
        return reply && encodeRepairReply(reply);
      }),
  };
}
