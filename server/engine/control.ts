// The control channel of one node: answers what members ask (may refuse them all but about jobs,
// turns and time), asks others, and keeps the last word of jobs that others told of.
//
// Invariant: whatever comes in is answered, a refusal with its code; nothing is done twice for one
// request, since a request is never sent again by the channel.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import { controlMessageBytesMax, jobsToldMax } from "../../shared/base/limits.ts";
import type { JobSnapshot } from "../../shared/job.ts";
import {
  type ControlReply,
  type ControlRequest,
  decodeControlReply,
  decodeControlRequest,
  encodeControlReply,
  encodeControlRequest,
} from "../../shared/wire/control_message.ts";
import type { Channel, ChannelLimits } from "../net/network.ts";

/** How the channel "control" is opened: rare and small messages, of which some take their time. */
export const controlChannelLimits: ChannelLimits = {
  messageBytesMax: controlMessageBytesMax,
  concurrencyMax: 8,
  queueMax: 64,
  roles: ["member"],
};

/** Requests that change something here: what `--control self` keeps to this node. */
export type Order = Extract<ControlRequest, { kind: "leave" | "stop" | "resize" | "cancel" }>;

export interface ControlOptions {
  readonly channel: Channel;
  readonly name: string;
  /** Whether members may order this node about (`--control any`). */
  readonly open: boolean;
  readonly now: () => number;
  /** Carries an order out. @throws {SkyringError} why not */
  readonly obey: (order: Order) => Promise<ControlReply>;
  readonly turnOf: (from: NodeId) => boolean;
  readonly jobs: () => readonly JobSnapshot[];
  /** Removes what nothing references here. @throws {SkyringError} why not */
  readonly collect: () => Promise<{ readonly blocks: number; readonly freedBytes: number }>;
  /** News of a job on another node. Must not throw. */
  readonly onTold: (job: JobSnapshot) => void;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** One node's end of the control channel. */
export class Control {
  readonly #options: ControlOptions;
  readonly #told = new Map<string, JobSnapshot>();

  constructor(options: ControlOptions) {
    this.#options = options;
    options.channel.handle(async (from, bytes) => {
      return encodeControlReply(await this.#answer(from, bytes));
    });
  }

  /**
   * Asks a member. @throws {SkyringError} its refusal, by its code; unreachable, timeout, busy,
   * bad_message (it speaks another version)
   */
  async ask(to: NodeId, request: ControlRequest, options: AskOptions): Promise<ControlReply> {
    const bytes = await this.#options.channel.request(to, encodeControlRequest(request), options);
    const decoded = decodeControlReply(bytes);
    if (!decoded.ok) {
      throw new SkyringError("bad_message", `Cannot read answer of ${to}: ${decoded.reason}`, {
        data: { node: to },
      });
    }
    const reply = decoded.body;
    if (reply.kind === "refused") {
      throw new SkyringError(reply.code, reply.message, { data: { ...reply.data, node: to } });
    }
    return reply;
  }

  /** Tells members of a job, without waiting for anything. @throws never */
  tell(job: JobSnapshot, to: readonly NodeId[]): void {
    const bytes = encodeControlRequest({ kind: "told", job });
    for (const id of to) this.#options.channel.notify(id, bytes);
  }

  /** Jobs that others told of, as told last. @throws never */
  told(): readonly JobSnapshot[] {
    return [...this.#told.values()];
  }

  /** Takes another node's word about its job. @throws never */
  note(job: JobSnapshot): void {
    this.#told.delete(job.id);
    this.#told.set(job.id, job);
    for (const id of this.#told.keys()) {
      if (this.#told.size <= jobsToldMax) break;
      this.#told.delete(id);
    }
    this.#options.onTold(job);
  }

  async #answer(from: NodeId, bytes: Uint8Array): Promise<ControlReply> {
    const decoded = decodeControlRequest(bytes);
    const { name } = this.#options;
    try {
      if (!decoded.ok) {
        const text = `Cannot follow order to ${name}: ${decoded.reason}`;
        throw new SkyringError("bad_message", text);
      }
      return await this.#follow(from, decoded.body);
    } catch (error) {
      const known = error instanceof SkyringError;
      const message = messageOf(error).slice(0, 2_048);
      return {
        kind: "refused",
        code: known ? error.code : "internal",
        message,
        data: known ? error.data : {},
      };
    }
  }

  #follow(from: NodeId, request: ControlRequest): Promise<ControlReply> | ControlReply {
    const { open, name, obey, turnOf, jobs, now } = this.#options;
    switch (request.kind) {
      case "turn":
        return { kind: "turn", free: turnOf(from) };
      case "time":
        return { kind: "time", at: Math.max(0, Math.round(now())) };
      case "jobs":
        return {
          kind: "jobs",
          jobs: jobs().filter(({ id }) => request.id === null || id === request.id),
        };
      case "collect":
        return this.#options.collect().then((done) => ({ kind: "collected", ...done }));
      case "told":
        if (request.job.node === from) this.note(request.job);
        return { kind: "done" };
      case "leave":
      case "stop":
      case "resize":
      case "cancel":
        if (open) return obey(request);
        throw new SkyringError(
          "forbidden",
          `Cannot ${request.kind} ${name}: it was started with --control self`,
        );
      default:
        return request satisfies never;
    }
  }
}
