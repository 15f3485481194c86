// /api/events: Server-Sent Events. One stream a client, fed from the hub by pulling: what a
// client does not read stays in its bounded place in the hub, not in a growing buffer.
// Source: HTML Living Standard, 9.2 (server-sent events)

import { eventHeartbeatMs } from "../../shared/base/limits.ts";
import type { App } from "./routes.ts";
import type { EventHub, SentEvent, Subscription } from "./event_hub.ts";
import type { Services } from "./services.ts";

/** Adds the route. @throws never */
export function routeEvents(app: App, services: Services): void {
  app.get("/api/events", (context) => {
    const lastId = context.req.header("last-event-id");
    return new Response(eventStream(services.events, lastId), {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  });
}

/** The stream of one client: a greeting, what it missed, then what happens. */
export function eventStream(
  hub: EventHub,
  lastId: string | undefined,
  heartbeatMs: number = eventHeartbeatMs,
): ReadableStream<Uint8Array> {
  let wakeUp: () => void = () => undefined;
  const subscription: Subscription = hub.subscribe(lastId, () => wakeUp());
  let greeted = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const encoder = new TextEncoder();
      if (!greeted) {
        greeted = true;
        controller.enqueue(encoder.encode(": skyring\nretry: 2000\n\n"));
        return;
      }
      let events = subscription.take();
      if (events.length === 0 && !hub.stopped) {
        await wokenOrBeat((wake) => wakeUp = wake, heartbeatMs);
        events = subscription.take();
      }
      if (hub.stopped) {
        subscription.stop();
        controller.close();
        return;
      }
      const text = events.length === 0 ? ": heartbeat\n\n" : events.map(eventText).join("");
      controller.enqueue(encoder.encode(text));
    },
    cancel() {
      subscription.stop();
      wakeUp();
    },
  }, { highWaterMark: 0 });
}

function wokenOrBeat(arm: (wake: () => void) => void, heartbeatMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, heartbeatMs);
    arm(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** JSON holds no line break, so `data` is one line. */
function eventText(event: SentEvent): string {
  return `id: ${event.id}\nevent: ${event.kind}\ndata: ${event.data}\n\n`;
}
