// Channels: messages with replies over one long-lived stream per peer and direction. Whoever
// needs to ask opens the stream; the replies come back on it. A stream that fails fails its
// requests (unreachable) and is opened again by the next one, with back-off.
//
// Limits hold on both sides: messages by size, requests handled at once per peer (more wait in
// the peer's stream, which is paused), frames queued (then request() is busy, notify() drops).

import type { Stream } from "@libp2p/interface";
import { assert } from "../../shared/base/assert.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import { createFrameGatherer, encodeFrame, type Frame } from "../../shared/wire/frame.ts";
import type { Caller } from "../../web/peer/caller.ts";
import { createLink, type Link } from "../../web/peer/link.ts";
import { channelProtocol } from "../../web/peer/protocol.ts";
import type { Channel, ChannelHandler, ChannelLimits, RequestOptions } from "./network.ts";
import { createPeerLinks } from "./peer_links.ts";
import type { StreamPort } from "./stream_port.ts";

const frameKind = { request: 1, reply: 2, notify: 3, failed: 4 } as const;
/** Two generations of a stream while one is being replaced. */
const streamsPerConnectionMax = 4;
const idCount = 2 ** 32;

/** A channel and its end. */
export interface OwnedChannel extends Channel {
  stop(): void;
}

/** Opens a channel on the host's streams. */
export function createChannel(options: {
  readonly streams: StreamPort;
  readonly group: string;
  readonly name: string;
  readonly limits: ChannelLimits;
  readonly onFailure?: (error: unknown) => void;
}): OwnedChannel {
  const { name, limits, streams } = options;
  const protocol = channelProtocol(options.group, name);
  const onFailure = options.onFailure ?? (() => {});
  const servers = new Set<Link>();
  let handler: ChannelHandler | undefined;

  const links = createPeerLinks({
    streams,
    protocol,
    attach: (peer, stream) => attachAsker(stream, { name, peer, limits }),
  });
  streams.accept(protocol, {
    roles: limits.roles,
    strangers: false,
    streamsPerConnectionMax,
  }, (stream, caller) => {
    const link = attachAnswerer(stream, {
      caller,
      limits,
      handle: (from, message) => handler?.(from, message),
      onFailure,
      onClosed: () => servers.delete(link),
    });
    servers.add(link);
  });

  return {
    name,
    handle(newHandler) {
      assert(handler === undefined, `channel ${name} has one handler`);
      handler = newHandler;
    },
    async request(to, message, requestOptions) {
      judgeSize(message, { name, limits });
      const asker = links.peek(to) ?? await within(links.get(to), { name, to, requestOptions });
      return await asker.ask(message, requestOptions);
    },
    notify(to, message) {
      judgeSize(message, { name, limits });
      const open = links.peek(to);
      if (open !== undefined) return void open.tell(message);
      links.get(to).then((asker) => asker.tell(message)).catch((error) => {
        // Dropped when the peer is away: whoever notifies counts on nothing.
        if (!(error instanceof SkyringError)) onFailure(error);
      });
    },
    stop() {
      links.stop();
      for (const link of [...servers]) link.close("stopping");
    },
  };
}

function judgeSize(message: Uint8Array, channel: { name: string; limits: ChannelLimits }): void {
  if (message.length <= channel.limits.messageBytesMax) return;
  throw new SkyringError(
    "too_large",
    `Cannot send ${message.length} bytes on ${channel.name}: limit ` +
      `${channel.limits.messageBytesMax}`,
    { data: { bytes: message.length, max: channel.limits.messageBytesMax } },
  );
}

/** Waits for a promise no longer than the request may take. @throws {SkyringError} timeout */
async function within<T>(
  promise: Promise<T>,
  request: { name: string; to: NodeId; requestOptions: RequestOptions },
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const fail = () => reject(timeout(request.name, request.to));
  const timer = setTimeout(fail, request.requestOptions.timeoutMs);
  request.requestOptions.signal?.addEventListener("abort", fail, { once: true });
  try {
    if (request.requestOptions.signal?.aborted) fail();
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    request.requestOptions.signal?.removeEventListener("abort", fail);
  }
}

interface Asker {
  ask(message: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  tell(message: Uint8Array): void;
  close(reason: string): void;
  readonly open: boolean;
}

/** The asking end of one stream. */
function attachAsker(
  stream: Stream,
  options: { readonly name: string; readonly peer: NodeId; readonly limits: ChannelLimits },
): Asker {
  const { name, peer, limits } = options;
  const waiting = new Map<number, PromiseWithResolvers<Uint8Array>>();
  let nextId = 0;

  function onFrame(frame: Frame): boolean {
    const waiter = waiting.get(frame.id);
    waiting.delete(frame.id);
    // Without a waiter it is the answer to a request that was given up.
    if (frame.kind === frameKind.reply) waiter?.resolve(frame.payload);
    else if (frame.kind === frameKind.failed) waiter?.reject(failed(name, peer));
    else return false;
    return true;
  }
  const link = createLink(stream, {
    sink: createFrameGatherer({ onFrame }),
    payloadBytesMax: limits.messageBytesMax,
    queueMax: limits.queueMax,
    onClosed(reason) {
      for (const waiter of waiting.values()) waiter.reject(lost(name, peer, reason));
      waiting.clear();
    },
  });

  async function ask(message: Uint8Array, request: RequestOptions): Promise<Uint8Array> {
    const id = nextId;
    nextId = (nextId + 1) % idCount;
    const waiter = Promise.withResolvers<Uint8Array>();
    // Requests under way are bounded like queued ones: their memory lies here too.
    const room = waiting.size < Math.max(limits.queueMax, limits.concurrencyMax);
    const sent = room &&
      link.send(encodeFrame({ kind: frameKind.request, id, payload: message }));
    if (!sent) throw link.open ? busy(name, peer) : lost(name, peer, "closed");
    waiting.set(id, waiter);
    try {
      return await within(waiter.promise, { name, to: peer, requestOptions: request });
    } finally {
      waiting.delete(id);
    }
  }

  return {
    ask,
    tell: (message) => {
      link.send(encodeFrame({ kind: frameKind.notify, id: 0, payload: message }));
    },
    close: (reason) => link.close(reason),
    get open() {
      return link.open;
    },
  };
}

/** The answering end of one stream. */
function attachAnswerer(stream: Stream, options: {
  readonly caller: Caller;
  readonly limits: ChannelLimits;
  readonly handle: ChannelHandler;
  readonly onFailure: (error: unknown) => void;
  readonly onClosed: () => void;
}): Link {
  const { caller, limits } = options;
  const pending: Frame[] = [];
  let running = 0;

  /** Messages that arrived before the pause took hold wait here: one window of them at most. */
  function onFrame(frame: Frame): boolean {
    if (frame.kind !== frameKind.request && frame.kind !== frameKind.notify) return false;
    pending.push(frame);
    next();
    if (pending.length > 0) link.pause();
    return true;
  }

  function next(): void {
    while (running < limits.concurrencyMax) {
      const frame = pending.shift();
      if (frame === undefined) return link.resume();
      running += 1;
      void run(frame).finally(() => {
        running -= 1;
        next();
      });
    }
  }

  async function run(frame: Frame): Promise<void> {
    try {
      const reply = await options.handle(caller.id, frame.payload);
      if (frame.kind !== frameKind.request || reply === undefined) return;
      const tooLarge = reply.length > limits.messageBytesMax;
      if (tooLarge) throw new RangeError(`Cannot reply with ${reply.length} bytes: over the limit`);
      answer(encodeFrame({ kind: frameKind.reply, id: frame.id, payload: reply }));
    } catch (error) {
      options.onFailure(error);
      if (frame.kind !== frameKind.request) return;
      answer(encodeFrame({ kind: frameKind.failed, id: frame.id, payload: new Uint8Array(0) }));
    }
  }

  function answer(frame: Uint8Array): void {
    if (!link.send(frame)) link.close("replies are not being read");
  }

  const link = createLink(stream, {
    sink: createFrameGatherer({ onFrame }),
    payloadBytesMax: limits.messageBytesMax,
    // Replies of all requests handled at once fit, or the peer does not read them.
    queueMax: limits.queueMax + limits.concurrencyMax,
    onClosed: options.onClosed,
  });
  return link;
}

function timeout(name: string, peer: NodeId): SkyringError {
  return new SkyringError("timeout", `Cannot wait longer for ${peer} on ${name}: deadline passed`, {
    data: { peer, channel: name },
    retriable: true,
  });
}

function busy(name: string, peer: NodeId): SkyringError {
  return new SkyringError("busy", `Cannot queue request to ${peer} on ${name}: queue is full`, {
    data: { peer, channel: name },
    retriable: true,
  });
}

function lost(name: string, peer: NodeId, reason: string): SkyringError {
  return new SkyringError("unreachable", `Cannot reach ${peer} on ${name}: ${reason}`, {
    data: { peer, channel: name, reason },
    retriable: true,
  });
}

function failed(name: string, peer: NodeId): SkyringError {
  return new SkyringError("unavailable", `Cannot serve request on ${name}: ${peer} failed`, {
    data: { peer, channel: name },
    retriable: true,
  });
}
