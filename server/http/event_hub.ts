// The event source of /api/events: numbers events, keeps the last ones for Last-Event-ID, and
// feeds listeners. A listener that reads too slowly loses its waiting events and gets one
// `resync` instead, so that memory is bounded whatever a client does.
//
// Invariants: ids grow by one within a boot; an id of another boot, or one no longer kept, is
// answered by `resync`, never by silence.

import { SkyringError } from "../../shared/base/errors.ts";
import { eventListenersMax, eventsKeptMax, eventsWaitingMax } from "../../shared/base/limits.ts";

export type EventKind = "member" | "file" | "block" | "phase" | "job";

/** One event as sent; `data` is JSON with `at`. */
export interface SentEvent {
  readonly id: string;
  readonly kind: EventKind | "resync";
  readonly data: string;
}

/** One client's place in the stream. */
export interface Subscription {
  /** Events not yet taken, all at once; empty when there are none. */
  take(): readonly SentEvent[];
  /** Ends it; take() gives nothing more. */
  stop(): void;
}

export interface EventHub {
  /** Numbers an event and hands it to every listener. `data` must be plain JSON. */
  publish(kind: EventKind, data: Readonly<Record<string, unknown>>): void;
  /**
   * Replays what came after `lastId` (nothing when undefined), then follows; `wake` is called
   * when something waits. @throws {SkyringError} busy: too many listeners
   */
  subscribe(lastId: string | undefined, wake: () => void): Subscription;
  /** The last events kept, newest first; none beyond `limit`. */
  recent(limit: number): readonly SentEvent[];
  /** Ends all streams: every listener is woken and finds `stopped`. */
  stop(): void;
  readonly stopped: boolean;
}

interface Listener {
  waiting: SentEvent[];
  lost: boolean;
  readonly wake: () => void;
}

/** A hub; `boot` makes ids of this start distinct from those of earlier ones. @throws never */
export function createEventHub(options: {
  readonly boot: string;
  readonly now: () => number;
}): EventHub {
  const kept: SentEvent[] = [];
  const listeners = new Set<Listener>();
  let sequence = 0;
  let stopped = false;
  const idOf = (number: number) => `${options.boot}-${number}`;
  const resync = (): SentEvent => ({
    id: idOf(sequence),
    kind: "resync",
    data: JSON.stringify({ at: options.now() }),
  });
  return {
    get stopped() {
      return stopped;
    },
    publish(kind, data) {
      if (stopped) return;
      sequence += 1;
      const text = JSON.stringify({ ...data, at: options.now() });
      const event: SentEvent = { id: idOf(sequence), kind, data: text };
      kept.push(event);
      if (kept.length > eventsKeptMax) kept.shift();
      for (const listener of listeners) offer(listener, event);
    },
    subscribe(lastId, wake) {
      if (listeners.size >= eventListenersMax) {
        const data = { limit: eventListenersMax };
        throw new SkyringError("busy", "Cannot open event stream: too many are open", { data });
      }
      const missed = lastId === undefined
        ? 0
        : missedSince(lastId, { boot: options.boot, sequence });
      const known = missed !== undefined && missed <= kept.length;
      const replay = known ? kept.slice(kept.length - missed) : [resync()];
      const listener: Listener = { waiting: replay, lost: false, wake };
      listeners.add(listener);
      return {
        take() {
          const taken = listener.lost ? [resync()] : listener.waiting;
          listener.lost = false;
          listener.waiting = [];
          return taken;
        },
        stop: () => void listeners.delete(listener),
      };
    },
    recent: (limit) => kept.slice(-limit).reverse(),
    stop() {
      stopped = true;
      for (const listener of listeners) listener.wake();
      listeners.clear();
    },
  };
}

function offer(listener: Listener, event: SentEvent): void {
  if (!listener.lost) listener.waiting.push(event);
  if (listener.waiting.length > eventsWaitingMax) {
    listener.waiting = [];
    listener.lost = true;
  }
  listener.wake();
}

/** Events since `lastId`; undefined when it is not one of this boot. */
function missedSince(
  lastId: string,
  now: { readonly boot: string; readonly sequence: number },
): number | undefined {
  const prefix = `${now.boot}-`;
  const number = lastId.startsWith(prefix) ? lastId.slice(prefix.length) : "";
  if (!/^\d{1,15}$/.test(number) || Number(number) > now.sequence) return undefined;
  return now.sequence - Number(number);
}
